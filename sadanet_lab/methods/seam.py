"""SEAM (Zhao et al., ICASSP 2021): self-attention whose key carries the bones' structure, supervised as such."""

from torch import Tensor

from sadanet_core import StructureAffinityAttention
from sadanet_core.backbone import Backbone
from sadanet_core.blocks import SegmentationNetwork, classifier
from sadanet_lab.methods.shared.method import Attention, Method, NetworkSettings
from sadanet_lab.methods.shared.pyramids import SemanticFPN


class SEAM(SegmentationNetwork):
    """Semantic FPN features, the block that became SADANet's SAA in the main path, its key supervised.

    Unlike SADANet's, the block runs at test time too.
    """

    def __init__(self, backbone: Backbone, width: int, classes: int, key_weight: float):
        super().__init__()
        self.backbone = backbone
        self.pyramid = SemanticFPN(backbone.channels, width // 2, width // 4)
        self.attention = StructureAffinityAttention(width // 4, classes)
        self.classify = classifier(width // 4, classes)
        self.loss_weights = {"main": 1.0, "key": key_weight}

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        f, key = self.attention(self.pyramid(self.backbone(picture)))
        return {"main": self.classify(f), "key": key}


def build(settings: NetworkSettings) -> SEAM:
    backbone = settings.make_backbone(stages=4, output_stride=32)
    return SEAM(backbone, settings.width, settings.classes, settings.auxiliary_weight)


METHOD = Method(
    title="SEAM",
    places={"table-1": 4},
    build=build,
    known="Self-attention whose key carries structural knowledge, under structure supervision (abstract).",
    assumed="The block is SAA's, with its key of one channel per class, on the features of the FPN row, supervised "
    "with weight 0.4; loss Eq. (7).",
    attention={"SAA": Attention("attention.delta", ("attention.affinity",), left="zeros")},
)
