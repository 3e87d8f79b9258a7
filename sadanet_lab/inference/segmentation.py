"""From an image to its label map with a network in torch, at the image's own resolution: as runs are evaluated.

All is computed in float32, whatever precision the network was trained in: so an exported file finds the same labels.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sadanet_lab.errors import Failed
from sadanet_lab.inference.framing import FramedPicture, PictureSettings, network_input
from sadanet_lab.inference.limits import Limits


def logits_of(network: nn.Module, image: np.ndarray, settings: PictureSettings) -> Tensor:
    """Logits (classes, H, W) in float32 of a grey image uint8 (H, W) of any size, as the settings say it is tested.

    The picture of ``network_input`` is segmented; of the logits, those on the image are brought back to its own
    resolution (bilinear). Where the settings ask for a flip: the mean of the logits with those of the image's mirror
    image, turned back. Where they ask for several scales: the logarithm of their mean probability.
    ``network`` is in evaluation mode, on any device.
    """
    scales = settings.test_scales
    if len(scales) == 1:
        return _logits_at(network, image, settings, scales[0])
    probability = torch.zeros(())
    for scale in scales:
        probability = probability + _logits_at(network, image, settings, scale).softmax(0)
    return (probability / len(scales)).log()


def _logits_at(network: nn.Module, image: np.ndarray, settings: PictureSettings, scale: float) -> Tensor:
    with torch.inference_mode():
        logits = _logits_seen(network, network_input(image, settings, scale))
        if settings.test_flip:
            mirrored = _logits_seen(network, network_input(image[:, ::-1], settings, scale))
            logits = (logits + mirrored.flip(-1)) / 2
        if not logits.isfinite().all():
            raise Failed("the network's logits are not finite numbers; its training has gone wrong")
        return at_full_size(logits, image.shape)


def _logits_seen(network: nn.Module, framed: FramedPicture) -> Tensor:
    """A network's logits (1, classes, h, w) on the image in a picture."""
    return framed.on_image(network(as_tensor(framed.picture).to(next(network.parameters()).device)))


def as_tensor(picture: np.ndarray) -> Tensor:
    """A picture (1, channels, h, w) as networks here take it: channels last in memory."""
    return torch.from_numpy(picture).contiguous(memory_format=torch.channels_last)


def at_full_size(logits: Tensor, shape: tuple[int, int]) -> Tensor:
    """A network's logits (1, classes, h, w) at an image's resolution: (classes, H, W)."""
    return F.interpolate(logits, shape, mode="bilinear", align_corners=False)[0]


def labels_of(network: nn.Module, image: np.ndarray, settings: PictureSettings) -> np.ndarray:
    """Label map, uint8 (H, W), of a grey image uint8 (H, W): the class of largest logit."""
    return logits_of(network, image, settings).argmax(0).to(torch.uint8).cpu().numpy()


@dataclass(frozen=True)
class TorchModel:
    """A network in torch, in evaluation mode, on any device, as a ``Segmenter`` asks it."""

    network: nn.Module
    settings: PictureSettings
    limits: Limits | None = None

    @property
    def identity(self) -> str:
        """See ``segmenter.Model``: a sum over what is said of its pictures, and the weights."""
        told = [name for name, one in vars(PictureSettings).items() if isinstance(one, property)]
        said = [getattr(self.settings, name) for name in told]
        said = [value for value in said if value is not False]  # a setting that came later, and is not used
        found = hashlib.sha256(repr(said).encode())
        for tensor in self.network.state_dict().values():
            found.update(tensor.cpu().contiguous().numpy().tobytes())
        return found.hexdigest()

    def logits(self, picture: np.ndarray) -> np.ndarray:
        """See ``segmenter.Model``."""
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            return self.network(as_tensor(picture).to(device)).cpu().numpy()
