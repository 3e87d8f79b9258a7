"""A trained network asked for one image after the other: label map and curve angles. Whatever library computes it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import softmax

from sadanet_lab.errors import BadInput
from sadanet_lab.inference.framing import PictureSettings, at_full_size, network_input
from sadanet_lab.inference.limits import Limits
from sadanet_lab.spine.curve_angles import Measurement, measure_curves
from sadanet_lab.spine.judgement import Judgement

SCALES = (0.9, 1.0, 1.1)
"""Of the picture that the network sees, when several views are averaged on request."""


class Model(Protocol):
    """A trained network and how its pictures are made: ``onnx_model.OnnxModel``, ``segmentation.TorchModel``."""

    @property
    def settings(self) -> PictureSettings: ...
    @property
    def identity(self) -> str:
        """Of two models that may give different logits it is not the same."""
        ...

    @property
    def limits(self) -> Limits | None:
        """What is known of how far its answers can be trusted, if anything is."""
        ...

    def logits(self, picture: np.ndarray) -> np.ndarray:
        """float32 (1, channels, h, w), normalised -> float32 (1, classes, h, w)."""
        ...


@dataclass(frozen=True)
class Segmentation:
    """What a network makes of one image."""

    labels: np.ndarray
    """uint8 (H, W), ids 0..3."""
    measurement: Measurement
    judgement: Judgement | None = None
    """How far the measurement can be trusted; None where nothing is known of it."""


class Segmenter:
    """As the model's settings say it is tested; ``averaged``: over mirror images and ``SCALES``, six views.

    The model's limits were learned of single views; of averaged ones nothing is judged.
    """

    def __init__(self, model: Model, averaged: bool = False):
        self.model, self.limits = model, None if averaged else model.limits
        self.scales = SCALES if averaged else model.settings.test_scales
        self.flip = averaged or model.settings.test_flip

    def __call__(self, image: np.ndarray) -> Segmentation:
        """image: grey uint8 (H, W), of any size."""
        logits = self.logits(image)
        labels = logits.argmax(0).astype(np.uint8)
        found = measure_curves(labels)
        return Segmentation(labels, found, None if self.limits is None else self.limits.judge(image, logits, found))

    def logits(self, image: np.ndarray) -> np.ndarray:
        """Logits (classes, H, W) in float32 of a grey image uint8 (H, W): see ``segmentation.logits_of``."""
        if len(self.scales) == 1:
            return self._logits_at(image, self.scales[0])
        probability = sum(softmax(self._logits_at(image, scale), axis=0) for scale in self.scales) / len(self.scales)
        with np.errstate(divide="ignore"):  # a class that is out of the question at every scale
            return np.log(probability)

    def _logits_at(self, image: np.ndarray, scale: float) -> np.ndarray:
        logits = self._logits_seen(image, scale)
        if self.flip:
            logits = (logits + self._logits_seen(image[:, ::-1], scale)[..., ::-1]) / 2
        if not np.isfinite(logits).all():
            raise BadInput("the network's logits are not finite numbers; expected a sound model: see `sadanet verify`")
        return at_full_size(logits, image.shape)

    def _logits_seen(self, image: np.ndarray, scale: float) -> np.ndarray:
        framed = network_input(image, self.model.settings, scale)
        return framed.on_image(self.model.logits(framed.picture)[0])
