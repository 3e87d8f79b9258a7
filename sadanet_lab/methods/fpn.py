"""FPN (Lin et al., CVPR 2017) as a segmentation network: MMSegmentation's semantic FPN."""

from torch import Tensor

from sadanet_core.backbone import Backbone
from sadanet_core.blocks import SegmentationNetwork, classifier
from sadanet_lab.methods.shared.method import Method, NetworkSettings
from sadanet_lab.methods.shared.pyramids import SemanticFPN


class FPN(SegmentationNetwork):
    """Backbone of four maps down to stride 32, semantic FPN, classifier at stride 4. No auxiliary head."""

    def __init__(self, backbone: Backbone, width: int, classes: int):
        super().__init__()
        self.backbone = backbone
        self.pyramid = SemanticFPN(backbone.channels, width // 2, width // 4)
        self.classify = classifier(width // 4, classes)
        self.loss_weights = {"main": 1.0}

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        return {"main": self.classify(self.pyramid(self.backbone(picture)))}


def build(settings: NetworkSettings) -> FPN:
    return FPN(settings.make_backbone(stages=4, output_stride=32), settings.width, settings.classes)


METHOD = Method(
    title="FPN",
    places={"table-1": 2},
    build=build,
    known="ResNet-50 at stride 32, neck of 256 channels, head of 128, no auxiliary head (MMSegmentation's "
    "configuration).",
    assumed="The loss of SADANet, Eq. (7), in place of cross-entropy alone.",
)
