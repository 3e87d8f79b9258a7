"""FPN (Lin et al., CVPR 2017) as a segmentation network: MMSegmentation's semantic FPN."""

from torch import Tensor, nn

from sadanet_core.methods.method import Method, NetworkSettings
from sadanet_core.methods.pyramids import SemanticFPN
from sadanet_core.network.blocks import Backbone, classifier, upsample


class FPN(nn.Module):
    """Backbone of four maps down to stride 32, semantic FPN, classifier at stride 4. No auxiliary head."""

    def __init__(self, backbone: Backbone, width: int, classes: int):
        super().__init__()
        self.backbone = backbone
        self.pyramid = SemanticFPN(backbone.channels, width // 2, width // 4)
        self.classify = classifier(width // 4, classes)
        self.loss_weights = {"main": 1.0}

    def forward(self, picture: Tensor) -> Tensor | dict[str, Tensor]:
        logits = upsample(self.classify(self.pyramid(self.backbone(picture))), picture)
        return {"main": logits} if self.training else logits


def build(settings: NetworkSettings) -> FPN:
    return FPN(settings.make_backbone(stages=4, output_stride=32), settings.width, settings.classes)


METHOD = Method(
    name="fpn",
    title="FPN",
    build=build,
    known="ResNet-50 at stride 32, neck of 256 channels, head of 128, no auxiliary head (MMSegmentation's "
    "configuration).",
    assumed="The loss of SADANet, Eq. (7), in place of cross-entropy alone.",
)
