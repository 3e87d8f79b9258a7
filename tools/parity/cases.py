"""What is compared with what: each released network, ours of the same size, and how their weights' names correspond."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sadanet_core.blocks import FCNHead, SegmentationNetwork, classifier
from sadanet_lab.methods import find_method
from sadanet_lab.methods.shared.method import NetworkSettings
from sadanet_lab.methods.shared.pyramids import UPerNet

EVEN, ODD = (48, 64), (57, 73)
"""Height and width of pictures. At stride 8 maps of 6 x 8, and of 8 x 10 from sides that no stride divides."""
BOTH_ODD, ONE_ODD = (40, 56), (48, 56)
"""Pictures whose maps at stride 8 have two odd sides, 5 x 7, or one, 6 x 7: PSANet's shrinking is told apart."""

Rules = list[tuple[str, str]]


@dataclass(frozen=True)
class Case:
    """One released configuration beside one network of ours.

    config: file of MMSegmentation's ``configs/_base_/models``. head: what is changed in its decode head. change: done
    to the network that was built from it. names: regular expressions, the first that fits a released name gives ours;
    every weight of both networks must be met once. sizes: pictures, height and width. unused: released names of weights
    that the released code never uses.
    """

    name: str
    config: str
    ours: Callable[[], SegmentationNetwork]
    names: Rules
    sizes: tuple[tuple[int, int], ...] = (EVEN, ODD)
    head: dict[str, Any] = field(default_factory=dict)
    change: Callable[[nn.Module], None] = lambda network: None
    changed: str = ""
    unused: tuple[str, ...] = ()

    def rename(self, released: str) -> str:
        for pattern, ours in self.names:
            found, count = re.subn(rf"^{pattern}", ours, released)
            if count:
                return found
        raise KeyError(released)


def method(name: str, **settings: Any) -> Callable[[], SegmentationNetwork]:
    return lambda: find_method(name).build(NetworkSettings(**settings))


