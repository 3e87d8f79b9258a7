"""The ablation "w/o SCA" of Tables II and III: DANet with SADANet's SAA in the auxiliary head's place."""

from functools import partial

from sadanet_lab.methods import danet
from sadanet_lab.methods.shared.method import PRINTED, Method

METHOD = Method(
    title="SADANet w/o SCA",
    places={"table-2": 2},
    build=partial(danet.build, structure_affinity=True, gamma=PRINTED),
    known="DANet's position and channel attention with SAA as auxiliary head; its 51.03 M parameters and 199.35 G "
    "operations both stand in Table III.",
    assumed="DANet's three outputs of weight 1 and its form of the channel softmax; weight 0.4 of the auxiliary head; "
    "gamma from 1, as in SADANet.",
    normalisations=danet.DANETS_FIRST,
    gamma=PRINTED,
    attention=danet.ATTENTION,
)
