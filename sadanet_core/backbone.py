"""Any of timm's networks as the backbone of a segmentation network."""

from pathlib import Path
from typing import Any

import timm
import torch.nn.functional as F
from timm.layers.format import Format
from timm.models import FeatureInfo
from torch import Tensor, nn


class BackboneError(ValueError):
    """There is no such backbone, or not with these strides or weights; the message, one line, says which and why."""


def _options(name: str, output_stride: int) -> dict[str, Any]:
    """What timm must be told of this backbone beyond the common: at stride 32, a backbone needs no dilation."""
    if output_stride != 32:
        return {"output_stride": output_stride}
    # Swin and its kin are made for one picture size unless asked not to be.
    return {"strict_img_size": False} if timm.get_pretrained_cfg_value(name, "fixed_input_size") else {}


class Backbone(nn.Module):
    """The last feature maps of any timm backbone: the paper's layer3 and layer4, or a whole pyramid.

    picture (B, input_channels, H, W) -> ``stages`` maps (B, C, H / s, W / s), sizes rounded up, finest first. Strides
    s: 4, 8, 16, 32, none above ``output_stride``; so the default gives layer3 and layer4 both at stride 8.
    ``resnet50c`` (deep stem, ResNet v1c) is the one that the published parameter counts imply: C = 1024 and 2048.

    weights: "none" (random), "imagenet" (timm's default tag, downloaded), or the path of a file holding timm's state
    dict for this backbone. Raises ``BackboneError`` if timm has no such backbone, if it cannot do these strides
    or if its weights cannot be read or downloaded.
    """

    def __init__(
        self, name: str, input_channels: int = 3, weights: str = "none", stages: int = 2, output_stride: int = 8
    ):
        super().__init__()
        if not timm.is_model(name):
            raise BackboneError(f"backbone {name!r} is unknown to timm; `timm.list_models()` names those there are")
        from_file = weights not in ("none", "imagenet")
        if from_file and not Path(weights).is_file():
            raise BackboneError(f"{weights}: no such file; expected the weights of backbone {name!r}")
        expected = [min(stride, output_stride) for stride in (4, 8, 16, 32)][-stages:]
        try:
            self.body = timm.create_model(
                name,
                features_only=True,
                out_indices=tuple(range(-stages, 0)),
                in_chans=input_channels,
                pretrained=weights != "none",
                pretrained_cfg_overlay={"file": weights} if from_file else None,
                **_options(name, output_stride),
            )
            missing = self._missing_from(weights) if from_file else []
        except Exception as error:  # timm, its hub client and safetensors raise many kinds
            reason = f"{type(error).__name__} {' '.join(str(error).split())}".strip()[:300]
            if weights == "none":
                raise BackboneError(f"backbone {name!r} cannot be built with strides {expected} ({reason})") from error
            if from_file:
                raise BackboneError(f"{weights}: not the weights of backbone {name!r} ({reason})") from error
            raise BackboneError(
                f"cannot download the weights of backbone {name!r} from the model hub ({reason})"
            ) from error
        if missing:
            raise BackboneError(
                f"{weights}: not the weights of backbone {name!r}: {len(missing)} are not in it, {missing[0]} first"
            )
        info = self.body.feature_info
        assert isinstance(info, FeatureInfo)  # as of all of timm's feature extractors; torch cannot say so
        reductions = info.reduction()
        if reductions != expected:
            raise BackboneError(
                f"backbone {name!r} gives strides {reductions}; its last {stages} stages must be at {expected}"
            )
        self.channels: list[int] = info.channels()
        # Transformers lay the channels last and cut the picture into whole tiles of their first stride.
        self._is_transformer = getattr(self.body, "output_fmt", Format.NCHW) == Format.NHWC

    def _missing_from(self, file: str) -> list[str]:
        """Names of this backbone's weights that a file lacks: timm itself would leave those random without a word."""
        # timm's feature extractors write "_" where the whole network's names have "."
        there = {name.replace(".", "_") for name in timm.models.load_state_dict(file)}
        needed = (name for name in self.body.state_dict() if not name.endswith("num_batches_tracked"))
        return [name for name in needed if name.replace(".", "_") not in there]

    def forward(self, picture: Tensor) -> list[Tensor]:
        if not self._is_transformer:
            return self.body(picture)
        height, width = picture.shape[-2:]
        return [f.movedim(-1, 1) for f in self.body(F.pad(picture, (0, -width % 4, 0, -height % 4)))]
