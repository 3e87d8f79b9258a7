"""What ``make reproduce`` does, read off the notebooks: their order, what each must have trained, what goes first.

A notebook that has a parameter ``methods`` needs those trained, with every value of the lists in ``SWEPT`` and every
seed of ``seeds``, or ``seed``, or 0; trainings of another length than the whole with ``seed``, or 0, alone. One that
has ``choices`` also needs each of these (see ``training.choices``) with every seed of ``choice_seeds``. So a new
method, lambda or notebook is known here without another word.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from sadanet_lab.errors import BadInput
from sadanet_lab.methods import expand_names, find_method
from sadanet_lab.paths import PHANTOM, PUBLISHED, ROOT, STANDARD, output_folder, resolve
from sadanet_lab.reporting.parameters import check_data, list_notebooks, parameters_of, read_notebook
from sadanet_lab.training.profiles import find_profile, gives_verdicts

SWEPT = {"lambdas": "lambda_dice", "normalisations": "normalisation", "lengths": "length"}
"""Parameter of a notebook -> the setting of ``make_recipe`` that its list sweeps."""
WHOLE_LENGTH = 1.0
MOST_SEEDS = 1000
PLAIN = re.compile(r"[\w./+-]+", re.ASCII)
"""A path that means the same to Snakemake, to a shell and to a person."""
PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Training:
    """A training that notebooks need; two that would give the same run are equal."""

    method: str
    settings: tuple[tuple[str, str | float], ...]
    """Name and value of each setting that is not the method's own."""

    @property
    def name(self) -> str:
        """Such as "sadanet" or "sadanet_lambda-dice-2.5"."""
        return "_".join([self.method, *(f"{_dashed(name)}-{value}" for name, value in self.settings)])

    @property
    def options(self) -> list[str]:
        """Of ``sadanet train``."""
        return ["--method", self.method, *(word for n, v in self.settings for word in (f"--{_dashed(n)}", str(v)))]


@dataclass(frozen=True)
class PlannedNotebook:
    """A notebook as the plan sees it."""

    path: Path

    @cached_property
    def parameters(self) -> dict[str, Any]:
        return parameters_of(self.path)

    @cached_property
    def goes_first(self) -> bool:
        """Whether it takes long or waits for most (``"sadanet": {"first": true}`` in its metadata)."""
        return bool(read_notebook(self.path).metadata.get("sadanet", {}).get("first"))

    @cached_property
    def is_of_verdicts(self) -> bool:
        """Whether it trains only where runs give verdicts (``"sadanet": {"verdicts": true}`` in its metadata).

        Elsewhere it shows the committed reference.
        """
        return bool(read_notebook(self.path).metadata.get("sadanet", {}).get("verdicts"))

    def jobs(self, profile: str, seeds: Sequence[int]) -> list[tuple[Training, int]]:
        """What it must have trained in a profile, and with which seed; seeds: those asked for."""
        if self.is_of_verdicts and not gives_verdicts(profile):
            return []
        one = [self.parameters.get("seed", 0)]
        every = list(seeds) if "seeds" in self.parameters else one
        of_tables = [
            (each, s) for each in self._trainings() for s in (one if "length" in dict(each.settings) else every)
        ]
        return list(dict.fromkeys(of_tables + self._jobs_of_choices()))

    def _trainings(self) -> list[Training]:
        sweeps = [
            [(SWEPT[name], value) for value in self.parameters[name]] for name in SWEPT if name in self.parameters
        ]
        return [
            Training(method, tuple(setting for setting in chosen if not _is_own(method, *setting)))
            for method in expand_names(self.parameters.get("methods", []))
            for chosen in product(*sweeps)
        ]

    def _jobs_of_choices(self) -> list[tuple[Training, int]]:
        from sadanet_lab.training.choices import read_choice  # loads torch, which a plan that is stored does not need

        return [
            (Training(choice.method, tuple(settings.items())), seed)
            for choice in map(read_choice, self.parameters.get("choices", []))
            for settings in (choice.settings, choice.kept)
            for seed in choice.seeds(self.parameters.get("choice_seeds", [0]))
        ]


def check_settings(results: str, data: str, profile: str, seeds: int) -> None:
    """Raises ``BadInput`` for what no job could work with; see ``parameters.check_data``."""
    find_profile(profile)
    check_data(results, data, profile)
    if not 1 <= seeds <= MOST_SEEDS:
        raise BadInput(f"seeds: found {seeds}; expected how many, 1 to {MOST_SEEDS}")


def plan_notebooks() -> dict[str, PlannedNotebook]:
    """Stem -> notebook."""
    return {path.stem: PlannedNotebook(path) for path in list_notebooks()}


def plan_trainings(notebooks: Iterable[PlannedNotebook], profile: str) -> dict[str, Training]:
    """Name -> each training that any of the notebooks needs, those of notebooks that go first in front."""
    ordered = sorted(notebooks, key=lambda notebook: not notebook.goes_first)
    return {training.name: training for notebook in ordered for training, _ in notebook.jobs(profile, [0])}


def trainings_of_tables(profile: str) -> Counter[str]:
    """Method -> its trainings for Tables I, II and IV and one seed, as their notebooks plan them."""
    tables = [notebook for stem, notebook in plan_notebooks().items() if re.search(r"_table[124]_", stem)]
    return Counter(training.method for training in plan_trainings(tables, profile).values())


def graph_folder(results: str, data: str, profile: str) -> str:
    """``output_folder`` by a path that Snakemake can take, relative to the project's folder.

    Snakemake reads braces in a path as wildcards. A folder whose name has these or other signs of a language in it is
    reached by a link with a plain name. The folder is made first: a link to nothing would be in the way.
    """
    folder = output_folder(results, data, profile)
    path = str(folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder)
    if PLAIN.fullmatch(path):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    link = ROOT / ".snakemake" / "folders" / hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        link.symlink_to(folder.absolute())
    return str(link.relative_to(ROOT))


def data_digest(data: str) -> str:
    """Of what is in a dataset folder, by name, size and time of change; "" of the phantoms.

    One word for all its files: with a thousand jobs, each with every image as its input, Snakemake counts for minutes.
    """
    if data == PHANTOM:
        return ""
    folder = resolve(data)
    files = ((path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file())
    known = [f"{path.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}" for path, stat in files]
    return hashlib.sha256("\0".join(known).encode(errors="surrogateescape")).hexdigest()


def code_digest() -> str:
    """Of what notebooks run on beside their trainings: the packages, the published tables, the committed reference."""
    sources = [path for package in (PACKAGE, PACKAGE.with_name("sadanet_core")) for path in package.rglob("*")]
    files = [path for path in sources if path.is_file() and "__pycache__" not in path.parts]
    files += [*PUBLISHED.glob("*.csv"), *STANDARD.glob("*.json"), *STANDARD.glob("runs/*/*.csv")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()


def _is_own(method: str, setting: str, value: str | float) -> bool:
    from sadanet_lab.training.recipe import Recipe

    if setting == "length":
        return value == WHOLE_LENGTH
    choices = find_method(method).choices.get(setting)
    return value == (choices[0] if choices else Recipe.model_fields[setting].default)


def _dashed(name: str) -> str:
    return name.replace("_", "-")
