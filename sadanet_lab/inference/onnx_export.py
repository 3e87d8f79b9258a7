"""From a network in torch to the content of an ONNX file, which ``onnx_model`` computes without torch."""

import logging

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript import optimizer
from timm.models.swin_transformer import WindowAttention
from torch import nn

from sadanet_lab.errors import Failed
from sadanet_lab.inference.framing import PictureSettings
from sadanet_lab.inference.onnx_model import LOGITS, PICTURE, OnnxModel, metadata_of, sealed
from sadanet_lab.inference.segmentation import as_tensor

CLOSE = 1e-3
"""Share of the largest logit by which onnxruntime's may differ from torch's; rounding makes 1e-6 of it."""
SMALLEST_HALVED = 1024
"""Values below which a table of weights is not worth storing in 16 bits."""
logging.getLogger("onnxscript.optimizer").setLevel(logging.ERROR)  # it warns of every node that it leaves as it is


def export_onnx(network: nn.Module, settings: PictureSettings, name: str) -> bytes:
    """The content of an ONNX file: a network in evaluation mode, on the CPU, and how its pictures are made.

    The picture's height and width are free, but of Swin where every picture is made to one size and seen at one scale:
    torch's arithmetic on free sizes takes minutes for its windows. All is computed in float32.
    Weights that 16-bit floats can hold are stored as such, which changes none of them.
    Raises ``Failed`` in one line, which calls it ``name``, if torch cannot export it or onnxruntime finds other logits.
    """
    height, width = settings.image_height + 2 * settings.margin, settings.image_width
    sample = torch.zeros(1, settings.input_channels, height, width)
    is_free = settings.framing == "fit" or len(settings.test_scales) > 1 or not _has_windows(network)
    try:
        program = torch.onnx.export(
            network,
            (sample,),
            input_names=[PICTURE],
            output_names=[LOGITS],
            dynamic_shapes=({2: "height", 3: "width"},) if is_free else None,
            optimize=False,  # it would merge batch norms into weights that 16 bits cannot hold; onnxruntime merges them
            verbose=False,
        )
        assert program is not None  # as of every export to memory
        model = program.model_proto
        optimizer.fold_constants(model)
        optimizer.remove_unused_nodes(model)
    except Exception as error:  # of many kinds
        raise Failed(f"{name}: torch cannot export this network ({' '.join(str(error).split())[:200]})") from error
    _forget_where_it_was_made(model)
    _halve_weights(model.graph)
    helper.set_model_props(model, metadata_of(settings))
    content = sealed(model.SerializeToString())
    exported = OnnxModel(content, name)
    for sides in [(height, width), *([(height - 9, width - 5)] if is_free else [])]:
        _check(network, exported, (1, settings.input_channels, *sides))
    return content


def _has_windows(network: nn.Module) -> bool:
    return any(isinstance(module, WindowAttention) for module in network.modules())


def _forget_where_it_was_made(model: onnx.ModelProto) -> None:
    """Take out what torch writes beside each node: the lines of code behind it, with this machine's paths."""
    for graph in (model.graph, *model.functions):
        for part in (graph, *graph.node):
            del part.metadata_props[:]
            part.ClearField("doc_string")


def _halve_weights(graph: onnx.GraphProto) -> None:
    """Store weights as float16 where that loses nothing, each with a node that makes float32 of it again."""
    casts = []
    for tensor in graph.initializer:
        weights, weights_name = numpy_helper.to_array(tensor), tensor.name
        with np.errstate(over="ignore"):
            halved = weights.astype(np.float16)
        if weights.dtype == np.float32 and weights.size >= SMALLEST_HALVED and (halved == weights).all():
            tensor.CopyFrom(numpy_helper.from_array(halved, f"{weights_name}.half"))
            casts.append(helper.make_node("Cast", [tensor.name], [weights_name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _check(network: nn.Module, exported: OnnxModel, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).standard_normal(shape, np.float32)
    with torch.inference_mode():
        expected = network(as_tensor(picture)).numpy()
    off = np.abs(exported.logits(picture) - expected).max() / np.abs(expected).max()
    if not off <= CLOSE:
        raise Failed(
            f"{exported.name}: onnxruntime's logits differ from torch's by {off:.2g} of the largest, on a picture of "
            f"{shape[3]} x {shape[2]} pixels; expected at most {CLOSE:g}"
        )
