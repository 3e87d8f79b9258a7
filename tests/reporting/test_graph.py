"""The Snakefile and the Makefile from outside: odd names, the hours that are told, the clusters' files."""

import os
import re
import shutil
import subprocess
import sys

import click
import pytest
import yaml

from sadanet_lab.cli import main
from sadanet_lab.paths import ROOT, result_file
from sadanet_lab.reporting.costs import UNKNOWN_MEMORY_MB, UNKNOWN_MINUTES
from sadanet_lab.reporting.plan import data_digest, graph_folder
from sadanet_lab.reporting.stored_plan import write_settings

ODD = "a {b} {{c}} `touch ran` $(touch ran) <d> ^e \"f' \n g=h,i;j"


def snakemake(*arguments, **settings):
    """Its exit code and what it printed."""
    settings = {"profile": "smoke"} | {name: str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "snakemake", *map(str, arguments), "--configfile", str(write_settings(settings))]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def test_a_plain_folder_is_itself_and_an_odd_one_is_reached_by_a_plain_link(tmp_path):
    assert graph_folder("results", "phantom", "quick") == "results/phantom-quick"
    assert graph_folder(str(tmp_path), "data/mine", "quick") == f"{tmp_path}/mine-quick"
    links = {
        graph_folder(str(tmp_path / results), data, "quick") for results in ("a", "{a}") for data in (ODD, f"{ODD}2")
    }
    assert len(links) == 4
    for link in links:
        assert re.fullmatch(r"[\w./-]+", link)
    (ROOT / graph_folder(str(tmp_path), ODD, "quick") / "there").touch()
    assert (result_file("x", tmp_path, ODD, "quick").parent / "there").exists()
    for link in (ROOT / ".snakemake" / "folders").iterdir():
        if tmp_path in link.readlink().parents:
            link.unlink()


def test_the_digest_of_data_changes_with_any_file(tmp_path):
    assert data_digest("phantom") == ""
    seen = {data_digest(str(tmp_path))}
    (tmp_path / "folder").mkdir()
    for name, content in (("a.png", b"1"), ("folder/a.png", b"1"), ("a.png", b"22")):
        (tmp_path / name).write_bytes(content)
        seen.add(data_digest(str(tmp_path)))
    os.utime(tmp_path / "a.png", (1, 1))
    seen.add(data_digest(str(tmp_path)))
    (tmp_path / "a.png").unlink()
    seen.add(data_digest(str(tmp_path)))
    assert len(seen) == 6


@pytest.mark.slow
def test_data_and_results_in_folders_of_odd_names(phantoms, tmp_path):
    data, results = tmp_path / ODD / ODD, tmp_path / f"results of {ODD}"
    shutil.copytree(phantoms, data)
    folder = graph_folder(str(results), str(data), "smoke")
    targets = ["--cores", "1", f"{folder}/trained/unet-seed0", f"{folder}/00_data_tour.json"]
    try:
        code, told = snakemake(*targets, data=data, results=results)
        assert code == 0, told[-4000:]
        assert result_file("00_data_tour", results, str(data), "smoke").is_file()
        assert len(list((results / "runs").glob("unet-*/complete.json"))) == 1
        assert "Nothing to be done" in snakemake(*targets, "-n", data=data, results=results)[1]
        assert not list(tmp_path.rglob("ran"))
        assert not (ROOT / "ran").exists()
    finally:
        (ROOT / folder).unlink()


@pytest.mark.slow
def test_a_dry_run_for_slurm_tells_hours_and_asks_for_time_and_memory(tmp_path):
    target = f"{tmp_path}/phantom-smoke/trained/unet-seed0"
    code, told = snakemake("-n", "--workflow-profile", "profiles/slurm", target, results=tmp_path, gpus=1)
    assert code == 0, told
    (resources,) = re.findall(r"rule train:.*?resources: (.*?)\n", told, re.S)
    assert {"gpu=1", f"runtime={UNKNOWN_MINUTES}", f"mem_mb={UNKNOWN_MEMORY_MB}"} <= set(resources.split(", ")), (
        resources
    )
    assert re.search(r"^unet +1  not known: none like it is stored$", told, re.M), told
    assert re.search(r"^in all: 0.00 hours, one after another, of 0 jobs, and 1 of which none", told, re.M)


@pytest.mark.parametrize("name", ["DATA", "SEEDS", "RESULTS"])
@pytest.mark.parametrize("from_environment", [False, True])
def test_make_hands_values_on_as_they_were_typed(name, from_environment, tmp_path):
    """Neither make nor a shell reads what stands in them."""
    value = f"$(shell touch {tmp_path}/ran)$(touch {tmp_path}/ran)`touch {tmp_path}/ran` ${{x}} $$ 'q' \"{{}}\", \\ #"
    text = (ROOT / "Makefile").read_text()
    say = '#!/bin/sh\nwhile [ $# -gt 0 ]; do printf "%s\\n" "$1"; shift; done\n'
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "sadanet").write_text(say)
    (tmp_path / ".venv" / "bin" / "sadanet").chmod(0o755)
    (tmp_path / "Makefile").write_text(text.replace("reproduce: install", "reproduce:"))
    command = ["make", "--silent", "reproduce"]
    given = {name: value} if from_environment else {}
    told = subprocess.run(
        command if given else [*command, f"{name}={value}"],
        cwd=tmp_path, env=os.environ | given, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.splitlines() == ["reproduce", f"--{name.lower()}", value]
    assert not (tmp_path / "ran").exists()


def test_the_command_of_the_kubernetes_job_is_one_of_ours():
    (container,) = yaml.safe_load((ROOT / "profiles/kubernetes/job.yaml").read_text())["spec"]["template"]["spec"][
        "containers"
    ]
    path, command = container["command"]
    assert path == ".venv/bin/sadanet"
    found = main.get_command(click.Context(main), command)
    assert found is not None
    context = found.make_context(command, list(container["args"]))
    assert context.params["gpus"] == container["resources"]["limits"]["nvidia.com/gpu"]
    assert not context.params["snakemake"]


def test_profiles_take_no_lock_and_every_cluster_has_one():
    for name in ("default", "slurm"):
        profile = yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
        assert profile["nolock"]
        assert profile["rerun-incomplete"]
