"""The command behind ``make reproduce``: the whole graph, with one line of overall progress."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click

from sadanet_lab.cli.options import PROFILE, RESULTS, main
from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.paths import PHANTOM

CLUSTERS = ("slurm",)
SECONDS_TO_END = 30
DONE = re.compile(r"^(\d+) of (\d+) steps \(")
NOISE = re.compile(
    r"^(Execute \d+ jobs?\.\.\.|Select jobs to execute\.\.\.|Finished jobid: .*|\[[\w :]+\]|Touching output file .*|)$"
)


@main.command(context_settings={"ignore_unknown_options": True})
@PROFILE
@click.option("--data", default=PHANTOM, help='Dataset folder, or "phantom" for the profile\'s own.')
@RESULTS
@click.option("--seeds", type=click.IntRange(min=1), default=1, help="Number of seeds: N takes 0 to N-1.")
@click.option("--backbone", default="", help="Any timm backbone, in place of the profile's.")
@click.option("--backbone-weights", default="", help="File with timm's state dict, in place of the profile's weights.")
@click.option("--cores", default="all", help='Number of cores to use, or "all".')
@click.option(
    "--gpus",
    type=click.IntRange(min=0),
    help="GPUs to share; on a cluster, 1: each training asks for one, 0: for none.  [default: those visible here]",
)
@click.option("--gpu-slots", type=click.IntRange(min=1), help="Trainings side by side on one GPU.  [default: 1]")
@click.option("--cluster", type=click.Choice(CLUSTERS), help="Where the jobs run: profiles/<name>, docs/scaling.md.")
@click.option(
    "--checkpoint-seconds", type=click.FloatRange(min=0), help="Between a training's checkpoints.  [default: 30]"
)
@click.argument("snakemake", nargs=-1, type=click.UNPROCESSED)
def reproduce(
    cores: str,
    gpu_slots: int | None,
    cluster: str | None,
    snakemake: tuple[str, ...],
    results: Path | None,
    **settings,
) -> None:
    """Train what is not trained yet, then execute every notebook: the graph of the Snakefile.

    Other options are handed on to SNAKEMAKE: -n tells the plan and the hours that it is expected to take.

    Example: sadanet reproduce --profile quick --seeds 3
    """
    from sadanet_lab.paths import ROOT
    from sadanet_lab.reporting.plan import check_settings, graph_folder
    from sadanet_lab.reporting.stored_plan import read_plan, write_settings
    from sadanet_lab.training import devices

    if not (ROOT / "Snakefile").is_file():
        raise BadInput(f"{ROOT}: no Snakefile; expected the project's folder, a checkout")
    settings["results"] = "results" if results is None else _from_here(results)
    if settings["data"] != PHANTOM:
        settings["data"] = _from_here(settings["data"])
    check_settings(str(settings["results"]), *(settings[name] for name in ("data", "profile", "seeds")))
    if gpu_slots is not None:
        os.environ["GPU_SLOTS"] = str(gpu_slots)  # read by every job, which takes a free slot
    if settings["gpus"] is None:
        settings["gpus"] = devices.planned_devices()
    folder = graph_folder(*(str(settings[key]) for key in ("results", "data", "profile")))
    first = [f"{folder}/{name}.json" for name in read_plan(settings["profile"], settings["seeds"]).first]
    command = [sys.executable, "-m", "snakemake", "--quiet", "rules", "host", "reason"]
    if cluster is None:
        command += ["--cores", cores, "--resources", f"gpu={settings['gpus'] * devices.slots()}"]
    else:
        command += ["--workflow-profile", f"profiles/{cluster}"]
    given = {name: value for name, value in settings.items() if value not in ("", None)}
    command += [*snakemake, "--configfile", str(write_settings(given))]
    # The notebooks that wait for most, or take longest: begun last, they would run on when all else is done.
    process = subprocess.Popen(
        [*command, "--prioritize", *first], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None  # it is a pipe
    try:
        show_progress(process.stdout)
    except BaseException:
        process.terminate()  # Snakemake waits for its jobs, which end with the group or keep what they have
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:  # seen once of a Snakemake that was interrupted as it started
            process.kill()
        raise
    if process.wait() != 0:
        raise Failed("reproduce: some jobs failed, see the lines above; run the same command again to continue")


def _from_here(path: str | Path) -> str:
    """A path of the shell's folder; in the project's own, where every job starts, it stays as it is."""
    from sadanet_lab.paths import ROOT

    return str(path if Path.cwd() == ROOT else Path(path).absolute())


def show_progress(lines: Iterable[str]) -> None:
    """Print Snakemake's lines with its counting put as overall progress: jobs done of all, percent, time left."""
    start = time.monotonic()
    for line in lines:
        line = line.rstrip("\n")
        if found := DONE.match(line):
            done, total = map(int, found.groups())
            seconds = time.monotonic() - start
            left = f", about {minutes(seconds / done * (total - done))} left" if done < total else ""
            line = f"== {done} of {total} jobs done ({100 * done // total} %) after {minutes(seconds)}{left}"
        if not NOISE.match(line):
            click.echo(line)


def minutes(seconds: float) -> str:
    """ "3:05 min"."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d} min"
