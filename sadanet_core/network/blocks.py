"""The pieces that every network shares: convolution with batch norm, the backbone, the FCN auxiliary head."""

from pathlib import Path

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sadanet_core.errors import BadInput


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision to float32, for softmax and sums; float32 and float64 stay what they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def conv_bn(inputs: int, outputs: int, kernel: int, relu: bool = True, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, "same" padding, batch norm and, unless told otherwise, ReLU."""
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def classifier(channels: int, classes: int = 4, dropout: float = 0.1) -> nn.Sequential:
    """Channel dropout and the 1 x 1 convolution to the logits of each class."""
    return nn.Sequential(nn.Dropout2d(dropout), nn.Conv2d(channels, classes, 1))


def upsample(logits: Tensor, like: Tensor) -> Tensor:
    """Logits (B, N, h, w) -> (B, N, H, W), bilinear, to the size of the picture ``like`` (B, C, H, W)."""
    return F.interpolate(logits, like.shape[-2:], mode="bilinear", align_corners=False)


class Backbone(nn.Module):
    """The last two feature maps of any timm backbone at output stride 8: the paper's layer3 and layer4.

    picture (B, input_channels, H, W) -> [(B, C3, H/8, W/8), (B, C4, H/8, W/8)], sizes rounded up.
    ``resnet50c`` (deep stem, ResNet v1c) is the one that the published parameter counts imply: C3 = 1024, C4 = 2048.

    weights: "none" (random), "imagenet" (timm's default tag, downloaded), or the path of a file holding timm's state
    dict for this backbone. Raises ``BadInput`` if timm has no such backbone, if it cannot do stride 8 or if the
    weights can't be had.
    """

    def __init__(self, name: str, input_channels: int = 3, weights: str = "none"):
        super().__init__()
        if not timm.is_model(name):
            raise BadInput(f"backbone {name!r} is unknown to timm; `timm.list_models()` names those there are")
        from_file = weights not in ("none", "imagenet")
        if from_file and not Path(weights).is_file():
            raise BadInput(f"{weights}: no such file; expected the weights of backbone {name!r}")
        try:
            self.body = timm.create_model(
                name,
                features_only=True,
                output_stride=8,
                out_indices=(-2, -1),
                in_chans=input_channels,
                pretrained=weights != "none",
                pretrained_cfg_overlay={"file": weights} if from_file else None,
            )
            missing = self._missing_from(weights) if from_file else []
        except Exception as error:  # timm, its hub client and safetensors raise many kinds
            reason = f"{type(error).__name__} {' '.join(str(error).split())}".strip()[:300]
            if weights == "none":
                raise BadInput(f"backbone {name!r} can't be built at output stride 8 ({reason})") from error
            if from_file:
                raise BadInput(f"{weights}: not the weights of backbone {name!r} ({reason})") from error
            raise BadInput(f"weights of backbone {name!r} can't be had from the model hub ({reason})") from error
        if missing:
            raise BadInput(
                f"{weights}: not the weights of backbone {name!r}: {len(missing)} are not in it, {missing[0]} first"
            )
        reductions = self.body.feature_info.reduction()
        if reductions != [8, 8]:
            raise BadInput(f"backbone {name!r} gives strides {reductions}; its last two stages must be at stride 8")
        self.channels: list[int] = self.body.feature_info.channels()

    def _missing_from(self, file: str) -> list[str]:
        """Names of this backbone's weights that a file lacks: timm itself would leave those random without a word."""
        # timm's feature extractors write "_" where the whole network's names have "."
        there = {name.replace(".", "_") for name in timm.models.load_state_dict(file)}
        needed = (name for name in self.body.state_dict() if not name.endswith("num_batches_tracked"))
        return [name for name in needed if name.replace(".", "_") not in there]

    def forward(self, picture: Tensor) -> list[Tensor]:
        return self.body(picture)


class FCNHead(nn.Module):
    """MMSegmentation's FCN auxiliary head: 3 x 3 convolution, batch norm, ReLU, dropout, 1 x 1 classifier."""

    def __init__(self, inputs: int, channels: int, classes: int = 4):
        super().__init__()
        self.reduce = conv_bn(inputs, channels, 3)
        self.classify = classifier(channels, classes)

    def forward(self, f: Tensor) -> Tensor:
        return self.classify(self.reduce(f))