class UPerNetwork(SegmentationNetwork):
    """UPerNet as MMSegmentation has it, of our parts: what SA2Net's trunk stands on."""

    def __init__(self, settings: NetworkSettings):
        super().__init__()
        self.backbone = settings.make_backbone(stages=4, output_stride=32)
        self.trunk = UPerNet(self.backbone.channels, settings.width)
        self.classify = classifier(settings.width, settings.classes)
        self.auxiliary = FCNHead(self.backbone.channels[-2], settings.width // 2, settings.classes)
        self.loss_weights = {"main": 1.0, "auxiliary": settings.auxiliary_weight}

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        maps = self.backbone(picture)
        return {"main": self.classify(self.trunk(maps))} | (self.auxiliary(maps[-2]) if self.training else {})


def block(released: str, ours: str) -> Rules:
    """mmcv's ConvModule: ours is a sequence of convolution, batch norm and ReLU."""
    return [(rf"{released}\.conv\.", f"{ours}.0."), (rf"{released}\.bn\.", f"{ours}.1.")]


def plain(released: str, ours: str) -> Rules:
    return [(rf"{released}\.", f"{ours}.")]


RESNET = plain(r"backbone\.stem\.7", "backbone.body.bn1")
RESNET += plain(r"backbone\.stem", "backbone.body.conv1") + plain(r"backbone\.layer(\d)", r"backbone.body.layer\1")
HEADS = plain(r"decode_head\.conv_seg", "classify.1") + plain(r"auxiliary_head\.conv_seg", "auxiliary.classify.1")
HEADS += block(r"auxiliary_head\.convs\.0", "auxiliary.reduce")
BASE = RESNET + HEADS


def criss_cross(released: str) -> Rules:
    names = [(rf"{released}\.gamma\.scale", "spatial_attention.gamma")]
    for part in ("query", "key", "value"):
        names += plain(rf"{released}\.{part}_conv", f"spatial_attention.{part}")
    return names


DANET = BASE + plain(r"decode_head\.pam_conv_seg", "classify_position.1")
DANET += plain(r"decode_head\.cam_conv_seg", "classify_channel.1")
for theirs, mine in (("pam", "position"), ("cam", "channel")):
    DANET += block(rf"decode_head\.{theirs}_in_conv", f"{mine}_in")
    DANET += block(rf"decode_head\.{theirs}_out_conv", f"{mine}_out")
    DANET += [(rf"decode_head\.{theirs}\.gamma\.scale", f"{mine}_attention.gamma")]
for part in ("query", "key", "value"):
    DANET += plain(rf"decode_head\.pam\.{part}_project", f"position_attention.{part}")

CCNET = BASE + criss_cross(r"decode_head\.cca") + block(r"decode_head\.conv_cat", "fuse")
CCNET += block(r"decode_head\.convs\.0", "spatial_in") + block(r"decode_head\.convs\.1", "spatial_out")

FPN = BASE + plain(r"neck\.lateral_convs\.(\d)\.conv", r"pyramid.pyramid.lateral.\1")
FPN += plain(r"neck\.fpn_convs\.(\d)\.conv", r"pyramid.pyramid.smooth.\1")
FPN += block(r"decode_head\.scale_heads\.(\d)\.(\d)", r"pyramid.levels.\1.\2")

UNET = HEADS + block(r"decode_head\.convs\.0", "reduce")
UNET += block(r"backbone\.encoder\.(\d)\.\d\.convs\.(\d)", r"encoder.\1.\2")
for level in range(4):  # the released decoder counts from the finest level, ours from the deepest
    UNET += block(rf"backbone\.decoder\.{level}\.conv_block\.convs\.(\d)", rf"decoder.{3 - level}.merge.\1")
    UNET += block(rf"backbone\.decoder\.{level}\.upsample\.interp_upsample\.1", f"decoder.{3 - level}.narrow")

UPERNET = BASE + block(r"decode_head\.psp_modules\.(\d)\.1", r"trunk.pooling.project.\1")
UPERNET += block(r"decode_head\.bottleneck", "trunk.pooling.fuse")
UPERNET += block(r"decode_head\.lateral_convs\.(\d)", r"trunk.lateral.\1")
UPERNET += block(r"decode_head\.fpn_convs\.(\d)", r"trunk.smooth.\1")
UPERNET += block(r"decode_head\.fpn_bottleneck", "trunk.fuse")

PSANET = BASE + block(r"decode_head\.proj", "project") + block(r"decode_head\.bottleneck", "fuse")
for theirs, mine in (("", "collect"), ("_p", "distribute")):
    PSANET += block(rf"decode_head\.reduce{theirs}", f"{mine}.reduce")
    PSANET += block(rf"decode_head\.attention{theirs}\.0", f"{mine}.hidden")
    PSANET += plain(rf"decode_head\.attention{theirs}\.1", f"{mine}.weigh")

SAT, TOKENS = "structure_affinity", "structure_affinity.tokens"
SA2NET = UPERNET + criss_cross(r"decode_head\.pam")
SA2NET += plain(r"decode_head\.pam_conv_seg", "classify_spatial.1")
SA2NET += plain(r"decode_head\.cam_conv_seg", "classify_channel.1")
SA2NET += block(r"decode_head\.pam_out_conv", "spatial_out") + block(r"decode_head\.cam_out_conv", "channel_out")
SA2NET += [(r"decode_head\.cam\.gamma\.scale", "channel_attention.gamma")]
SA2NET += plain(r"decode_head\.cam\.proj", "channel_attention.expand")
for part in ("query", "key", "value"):
    SA2NET += plain(rf"decode_head\.cam\.{part}_conv", f"channel_attention.{part}")
SA2NET += plain(r"decode_head\.semantic_aug\.phi\.conv", f"{SAT}.theta")
SA2NET += plain(r"decode_head\.semantic_aug\.theta\.conv", f"{SAT}.phi")
SA2NET += block(r"decode_head\.semantic_aug\.delta", f"{SAT}.delta")
SA2NET += block(r"decode_head\.semantic_aug\.ro", f"{SAT}.rho") + plain(
    r"decode_head\.semantic_aug\.proj", f"{SAT}.spread"
)
MASK = r"decode_head\.semantic_aug\.maskformer"
SA2NET += plain(rf"{MASK}\.proj_2d", f"{TOKENS}.project") + plain(rf"{MASK}\.query_embed", f"{TOKENS}.queries")
SA2NET += [(rf"{MASK}\.mask_embed\.layers\.{i}\.", f"{TOKENS}.embed.{2 * i}.") for i in range(3)]
BLOCK = rf"{MASK}\.dec_2d\.decoder\.(\d)"
INNER = {"norm1": "norm_self", "norm_q": "norm_query", "norm_v": "norm_memory", "norm2": "norm_mlp", "mlp": "mlp"}
INNER |= {r"self_attn\.proj": "among_queries.project.0", r"attn\.proj": "to_memory.project.0"}
INNER |= {
    rf"attn\.{letter}_map": f"to_memory.{name}" for letter, name in (("q", "query"), ("k", "key"), ("v", "value"))
}
INNER |= {r"self_attn\.(query|key|value)": r"among_queries.\2"}  # of the released qkv, see compare.py
for theirs, mine in INNER.items():
    SA2NET += plain(rf"{BLOCK}\.{theirs}", rf"{TOKENS}.blocks.\1.{mine}")


def unpad(network: nn.Module) -> None:
    """The padding 1 of the 1 x 1 projection, which the authors' own code does not have, set to 0."""
    network.decode_head.proj.conv.padding = (0, 0)


def pad_by_one(network: nn.Module) -> None:
    """Padding 1 in rho, where the released 2 makes the map grow by two rows and columns."""
    network.decode_head.semantic_aug.ro.conv.padding = (1, 1)


MASKS = {"image_height": 49 * 16, "image_width": 49 * 16}  # a mask of 97 x 97 offsets
UNPADDED = "padding 0 of the projection"
CASES = [
    Case("DANet", "danet_r50-d8.py", method("danet"), DANET),
    Case("CCNet", "ccnet_r50-d8.py", method("ccnet"), CCNET),
    Case("FPN", "fpn_r50.py", method("fpn"), FPN),
    Case("UNet", "fcn_unet_s5-d16.py", method("unet", backbone=None), UNET, sizes=((48, 64), (32, 80))),
    Case("UPerNet", "upernet_r50.py", lambda: UPerNetwork(NetworkSettings()), UPERNET),
    Case("PSANet", "psanet_r50-d8.py", method("psanet", **MASKS), PSANET, (EVEN,)),
    Case(
        "PSANet",
        "psanet_r50-d8.py",
        method("psanet", **MASKS),
        PSANET,
        (EVEN, ODD, BOTH_ODD, ONE_ODD),
        {},
        unpad,
        UNPADDED,
    ),
]
SA2NET_CASES = [
    Case(
        "SA2Net",
        "upernet_r50.py",
        method("sa2net"),
        SA2NET,
        head={"type": "AffiCDUPerHead"},
        change=pad_by_one,
        changed="padding 1 in rho",
        unused=("decode_head.semantic_aug.gamma.scale",),
    )
]
