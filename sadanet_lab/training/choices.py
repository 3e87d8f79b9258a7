"""What else might have been chosen: a method's training with a setting changed, beside the one that keeps it."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sadanet_lab.errors import BadInput
from sadanet_lab.images.vpi_folder import VpiFolder
from sadanet_lab.training.recipe import Recipe, make_recipe
from sadanet_lab.training.run_store import get_or_train_each
from sadanet_lab.training.runs import Run

CHOSEN = ("head", "normalisation", "gamma", "loss", "lambda_dice", "augmentation", "margin", "first_weights")
"""Settings whose own value comes from the method or the profile, and which such a choice may change."""


@dataclass(frozen=True)
class Choice:
    """A changed training of a notebook."""

    method: str
    settings: dict[str, Any]
    """Of ``CHOSEN``, and length, the share of the profile's iterations."""
    own_seeds: int | None = None
    """How many, from 0 on; None: those that the notebook names for all."""

    def seeds(self, of_all: list[int]) -> list[int]:
        """Those it is trained with; of_all: those that the notebook names."""
        return of_all if self.own_seeds is None else list(range(self.own_seeds))

    @property
    def kept(self) -> dict[str, Any]:
        """Its settings without the change: those of the training it is compared with."""
        return {name: value for name, value in self.settings.items() if name == "length"}


def read_choice(text: str) -> Choice:
    """A choice as a notebook writes it: "sadanet gamma=0 seeds=5", "rsnu loss=total-variation-1 length=0.5".

    Raises ``BadInput`` for a word of another form, a setting that is neither in ``CHOSEN`` nor length or seeds, or
    seeds that are no number from 1 on.
    """
    method, *words = text.split() or [""]
    settings = {}
    for word in words:
        name, is_one, value = word.partition("=")
        if not is_one or name not in (*CHOSEN, "length", "seeds"):
            expected = f"setting=value of {', '.join(CHOSEN)}, length or seeds"
            raise BadInput(f"choice {text!r}: found {word!r}; expected {expected}")
        settings[name] = _number_or_text(value)
    seeds = settings.pop("seeds", None)
    if seeds is not None and (type(seeds) is not int or seeds < 1):
        raise BadInput(f"choice {text!r}: found seeds {seeds!r}; expected how many, 1 or more")
    return Choice(method, settings, seeds)


def _number_or_text(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def own_recipe(recipe: Recipe) -> Recipe:
    """The recipe with every setting of ``CHOSEN`` as the method or the profile has it; as long, of the same seed."""
    own = make_recipe(recipe.method, recipe.profile, recipe.data)
    return recipe.model_copy(update={name: getattr(own, name) for name in CHOSEN})


def changed_settings(recipe: Recipe) -> dict[str, Any]:
    """Those in which a recipe differs from its own."""
    own = own_recipe(recipe)
    return {name: getattr(recipe, name) for name in CHOSEN if getattr(recipe, name) != getattr(own, name)}


def train_choices(
    choices: list[str], seeds: list[int], profile: str, data: VpiFolder, results: str | Path, *given: str
) -> list[Run]:
    """The runs of every choice and, beside them, of the same trainings without the change; each once.

    seeds: of the choices that do not say how many they have. given: backbone_weights and backbone, as in
    ``run_store.get_or_train_each``, whose errors this raises too.
    """
    where = profile, data, results, *given
    runs: dict[str, Run] = {}
    for choice in [read_choice(text) for text in choices]:  # a fault in the last one shows before the first is trained
        for changes in (choice.settings, choice.kept):
            for run in get_or_train_each([choice.method], choice.seeds(seeds), *where, **changes):
                runs[run.folder.name] = run
    return list(runs.values())
