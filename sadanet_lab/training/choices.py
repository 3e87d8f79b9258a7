"""What else might have been chosen: a method's training with a setting changed, beside the one that keeps it."""

import ast
from pathlib import Path
from typing import Any

from sadanet_lab.errors import BadInput
from sadanet_lab.images.vpi_folder import VpiFolder
from sadanet_lab.training.recipe import Recipe, make_recipe
from sadanet_lab.training.run_store import get_or_train_each
from sadanet_lab.training.runs import Run

CHOSEN = ("head", "normalisation", "gamma", "loss", "lambda_dice", "augmentation", "margin", "first_weights")
"""Settings whose own value comes from the method or the profile, and which such a choice may change."""


def read_choice(text: str) -> tuple[str, dict[str, Any]]:
    """(method, settings) of a choice in a notebook: "sadanet gamma=0", "rsnu loss=total-variation-1 length=0.5".

    Raises ``BadInput`` for a word of another form, or a setting that is neither in ``CHOSEN`` nor length.
    """
    method, *words = text.split() or [""]
    settings = {}
    for word in words:
        name, is_one, value = word.partition("=")
        if not is_one or name not in (*CHOSEN, "length"):
            raise BadInput(f"choice {text!r}: found {word!r}; expected setting=value of {', '.join(CHOSEN)} or length")
        settings[name] = _number_or_text(value)
    return method, settings


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

    given: backbone_weights and backbone, as in ``run_store.get_or_train_each``, whose errors this raises too.
    """
    runs: dict[str, Run] = {}
    for text in choices:
        method, settings = read_choice(text)
        for changes in (settings, {name: value for name, value in settings.items() if name == "length"}):
            for run in get_or_train_each([method], seeds, profile, data, results, *given, **changes):
                runs[run.folder.name] = run
    return list(runs.values())
