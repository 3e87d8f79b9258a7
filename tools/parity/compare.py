"""Two networks with the same weights, in float64: logits, losses, gradients and batch norms' running statistics."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sadanet_core import SegmentationLoss
from sadanet_core.blocks import SegmentationNetwork
from tools.parity.cases import Case
from tools.parity.released import CLASSES, ParityError, build

Pairs = list[tuple[str, str]]
COUNTER = "num_batches_tracked"


def split_qkv(network: nn.Module) -> None:
    """One layer for q, k and v becomes three of the same weights, so that each has one that corresponds to it."""
    for module in network.modules():
        qkv = getattr(module, "qkv", None)
        if not isinstance(qkv, nn.Linear):
            continue
        parts = [nn.Linear(qkv.in_features, qkv.in_features, bias=False) for _ in range(3)]
        for layer, weight in zip(parts, qkv.weight.data.chunk(3), strict=True):
            layer.weight.data = weight.clone()
        del module.qkv
        module.query, module.key, module.value = parts
        module.qkv = lambda x, parts=parts: torch.cat([layer(x) for layer in parts], dim=-1)


def build_pair(case: Case) -> tuple[nn.Module, SegmentationNetwork]:
    """The released network and ours, each with initial weights of its own."""
    released = build(case.config, case.head)
    split_qkv(released)
    case.change(released)
    return released, case.ours()


def pair_names(case: Case, released: nn.Module, ours: nn.Module) -> Pairs:
    """(released name, our name) of every weight and statistic; raises ``ParityError`` unless each is met once."""
    theirs = [name for name in released.state_dict() if not name.endswith(COUNTER) and name not in case.unused]
    try:
        pairs = [(name, case.rename(name)) for name in theirs]
    except KeyError as error:
        raise ParityError(f"{case.name}: the released weight {error} has no name here") from None
    wanted = {name for name in ours.state_dict() if not name.endswith(COUNTER)}
    met = [name for _, name in pairs]
    if len(met) != len(set(met)) or set(met) != wanted:
        odd = sorted(set(met) ^ wanted)[:3] or sorted(met)[:3]
        raise ParityError(f"{case.name}: names do not correspond one to one, {odd} first")
    return pairs


def wake(network: nn.Module) -> None:
    """Norms away from the identity, every gamma at 0.5, no dropout: nothing is switched off, nothing left to chance."""
    for name, parameter in network.named_parameters():
        if "gamma" in name:
            nn.init.constant_(parameter, 0.5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.running_mean, 0, 0.1)


def without_chance(network: nn.Module) -> None:
    for module in network.modules():
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0


def copy_weights(pairs: Pairs, released: nn.Module, ours: nn.Module) -> None:
    weights, state = released.state_dict(), ours.state_dict()
    for theirs, mine in pairs:
        if weights[theirs].numel() != state[mine].numel():
            raise ParityError(f"{mine}: {tuple(state[mine].shape)}, released {tuple(weights[theirs].shape)}")
        state[mine] = weights[theirs].reshape(state[mine].shape)
    ours.load_state_dict(state)


def largest(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The largest difference of any pair."""
    return max(float((theirs.reshape(mine.shape) - mine).abs().max()) for theirs, mine in pairs)


def largest_relative(pairs: list[tuple[Tensor, Tensor]]) -> float:
    """The same as a fraction of the pair's largest value, or of a millionth of the largest of all where that is more.

    Some gradients are zero but for rounding: that of a bias of the keys, to which a softmax is blind.
    """
    least = 1e-6 * max(float(theirs.abs().max()) for theirs, _ in pairs)
    return max(largest([pair]) / max(float(pair[0].abs().max()), least) for pair in pairs)


def compare(case: Case, released: nn.Module, ours: SegmentationNetwork, seed: int = 0) -> list[dict]:
    """A row for each size of picture. Both networks are changed: float64, awake, with the released weights."""
    torch.manual_seed(seed)
    pairs = pair_names(case, released, ours)
    for network in (released, ours):
        without_chance(network.double())
    wake(released)
    rows = []
    for height, width in case.sizes:
        copy_weights(pairs, released, ours)
        picture = torch.randn(2, 3, height, width, dtype=torch.float64)
        labels = torch.randint(CLASSES, (2, height, width))
        with torch.no_grad():
            theirs, mine = released.eval().encode_decode(picture, [{}, {}]), ours.eval()(picture)
        found = {"logits": largest([(theirs, mine)]), "largest_logit": float(theirs.abs().max())}
        rows.append(
            {
                "network": case.name,
                "configuration": case.config,
                "changed": case.changed,
                "parameters": sum(each.numel() for each in ours.parameters()),
                "released_parameters": sum(each.numel() for each in released.parameters()),
                "weights_mapped": len(pairs),
                "height": height,
                "width": width,
            }
            | found
            | training_step(pairs, released, ours, picture, labels)
        )
    return rows


def training_step(
    pairs: Pairs, released: nn.Module, ours: SegmentationNetwork, picture: Tensor, labels: Tensor
) -> dict[str, float]:
    """Cross-entropy of one batch: Eq. (7) with lambda 0, times the classes, beside the released losses' sum."""
    for network in (released, ours):
        network.train().zero_grad()
    losses = released.forward_train(picture, [{}, {}], labels[:, None])
    theirs = sum(value for name, value in losses.items() if "loss" in name)
    mine = CLASSES * SegmentationLoss(ours.loss_weights, 0.0)(ours(picture), labels)
    theirs.backward()
    mine.backward()
    gradients = [dict(network.named_parameters()) for network in (released, ours)]
    statistics = [dict(network.named_buffers()) for network in (released, ours)]
    pair_gradients = [(gradients[0][a].grad, gradients[1][b].grad) for a, b in pairs if a in gradients[0]]
    return {
        "loss": float((theirs - mine).detach().abs()),
        "gradient": largest_relative(pair_gradients),
        "gradients_compared": len(pair_gradients),
        "running_statistics": largest((statistics[0][a], statistics[1][b]) for a, b in pairs if a in statistics[0]),
    }
