"""What the jobs of the graph are expected to take, by what jobs like them took whose results are stored.

A training is like another of the same method, profile and backbone; its seconds go by its iterations. A notebook is
like itself in the same profile. The results folder's own come first, the committed reference's where it has none. Other
data may take longer to test, another device another time: so more is asked of a cluster than is expected
(``minutes_to_ask``), and a training that is cut all the same goes on from its checkpoint.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

from sadanet_lab.paths import ROOT, resolve
from sadanet_lab.reporting.plan import Training
from sadanet_lab.training.profiles import find_profile

UNKNOWN_MINUTES = 24 * 60
"""Asked of a cluster for a job of which nothing is stored."""
UNKNOWN_MEMORY_MB = 16_000
"""The same of memory, for a result stored before memory was."""
SPARE_MINUTES, SPARE_MEMORY_MB = 10, 1_000
"""On top of twice the expected time and of the expected memory: a cold file system, larger test images."""


@dataclass(frozen=True)
class Cost:
    """Of one job: the median of those like it."""

    seconds: float
    memory_mb: float | None
    """The most main memory that a process of it held; None: not stored."""
    device: str
    """Where the last of those like it ran."""

    @property
    def hours(self) -> float:
        return self.seconds / 3600


class Costs:
    """The expected costs of a profile's jobs; what is stored is read once, when it is first asked for."""

    def __init__(self, profile: str, results: str | Path, backbone: str = ""):
        self.profile = profile
        self.backbone = backbone or find_profile(profile)["backbone"]
        self._folders = resolve(results), *sorted((ROOT / "results" / "reference").glob("*"))

    def of_training(self, training: Training) -> Cost | None:
        """None: no run like it is stored."""
        runs = self._runs.get(training.method, [])
        if not runs:
            return None
        length = float(dict(training.settings).get("length", 1))
        step = median(run["training_seconds"] / run["iterations"] for run in runs)
        return _cost(runs, step * find_profile(self.profile)["iterations"] * length, "testing_seconds")

    def of_notebook(self, name: str) -> Cost | None:
        """None: no result of it in this profile is stored."""
        results = self._results.get(name, [])
        return _cost(results, 0, "seconds") if results else None

    @cached_property
    def _runs(self) -> dict[str, list[dict]]:
        """Method -> recipe and environment of each stored run of it, in one, in the first folder that has some."""
        return _first_of(self._runs_in(folder) for folder in self._folders)

    @cached_property
    def _results(self) -> dict[str, list[dict]]:
        return _first_of(self._results_in(folder) for folder in self._folders)

    def _runs_in(self, folder: Path) -> Iterator[tuple[str, dict]]:
        for complete in sorted(folder.glob("runs/[!.]*/complete.json")):
            recipe, environment = (_read(complete.with_name(f"{name}.json")) for name in ("recipe", "environment"))
            run = recipe | environment
            is_like = run.get("profile") == self.profile and run.get("backbone") in (None, self.backbone)
            if is_like and {"method", "iterations", "training_seconds", "testing_seconds"} <= run.keys():
                yield run["method"], run

    def _results_in(self, folder: Path) -> Iterator[tuple[str, dict]]:
        for path in sorted([*folder.glob(f"*-{self.profile}/*.json"), *folder.glob("[0-9]*.json")]):
            result = _read(path)
            if "seconds" in result and result.get("parameters", {}).get("profile") == self.profile:
                yield path.stem, result.get("environment", {}) | {"seconds": result["seconds"]}


def minutes_to_ask(cost: Cost | None, attempt: int = 1) -> int:
    """Of a cluster, for an attempt from 1 on; each asks for more, for the job that took longer than those like it."""
    return attempt * (UNKNOWN_MINUTES if cost is None else SPARE_MINUTES + round(2 * cost.seconds / 60))


def memory_to_ask(cost: Cost | None, attempt: int = 1) -> int:
    """MB of main memory."""
    if cost is None or cost.memory_mb is None:
        return attempt * UNKNOWN_MEMORY_MB
    return attempt * (SPARE_MEMORY_MB + round(cost.memory_mb))


def tell_hours(jobs: Sequence[tuple[str, Cost | None]]) -> list[str]:
    """Lines for people: what each kind of job is expected to take, and all; jobs: (kind, cost) of each."""
    kinds: dict[str, list[Cost | None]] = defaultdict(list)
    for kind, cost in jobs:
        kinds[kind].append(cost)
    wide = max(map(len, kinds), default=0)
    lines = [f"{'expected':{wide}}  jobs  hours each  as measured on"]
    for kind, costs in kinds.items():
        cost = costs[0]
        each = "not known: none like it is stored" if cost is None else f"{cost.hours:10.3f}  {cost.device}"
        lines.append(f"{kind:{wide}}  {len(costs):4d}  {each}")
    known = [cost.hours for _, cost in jobs if cost is not None]
    unknown = f", and {len(jobs) - len(known)} of which none like it is stored" if len(known) < len(jobs) else ""
    return [*lines, f"in all: {sum(known):.2f} hours, one after another, of {len(known)} jobs{unknown}"]


def _cost(like: list[dict], seconds: float, more: str) -> Cost:
    memory = [each["memory_mb"] for each in like if each.get("memory_mb")]
    last = max(like, key=lambda each: each.get("finished", ""))
    return Cost(
        seconds + median(each[more] for each in like),
        max(memory, default=None),
        last.get("device", "an unknown device"),
    )


def _first_of(folders: Iterable[Iterable[tuple[str, dict]]]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for pairs in folders:
        here = defaultdict(list)
        for name, each in pairs:
            here[name].append(each)
        found = dict(here) | found
    return found


def _read(path: Path) -> dict:
    """A JSON object; an empty one for a file that holds none: whoever opens the run says what is wrong with it."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
