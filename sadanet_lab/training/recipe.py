"""A recipe: everything that decides what a training run gives. On the CPU, with as many threads, the same recipe
gives the same weights bit for bit."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sadanet_core.sadanet import AUXILIARY_WEIGHT
from sadanet_lab import methods
from sadanet_lab.errors import BadInput
from sadanet_lab.images.content import LARGEST_MODEL, read_content
from sadanet_lab.methods.shared.method import NetworkSettings
from sadanet_lab.training.profiles import find_profile

VERSION = 4
"""Raised whenever the code changes so that an old recipe would give other weights or files; they are not used then."""
LATER = {"start_sha256": None, "training_images": None, "test_flip": False}
"""Settings that came after runs were stored -> the value that leaves all as it was: with it runs keep their names."""


class Recipe(BaseModel):
    """Settings of one run, frozen and checked. Sizes in pixels; the defaults are the paper's, Sec. IV-B.
    augmentation, rotation_degrees: see ``images.transforms``; auxiliary_weight: see ``sadanet_core.sadanet``.
    gamma: first value of the attention's learned scalar (1: as printed, 0: as the code family); None: there is none.
    margin: black rows put above and below every image, in training and in testing (see ``preparation.add_margin``).
    first_weights: of all convolutions outside the backbone, drawn as the code that each method's authors released draws
    them, or as PyTorch's layers do by themselves; the paper says nothing.
    test_scales: of the picture that a trained network is shown; of several the probabilities are averaged. test_flip:
    whether it is shown the mirror image too, whose logits are averaged with the picture's.
    training_images: the first so many of the training list alone; None: all.
    start: name of the run, or file, whose weights are the first ones, or "shipped"; None: random ones.

    data: fingerprint of the dataset folder. weights_file: where ``weights="file"`` was read from; start_file: where
    those of ``start`` are. Their hashes, not their places, are part of the digest. Make one with ``make_recipe``, which
    turns a fault into one line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: int = VERSION
    method: str
    head: str | None = None
    normalisation: str | None = None
    gamma: float | None = None
    loss: str = "equation-7"
    profile: str
    data: str
    seed: int = Field(0, ge=0, lt=2**31)

    backbone: str | None
    weights: Literal["none", "imagenet", "file"] = "none"
    weights_file: str | None = None
    weights_sha256: str | None = None
    first_weights: Literal["released", "pytorch"] = "released"
    input_channels: Literal[1, 3] = 3
    width: int = Field(512, ge=16, multiple_of=16)

    image_height: int = Field(2048, ge=32)
    image_width: int = Field(512, ge=32)
    margin: int = Field(0, ge=0, multiple_of=16)
    patch_height: int = Field(512, ge=32)
    patch_width: int = Field(256, ge=32)
    framing: Literal["stretch", "fit"] = "stretch"
    augmentation: Literal["paper", "upright", "rescaled", "randomised"] = "paper"
    rotation_degrees: float = Field(20.0, ge=0, le=90)

    start: str | None = None
    start_file: str | None = Field(None, exclude=True)
    start_sha256: str | None = None

    training_images: int | None = Field(None, ge=1)
    batch: int = Field(4, ge=2)
    iterations: int = Field(160_000, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    final_learning_rate: float = Field(5e-6, gt=0)
    weight_decay: float = Field(5e-4, ge=0)
    lambda_dice: float = Field(3.0, ge=0)
    auxiliary_weight: float = Field(AUXILIARY_WEIGHT, ge=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    test_scales: tuple[float, ...] = (1.0,)
    test_flip: bool = False

    @model_validator(mode="before")
    @classmethod
    def _of_older_version(cls, settings: Any) -> Any:
        """Runs of versions before 4 had no choice: gamma started at 0 and most layers as PyTorch's do."""
        if isinstance(settings, dict) and settings.get("version", VERSION) < 4 and "gamma" not in settings:
            gamma = None if methods.find_method(settings["method"]).gamma is None else 0.0
            return settings | {"gamma": gamma, "first_weights": "pytorch"}
        return settings

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        method = methods.find_method(self.method)
        for what, choices in method.choices.items():
            found = getattr(self, what)
            if choices and found not in choices:
                raise ValueError(f"{what} {found!r} is unknown to {self.method}; expected {' or '.join(choices)}")
            if not choices and found is not None:
                raise ValueError(f"{what} {found!r}: {self.method} has no choice of it; expected none")
        if (self.gamma is None) != (method.gamma is None):
            expected = "none: it has no such scalar" if method.gamma is None else "a number"
            raise ValueError(f"gamma {self.gamma}: {self.method} expected {expected}")
        if self.start_sha256 is not None and self.weights != "none":
            raise ValueError("start: its weights are all the network's; expected no backbone weights beside it")
        if not self.test_scales or not all(0.25 <= scale <= 4 for scale in self.test_scales):
            raise ValueError(f"test_scales {self.test_scales}: expected one or more, each from 0.25 to 4")
        if self.patch_height > self.image_height or self.patch_width > self.image_width:
            raise ValueError(
                f"patch of {self.patch_width} x {self.patch_height} pixels; expected one no larger than the image, "
                f"{self.image_width} x {self.image_height}"
            )
        patch, image = (self.patch_height, self.patch_width), (self.image_height, self.image_width)
        if self.augmentation == "randomised" and (patch != image or self.margin):
            raise ValueError("augmentation 'randomised' shows whole images; expected a patch of their size, no margin")
        return self

    @property
    def digest(self) -> str:
        """12 hex digits over every setting that decides the result."""
        settings = self.model_dump(exclude={"weights_file", "start"})
        for name, neutral in LATER.items():
            if settings[name] == neutral:
                del settings[name]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return f"{self.method}-{self.digest}"

    def network_settings(self) -> NetworkSettings:
        weights = self.weights_file if self.weights == "file" else self.weights
        assert weights is not None  # "file" comes with one
        largest = max(1.0, *self.test_scales)
        return NetworkSettings(
            self.backbone,
            weights,
            self.input_channels,
            self.width,
            self.head,
            self.normalisation,
            self.gamma,
            self.auxiliary_weight,
            image_height=round((self.image_height + 2 * self.margin) * largest),
            image_width=round(self.image_width * largest),
        )

    def bare_network_settings(self) -> NetworkSettings:
        """``network_settings`` without the backbone's weights: for a network that is given others, or none at all."""
        return self.model_copy(update={"weights": "none"}).network_settings()


def make_recipe(method: str, profile_name: str, data: str, weights_file: Path | None = None, **changes) -> Recipe:
    """The recipe of a method in a profile, with single settings changed; raises ``BadInput`` with the first fault.

    weights_file: backbone weights on disk, in place of what the profile asks for. changes: None leaves a setting; three
    more than the recipe has are ``length``, the share of the profile's iterations, ``image``, (width, height) of the
    image, and of the patch where that is the whole image, and ``patch``, (width, height) of the patch alone.
    """
    chosen = find_profile(profile_name)
    settings = {
        key: chosen[key]
        for key in (
            *("margin", "framing", "augmentation", "backbone", "weights", "first_weights"),
            *("input_channels", "width", "batch", "iterations", "precision"),
        )
    }
    for what in ("image", "patch"):
        settings |= {f"{what}_{side}": size for side, size in chosen[what].items()}
    if weights_file is not None:
        settings |= {"weights": "file", "weights_file": str(weights_file), "weights_sha256": sha256_of(weights_file)}
    found = methods.find_method(method)
    settings |= {what: choices[0] for what, choices in found.choices.items() if choices} | {"gamma": found.gamma}
    settings |= {what: value for what, value in changes.items() if value is not None}
    if "start_sha256" in settings and weights_file is None:
        settings |= {"weights": "none"}
    if "image" in settings:
        size = dict(zip(("width", "height"), settings.pop("image"), strict=True))
        is_whole = all(settings[f"patch_{side}"] == settings[f"image_{side}"] for side in size)
        settings |= {f"{what}_{side}": size[side] for what in ("image", *["patch"] * is_whole) for side in size}
    if "patch" in settings:
        settings |= dict(zip(("patch_width", "patch_height"), settings.pop("patch"), strict=True))
    settings["iterations"] = max(1, round(settings["iterations"] * settings.pop("length", 1)))
    if not found.uses_backbone:
        settings |= {"backbone": None, "weights": "none", "weights_file": None, "weights_sha256": None}
    try:
        return Recipe(method=method, profile=profile_name, data=data, **settings)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        message = fault["msg"].removeprefix("Value error, ")
        raise BadInput(f"{where}: found {fault['input']!r}; {message}" if where else message) from None


def sha256_of(path: Path) -> str:
    """Of a file of weights; raises ``BadInput`` if it cannot be read."""
    return hashlib.sha256(read_weights(path)).hexdigest()


def read_weights(path: Path) -> bytes:
    """A file of weights as it is; raises ``BadInput`` if it cannot be read."""
    return read_content(path, "weights", LARGEST_MODEL)
