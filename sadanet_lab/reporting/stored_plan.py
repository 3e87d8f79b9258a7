"""What the Snakefile reads: the settings it is given, and the plan of the graph, each in a file.

A cluster's jobs read the Snakefile twice each, and need not load torch to know the plan. It is kept under the profile
and the number of seeds, and made anew once the code or a notebook differs.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sadanet_lab.files import writable_folder, write_atomically
from sadanet_lab.paths import ROOT
from sadanet_lab.reporting.plan import Training, code_digest, plan_notebooks, plan_trainings

FOLDER = ROOT / ".snakemake" / "plans"


def write_settings(settings: dict[str, Any]) -> Path:
    """A file of the Snakefile's settings, for Snakemake's ``--configfile``.

    Of ``--config`` Snakemake takes a folder's name such as 010 or [a] for a number or a list, and hands it to shells
    on a cluster, which run what stands in backticks.
    """
    content = json.dumps(settings, indent=2) + "\n"
    path = FOLDER / f"settings-{hashlib.sha256(content.encode()).hexdigest()[:12]}.json"
    write_atomically(writable_folder(FOLDER) / path.name, content)
    return path


@dataclass(frozen=True)
class StoredPlan:
    """What the Snakefile asks of ``plan``; plain values."""

    code: str
    """``plan.code_digest``."""
    versions: list[int]
    """Of recipe, phantoms and evaluation."""
    trainings: dict[str, Training]
    """By name, those of notebooks that go first in front."""
    parameters: dict[str, list[str]]
    """Notebook -> names of its parameters."""
    jobs: dict[str, list[tuple[str, int]]]
    """Notebook -> (training, seed) of each that it must have."""
    first: list[str]
    """Notebooks that take long or wait for most."""

    def options(self, notebook: str, given: dict[str, str]) -> list[str]:
        """Of ``sadanet run``: those of the given parameters that the notebook has and that say something."""
        return [w for n, text in given.items() if n in self.parameters[notebook] and text for w in ("-p", n, text)]


def read_plan(profile: str, seeds: int) -> StoredPlan:
    """The plan of a profile with so many seeds, from its file if that is of this code."""
    path = FOLDER / f"{profile}-{seeds}.json"
    code = code_digest()
    state = hashlib.sha256("".join([code, *_notebooks()]).encode()).hexdigest()
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError):
        stored = {}
    if stored.get("state") != state:
        stored = {"state": state, "code": code, **_make(profile, seeds)}
        writable_folder(FOLDER)
        write_atomically(path, json.dumps(stored) + "\n")
    trainings = [
        Training(method, tuple((name, value) for name, value in settings)) for method, settings in stored["trainings"]
    ]
    return StoredPlan(
        stored["code"],
        stored["versions"],
        {training.name: training for training in trainings},
        stored["parameters"],
        {notebook: [(name, seed) for name, seed in jobs] for notebook, jobs in stored["jobs"].items()},
        stored["first"],
    )


def _make(profile: str, seeds: int) -> dict:
    from sadanet_lab.phantom import VERSION as PHANTOM_VERSION
    from sadanet_lab.training.evaluation import VERSION as EVALUATION_VERSION
    from sadanet_lab.training.recipe import VERSION as RECIPE_VERSION

    notebooks = plan_notebooks()
    jobs = {name: notebook.jobs(profile, range(seeds)) for name, notebook in notebooks.items()}
    return {
        "versions": [RECIPE_VERSION, PHANTOM_VERSION, EVALUATION_VERSION],
        "trainings": [(t.method, t.settings) for t in plan_trainings(notebooks.values(), profile).values()],
        "parameters": {name: list(notebook.parameters) for name, notebook in notebooks.items()},
        "jobs": {name: [(training.name, seed) for training, seed in each] for name, each in jobs.items()},
        "first": [name for name, notebook in notebooks.items() if notebook.goes_first],
    }


def _notebooks() -> list[str]:
    return [path.read_text() for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
