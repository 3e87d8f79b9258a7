"""A trained network asked for one image after the other: label map and curve angles."""

from dataclasses import dataclass

import numpy as np
from torch import nn

from sadanet_lab.inference.segmentation import PictureSettings, labels_of
from sadanet_lab.spine.curve_angles import Measurement, measure_curves


@dataclass(frozen=True)
class Segmentation:
    """What a network makes of one image."""

    labels: np.ndarray
    """uint8 (H, W), ids 0..3."""
    measurement: Measurement


class Segmenter:
    """``averaged`` over sideways flips and three scales: six times slower. The network is in evaluation mode."""

    def __init__(self, network: nn.Module, settings: PictureSettings, averaged: bool = False):
        self.network, self.settings, self.averaged = network, settings, averaged

    def __call__(self, image: np.ndarray) -> Segmentation:
        """image: grey uint8 (H, W), of any size."""
        labels = labels_of(self.network, image, self.settings, self.averaged)
        return Segmentation(labels, measure_curves(labels))
