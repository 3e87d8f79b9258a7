"""The paper's three attention modules, Sec. III-B to III-D.

Every module sends its attention map through a softmax submodule of its own (``affinity`` or ``attend``), so that a
forward hook on that submodule sees the map and no model needs an edit to be looked into: see ``attention_recorder.py``.
Softmax is taken in float32 even where the precision around it is lower.
"""

import torch
from torch import Tensor, nn

from sadanet_core.blocks import at_least_float32, conv_bn, full_precision, kaiming_normal, started

NORMALISATIONS = ("softmax", "max-minus")
"""Forms of the channel softmax: Eq. (3)'s, and DANet's released one; see ``channel_energy``."""


class Softmax(nn.Module):
    """Softmax over ``dim`` in float32 or better; its output is the attention map."""

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def forward(self, energy: Tensor) -> Tensor:
        return at_least_float32(energy).softmax(self.dim)


class StructureAffinityAttention(nn.Module):
    """SAA: features rebuilt from class-wise spatial responses, Eq. (1) and (2), Fig. 3.

    With f in (B, C, H, W), C' = C / 4 and N classes:

        q  = theta(f)              1 x 1 convolution   (B, C', H, W)
        k  = phi(f)                1 x 1 convolution   (B, N, H, W)
        k' = softmax(k)            over the classes    (B, N, H, W)
        s' = softmax(q k'^T)       Eq. (1)             (B, C', N)
        f' = delta(s' k')          Eq. (2)             (B, C, H, W)
        f" = rho([f, f'])          concatenation, then 3 x 3 convolution back to C

    Returns (f", k): k, before its softmax, is itself a score map of the N classes.

    Assumption: Eq. (1)'s softmax runs over the classes, as in the lab's later released code; the paper names no axis.

    Assumption: delta carries batch norm, rho batch norm and ReLU, as the parameter count demands; and where the text
    says C = 1024, 1024 is reduced to C = 256 before this module, which alone fits the published parameter count.
    """

    def __init__(self, channels: int, classes: int = 4):
        super().__init__()
        reduced = channels // 4
        self.theta = started(nn.Conv2d(channels, reduced, 1), kaiming_normal)  # both as the lab's later code
        self.phi = started(nn.Conv2d(channels, classes, 1), kaiming_normal)
        self.class_maps = Softmax(dim=1)
        self.affinity = Softmax(dim=-1)
        self.delta = conv_bn(reduced, channels, 1, relu=False)
        self.rho = conv_bn(2 * channels, channels, 3)

    def forward(self, f: Tensor) -> tuple[Tensor, Tensor]:
        height, width = f.shape[-2:]
        q = self.theta(f).flatten(2)
        k = self.phi(f)
        k_soft = self.class_maps(k).to(q.dtype).flatten(2)
        s = self.affinity(self.energy(f, q, k_soft)).to(q.dtype)
        f_affinity = self.delta((s @ k_soft).unflatten(2, (height, width)))
        return self.rho(torch.cat([f, f_affinity], dim=1)), k

    def energy(self, f: Tensor, q: Tensor, k_soft: Tensor) -> Tensor:
        """What Eq. (1)'s softmax is taken of, (B, C', N), from q (B, C', HW) and k' (B, N, HW)."""
        return q @ k_soft.mT


def channel_energy(q: Tensor, k: Tensor, normalisation: str) -> Tensor:
    """What the softmax over the channels is taken of: q, k (B, C, HW) -> (B, C, C), in float32 or better.

    "softmax": q k^T, whose entries run to the thousands; "max-minus": the row's largest minus that.
    """
    with full_precision(q):
        energy = at_least_float32(q) @ at_least_float32(k).mT
    return energy.amax(-1, keepdim=True) - energy if normalisation == "max-minus" else energy


class GlobalChannelAttention(nn.Module):
    """GCA: every channel as a mixture of all channels, Eq. (3), Fig. 4. No convolutions.

    f in (B, C, H, W) -> (B, C, H, W): with q = k = v = f reshaped to C x HW,

        g  = softmax(q k^T)        Eq. (3)             (B, C, C)
        f' = gamma * (g v) + f

    Assumption: gamma is learned, as in the code family; the paper prints a plain sum. Its first value is that sum's, 1;
    DANet and CCNet start at 0, where the map gets no gradient until gamma has moved.

    ``normalisation="softmax"`` is Eq. (3) as printed: sums over thousands of products, which
    can saturate to one-hot rows. ``"max-minus"`` is DANet's released form, softmax(max_j(e_ij) - e_ij), which
    prefers *unlike* channels.
    """

    def __init__(self, normalisation: str = "softmax", gamma: float = 1.0):
        super().__init__()
        if normalisation not in NORMALISATIONS:
            raise ValueError(f"normalisation is {normalisation!r}; expected one of {', '.join(NORMALISATIONS)}")
        self.normalisation = normalisation
        self.attend = Softmax(dim=-1)
        self.gamma = nn.Parameter(torch.full((1,), float(gamma)))

    def forward(self, f: Tensor) -> Tensor:
        v = f.flatten(2)
        g = self.attend(channel_energy(v, v, self.normalisation)).to(f.dtype)
        return self.gamma.to(f.dtype) * (g @ v).view_as(f) + f


class QueryKeyValueAttention(nn.Module):
    """What attention between pixels learns: 1 x 1 convolutions q and k to C / ``reduction``, v to C, and gamma."""

    def __init__(self, channels: int, reduction: int = 8, gamma: float = 1.0):
        super().__init__()
        self.query = nn.Conv2d(channels, channels // reduction, 1)
        self.key = nn.Conv2d(channels, channels // reduction, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.attend = Softmax(dim=-1)
        self.gamma = nn.Parameter(torch.full((1,), float(gamma)))


class SpatialCrissCrossAttention(QueryKeyValueAttention):
    """SCA: each pixel attends to its column and its row, Eq. (4), Fig. 5. Two passes reach every pixel.

    f in (B, C, H, W) -> (B, C, H, W): q, k are 1 x 1 convolutions to C' = C / 8, v one to C. For the pixel (h, w)
    one softmax runs over the H + W - 1 positions of its column and row:

        s  = softmax([q . k along the column, q . k along the row])      (B, H, W, H + W)
        f' = gamma * (sum of s v over those positions) + f

    Map layout: s[b, h, w, :H] is the column (index = row i of the other pixel), s[b, h, w, H:] the row (index =
    column j). The pixel itself stands in both; its copy in the column is masked, so s[b, h, w, h] = 0 and
    H + W - 1 positions remain.

    Assumption: the energies of column and row are concatenated, as the text says, where Eq. (4) prints "+"; gamma is
    learned, where a plain sum is printed; one module applied twice shares its weights, as the parameter count
    demands.
    """

    def forward(self, f: Tensor) -> Tensor:
        height = f.shape[2]
        q, k, v = self.query(f), self.key(f), self.value(f)
        column = torch.einsum("bchw,bciw->bhwi", q, k)
        row = torch.einsum("bchw,bchj->bhwj", q, k)
        itself = torch.eye(height, dtype=torch.bool, device=f.device)[:, None, :]
        column = column.masked_fill(itself, float("-inf"))
        s = self.attend(torch.cat([column, row], dim=-1)).to(v.dtype)
        attended = torch.einsum("bhwi,bciw->bchw", s[..., :height], v)
        attended = attended + torch.einsum("bhwj,bchj->bchw", s[..., height:], v)
        return self.gamma.to(f.dtype) * attended + f
