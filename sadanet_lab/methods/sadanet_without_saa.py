"""The ablation "w/o SAA" of Tables II and III: GCA and SCA as in SADANet, an FCN auxiliary head in SAA's place."""

from functools import partial

from sadanet_lab.methods import sadanet
from sadanet_lab.methods.shared.method import PRINTED, Method

METHOD = Method(
    title="SADANet w/o SAA",
    places={"table-2": 3},
    build=partial(sadanet.build, structure_affinity=False),
    known="GCA and SCA (twice, shared weights) in parallel, without SAA (Sec. IV-E).",
    assumed="An FCN auxiliary head of weight 0.4 in SAA's place, as DANet's and CCNet's.",
    gamma=PRINTED,
    attention=sadanet.ATTENTION,
    normalisations=sadanet.NORMALISATIONS,
)
