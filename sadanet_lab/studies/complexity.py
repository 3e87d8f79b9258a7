"""What a network costs: parameters, operations and memory, counted on the meta device, where nothing is computed.

"MACs" are multiply-adds. They are counted twice: as the paper's tool did it (``paper_macs``), and honestly, by
``torch.utils.flop_counter``, which sees every convolution and matrix product, those of the attention included.
"""

from collections.abc import Callable, Iterable

import pandas as pd
import torch
from torch import Tensor, nn
from torch.distributed._tools.mem_tracker import MemTracker
from torch.utils.flop_counter import FlopCounterMode

from sadanet_core import GlobalChannelAttention, SpatialCrissCrossAttention
from sadanet_core.blocks import SegmentationNetwork
from sadanet_lab import methods
from sadanet_lab.errors import BadInput
from sadanet_lab.methods.danet import PositionAttention
from sadanet_lab.methods.shared.method import Method, NetworkSettings
from sadanet_lab.progress import progress

WHOLE_IMAGE = 2048, 512
"""Height and width of a test image in the paper."""


def complexity(method: str, head: str | None = None, height: int = 512, width: int = 512) -> dict:
    """The cost of a method at the paper's size (``resnet50c``, 512 wide, 3 channels) for one picture.

    height, width: pixels. Returns

    - method, head, height, width, parameters
    - paper_macs: see ``paper_macs``
    - inference_macs: one forward pass in evaluation
    - training_macs: one forward pass in training, auxiliary heads included; step_macs: forward and backward
    - inference_peak_bytes, training_peak_bytes: activations (all but parameters, buffers and gradients of
      parameters) held at the worst moment of a forward pass, or of a forward and backward pass with the loss, float32
    - whole_image_peak_bytes: inference_peak_bytes for a 512 x 2048 image, whatever height and width are

    Raises ``BadInput`` for an unknown method or head.
    """
    with torch.device("meta"):
        network = _network(method, head, height, width)
        picture, whole = torch.empty(1, 3, height, width), torch.empty(1, 3, *WHOLE_IMAGE)
        inference = _inference(network)
        step = training_step(network, methods.find_method(method))
        return paper_count(method, head, height, width) | {
            "inference_macs": macs(inference, picture),
            "training_macs": macs(_training_graph(network), picture),
            "step_macs": macs(step, picture),
            "inference_peak_bytes": peak_bytes(network, inference, picture),
            "training_peak_bytes": peak_bytes(network, step, picture),
            "whole_image_peak_bytes": peak_bytes(network, inference, whole),
        }


def paper_count(method: str, head: str | None = None, height: int = 512, width: int = 512) -> dict:
    """The part of ``complexity`` that Table III prints: method, head, height, width, parameters, paper_macs."""
    with torch.device("meta"):
        network = _network(method, head, height, width)
        return {
            "method": method,
            "head": head or next(iter(methods.find_method(method).heads), None),
            "height": height,
            "width": width,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "paper_macs": paper_macs(network, torch.empty(1, 3, height, width)),
        }


def _network(method: str, head: str | None, height: int, width: int) -> SegmentationNetwork:
    found = methods.find_method(method)
    if head is not None and head not in found.heads:
        choices = " or ".join(found.heads) or "none: this method has one head"
        raise BadInput(f"head {head!r} is unknown to {method}; expected {choices}")
    # PSANet's mask is made for the largest image: the paper's, unless a larger one is asked for.
    tallest, widest = max(WHOLE_IMAGE[0], height), max(WHOLE_IMAGE[1], width)
    return found.build(NetworkSettings(head=head, image_height=tallest, image_width=widest))


def complexity_table(
    names: Iterable[str] | None = None,
    height: int = 512,
    width: int = 512,
    count: Callable[..., dict] = complexity,
) -> pd.DataFrame:
    """A row of ``complexity``, or of ``paper_count``, for each method (all if none is named) and head."""
    pairs = [
        (name, head) for name in names or methods.registry() for head in methods.find_method(name).heads or (None,)
    ]
    rows = []
    with progress(len(pairs), "complexity", "networks") as bar:
        for name, head in pairs:
            rows.append(count(name, head, height, width))
            bar.update()
    return pd.DataFrame(rows)


def paper_macs(network: nn.Module, picture: Tensor) -> int:
    """Operations as Table III counts them: MMCV's ``get_model_complexity_info``.

    Modules that run are counted, all but the auxiliary head's: convolutions, transposed ones too (MACs, plus one per
    output for a bias), linear layers, batch and layer norm (2 per input), activations and pooling (1 per input),
    ``nn.Upsample`` (1 per output). What is no module is not: attention products, softmax, interpolation. A branch's own
    classifier (DANet's) is.
    """
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        total += _module_operations(module, inputs[0], output)

    counted = (m for name, m in network.named_modules() if name.split(".")[0] != "auxiliary")
    hooks = [module.register_forward_hook(count) for module in counted if isinstance(module, _COUNTED)]
    with torch.no_grad():
        _training_graph(network)(picture)
    for hook in hooks:
        hook.remove()
    return total


