"""README and docs/: short, no dead link, commands and options that exist, the numbers of committed results."""

import json
import re
import shlex

import click
import pandas as pd
import pytest
import torch

from sadanet_core import Backbone, SADANet
from sadanet_lab.cli import main
from sadanet_lab.methods import find_method
from sadanet_lab.paths import ROOT
from sadanet_lab.spine.judgement import SHARE
from sadanet_lab.training.evaluation import ONE_HOT
from sadanet_lab.training.runs import open_run

README = (ROOT / "README.md").read_text()
ONE_LINE = " ".join(README.split())
RESULTS = (ROOT / "docs" / "results.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NUMBER = r"\d+(?:\.\d+)?"
QUICK = ROOT / "results" / "reference" / "quick-cpu"


def commands(text: str) -> list[list[str]]:
    """The words of each ``sadanet ...`` that stands in a block of commands or between backticks; comments cut off."""
    blocks = re.sub(r"\\\n\s*", "", text)
    lines = [line for line in blocks.splitlines() if line.startswith("    ")]
    found = [line for line in lines if re.match(r" +(\.venv/bin/)?sadanet ", line)]
    found += re.findall(r"`((?:\.venv/bin/)?sadanet [^`]+)`", blocks.replace("\n", " "))
    return [shlex.split(line, comments=True)[1:] for line in found if "..." not in line and "|" not in line]


def test_the_readme_can_be_read_at_one_sitting():
    assert len(README.split()) <= 1300


def test_the_share_that_intervals_hold_is_told_as_it_is():
    told = f"{10 * SHARE:g} of 10"
    pages = (README, (ROOT / "docs" / "predict.md").read_text(), main.commands["calibrate"].help)
    assert all(told in " ".join(page.split()) for page in pages)


def test_its_python_runs(monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(code, names)
    assert names["logits"].shape == (2, 4, 64, 128)
    assert len(names["maps"]) == 2  # GCA and SCA; SAA is not run in evaluation
    assert all(one.grad is not None for one in names["network"].parameters())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [to for to in targets if not to.startswith("http") and not (page.parent / to).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_and_their_options_exist(page):
    for words in commands(page.read_text()):
        command = main.get_command(click.Context(main), words[0])
        assert command, words
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        asked = {word.partition("=")[0] for word in words[1:] if word.startswith("-") and word != "--"}
        others = {"--help"} if words[0] != "reproduce" else asked  # what it does not know is snakemake's
        assert asked <= known | others, words


def test_targets_and_settings_of_make_exist():
    rules = (ROOT / "Makefile").read_text()
    settings = {*re.search(r"^SETTINGS = (.*)$", rules, re.MULTILINE)[1].split(), "APP", "PYTHON", "TESTERS"}
    for page in PAGES:
        for line in re.findall(r"(?:^ +|`)make ([^`\n#]+)", page.read_text(), re.MULTILINE):
            for word in shlex.split(line):
                name, equals, _ = word.partition("=")
                assert name in settings if equals else re.search(rf"^{name}:", rules, re.MULTILINE), (page.name, line)


def test_every_notebook_stands_in_its_table_with_the_numbers_of_its_committed_conclusions():
    rows = dict(re.findall(r"^\| (\d\d_\w+) \| [^|]* \| ([^|]*) \|$", README, re.MULTILINE))
    assert sorted(rows) == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    for name, answer in rows.items():
        said = [each["says"] for each in json.loads((QUICK / f"{name}.json").read_text())["conclusions"]]
        asked = {*re.findall(NUMBER, answer)}
        assert any(asked <= {*re.findall(NUMBER, one)} for one in said), (name, answer)


def test_the_findings_are_those_of_committed_results():
    table = pd.read_csv(QUICK / "complexity.csv").fillna("").set_index(["method", "head"])
    text, larger = table.loc["sadanet", "text"], table.loc["sadanet", "table3"]
    assert f"{text.parameters:,} parameters and {text.paper_macs / 1e9:.2f} G multiply-adds" in ONE_LINE
    assert f"{larger.paper_macs / 1e9:.2f} G of its SADANet row" in ONE_LINE
    costs = pd.read_csv(QUICK / "attention_costs.csv").query("image_height == 2048").set_index("attention").macs / 1e9
    assert f"costs {costs['PAM']:.1f} G multiply-adds" in ONE_LINE
    assert f"twice, {costs['SCA x 2']:.1f} G" in ONE_LINE
    rows = pd.read_csv(QUICK / "eq3_saturation.csv").query("normalisation == 'softmax' and network == 'trained'")
    assert f"{100 * (rows.largest >= ONE_HOT).mean():.0f} % of the rows of GCA's map are one-hot" in ONE_LINE


def test_the_snippets_network_is_the_text_s():
    with torch.device("meta"):
        network = SADANet(Backbone("resnet50c"))
    assert f"{sum(one.numel() for one in network.parameters()):,}" in README


def test_the_times_of_training_are_those_of_committed_runs():
    page = (ROOT / "docs" / "scaling.md").read_text()
    shown = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+\.\d) \| (\d+\.\d) \|$", page, re.MULTILINE)
    tables = [
        json.loads((QUICK / f"{name}.json").read_text()) for name in ("01_table1_comparison", "02_table2_ablation")
    ]
    measured = []
    for name in {name for told in tables for name in told["findings"]["runs"]}:
        run = open_run(QUICK / "runs" / name)
        seconds = [run.environment[f"{what}_seconds"] for what in ("training", "testing")]
        step = 1000 * seconds[0] / run.recipe.iterations
        measured.append((find_method(run.recipe.method).title, f"{step:.0f}", *map(str, seconds)))
    assert sorted(shown) == sorted(measured)


def test_of_the_shipped_model_it_says_what_its_card_says():
    card = (ROOT / "sadanet_lab" / "shipped" / "README.md").read_text()
    (dice, degrees) = re.search(r"\| 200 others of the usual .*\| ([\d.]+) \| ([\d.]+) degrees", card).groups()
    assert f"mean bone Dice {dice}, largest curve angle off by {float(degrees):.1f} degrees" in ONE_LINE
