"""SADANet itself as a row of the comparison; the network is ``sadanet_core.sadanet``."""

from sadanet_core import SADANet
from sadanet_core.attention import NORMALISATIONS
from sadanet_core.sadanet import HEADS
from sadanet_lab.methods.shared.method import PRINTED, Attention, Method, NetworkSettings

ATTENTION = {
    "GCA": Attention("head.channel_attention", ("head.channel_attention.attend",)),
    "SCA": Attention("head.spatial_attention", ("head.spatial_attention.attend",)),
}


def build(settings: NetworkSettings, structure_affinity: bool = True) -> SADANet:
    return SADANet(
        settings.make_backbone(),
        settings.width,
        settings.classes,
        settings.auxiliary_weight,
        head=settings.head or next(iter(HEADS)),
        normalisation=settings.normalisation or NORMALISATIONS[0],
        structure_affinity=structure_affinity,
        gamma=PRINTED if settings.gamma is None else settings.gamma,
    )


METHOD = Method(
    title="SADANet",
    places={"table-1": 8, "table-2": 4},
    build=build,
    known="Sec. III: ResNet-50 v1c at stride 8; GCA and SCA (twice, shared weights) in parallel, summed; SAA on layer3 "
    "in training; loss Eq. (7) with lambda 3.",
    assumed="Weight 0.4 of the auxiliary head; a learned gamma in GCA and SCA, from 1, the plain sum as printed; "
    'softmax over the classes in Eq. (1). The second head, "table3", is inferred from Table III alone.',
    heads=tuple(HEADS),
    normalisations=NORMALISATIONS,
    gamma=PRINTED,
    attention=ATTENTION,
)