_ACTIVATIONS = (nn.ReLU, nn.GELU)
_POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
_NORMS = (nn.BatchNorm2d, nn.LayerNorm)
_COUNTED = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Upsample, *_NORMS, *_ACTIVATIONS, *_POOLING)


def _module_operations(module: nn.Module, input: Tensor, output: Tensor) -> int:
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        per_output = module.weight[0].numel() + (module.bias is not None)
        return output.numel() * per_output
    if isinstance(module, nn.ConvTranspose2d):
        return input.numel() * module.weight[0].numel() + (output.numel() if module.bias is not None else 0)
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features + (output.shape[-1] if module.bias is not None else 0)
    if isinstance(module, nn.Upsample):
        return output.numel()
    return input.numel() * (2 if isinstance(module, _NORMS) else 1)


def macs(run: Callable[[Tensor], object], picture: Tensor) -> int:
    """Multiply-adds of every convolution and matrix product in ``run(picture)``."""
    with FlopCounterMode(display=False) as counter:
        run(picture)
    return counter.get_total_flops() // 2


def peak_bytes(network: nn.Module, run: Callable[[Tensor], object], picture: Tensor) -> int:
    """Bytes of tensors held at the worst moment of ``run(picture)``, without the network's own and their gradients.

    The picture is not counted, nor what a library takes inside one operation (convolution workspaces). The gradients
    that ``network`` holds are lost.
    """
    for parameter in network.parameters():
        # Held from the start: else the worst moment of all memory, which is what the tracker finds, could be the end of
        # a backward pass, where gradients are many and activations few.
        parameter.grad = torch.zeros_like(parameter)
    tracker = MemTracker()
    tracker.track_external(network)
    with tracker:
        run(picture)
    network.zero_grad()
    held = tracker.get_tracker_snapshot("peak")[picture.device]
    return sum(size for kind, size in held.items() if getattr(kind, "name", "") in ("ACT", "TEMP"))


def _inference(network: nn.Module) -> Callable[[Tensor], Tensor]:
    def run(picture: Tensor) -> Tensor:
        network.eval()
        with torch.no_grad():
            return network(picture)

    return run


def _training_graph(network: nn.Module) -> Callable[[Tensor], dict[str, Tensor]]:
    """The forward pass of training on one picture, whose 1 x 1 maps batch norm in training would refuse."""

    def run(picture: Tensor) -> dict[str, Tensor]:
        network.train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return network(picture)

    return run


def training_step(network: SegmentationNetwork, method: Method) -> Callable[[Tensor], None]:
    """A forward and backward pass on a picture, with the method's own loss."""
    loss_of = next(iter(method.losses.values()))(network, 3.0)

    def run(picture: Tensor) -> None:
        labels = torch.zeros(len(picture), *picture.shape[-2:], dtype=torch.long, device=picture.device)
        loss_of(_training_graph(network)(picture), labels).backward()

    return run


def _pam(c: int, h: int, w: int) -> int:
    return _projections(c, h * w) + (h * w) ** 2 * (c // 8 + c)


def _sca_twice(c: int, h: int, w: int) -> int:
    return 2 * (_projections(c, h * w) + h * w * (h + w) * (c // 8 + c))


def _gca(c: int, h: int, w: int) -> int:
    return 2 * c * c * h * w


def _projections(c: int, positions: int) -> int:
    """q and k to C / 8 and v to C."""
    return (2 * c * (c // 8) + c * c) * positions


def attention_costs(image_heights: Iterable[int], image_width: int = 512, channels: int = 512) -> pd.DataFrame:
    """The cost of PAM, of SCA applied twice and of GCA alone, in inference at stride 8, for images of these heights.

    Columns attention, image_height, paper_macs, macs (counted), formula_macs (closed form), peak_bytes. In SCA all
    H + W products of a pixel are computed, though one is masked.
    """
    rows = []
    for name, module, passes, formula in (
        ("PAM", PositionAttention(channels).to("meta"), 1, _pam),
        ("SCA x 2", SpatialCrissCrossAttention(channels).to("meta"), 2, _sca_twice),
        ("GCA", GlobalChannelAttention().to("meta"), 1, _gca),
    ):
        network = nn.Sequential(*[module] * passes)
        for image_height in image_heights:
            height, width = -(-image_height // 8), -(-image_width // 8)
            f = torch.empty(1, channels, height, width, device="meta")
            rows.append(
                {
                    "attention": name,
                    "image_height": image_height,
                    "paper_macs": paper_macs(network, f),
                    "macs": macs(_inference(network), f),
                    "formula_macs": formula(channels, height, width),
                    "peak_bytes": peak_bytes(network, _inference(network), f),
                }
            )
    return pd.DataFrame(rows)
