"""SADANet itself as a row of the comparison; the network is ``sadanet_core.sadanet``."""

from sadanet_core import SADANet
from sadanet_core.attention import NORMALISATIONS
from sadanet_core.sadanet import HEADS
from sadanet_lab.methods.shared.method import Method, NetworkSettings


def build(settings: NetworkSettings, structure_affinity: bool = True) -> SADANet:
    return SADANet(
        settings.make_backbone(),
        settings.width,
        settings.classes,
        settings.auxiliary_weight,
        head=settings.head or next(iter(HEADS)),
        normalisation=settings.normalisation or NORMALISATIONS[0],
        structure_affinity=structure_affinity,
    )


METHOD = Method(
    title="SADANet",
    places={"table-1": 8, "table-2": 4},
    build=build,
    known="Sec. III: ResNet-50 v1c at stride 8; GCA and SCA (twice, shared weights) in parallel, summed; SAA on layer3 "
    "in training; loss Eq. (7) with lambda 3.",
    assumed="Weight 0.4 of the auxiliary head, gamma from 0 in GCA and SCA, softmax over the classes in Eq. (1). The "
    'second head, "table3", is inferred from Table III alone.',
    heads=tuple(HEADS),
    normalisations=NORMALISATIONS,
)
