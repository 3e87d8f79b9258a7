"""Files of ``sadanet export``: what they say of themselves, and that onnxruntime finds in them what torch finds."""

import hashlib
import json

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.inference.onnx_export import export_onnx
from sadanet_lab.inference.onnx_model import OnnxModel, open_onnx, sealed
from sadanet_lab.inference.segmentation import TorchModel, labels_of
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.phantom import Style, draw, draw_spine, render
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.training.models import find_model
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.shipped import shipped_run

SHARE = 1e-4
"""Of an image's pixels that may have another label."""


def phantom(seed, width=256, height=1024):
    rng = np.random.default_rng([77, seed])
    spine = draw_spine(rng, width, height, "wide")
    return render(rng, spine, draw(Style, rng, "wide"))


@pytest.fixture(scope="module")
def run():
    return shipped_run()


@pytest.mark.parametrize("size", [(256, 1024), (471, 1800), (97, 301)])
def test_the_shipped_file_gives_torchs_labels(run, size):
    image = phantom(0, *size)
    different = Segmenter(find_model("shipped"))(image).labels != labels_of(run.network(), image, run.recipe)
    assert different.mean() <= SHARE


def test_so_it_does_averaged_over_six_views(run):
    image, torchs = phantom(1), TorchModel(run.network(), run.recipe)
    labels = [Segmenter(model, averaged=True)(image).labels for model in (find_model("shipped"), torchs)]
    assert (labels[0] != labels[1]).mean() <= SHARE
    assert (labels[0] != Segmenter(torchs)(image).labels).any()


@pytest.mark.slow
def test_so_it_does_on_each_of_50_phantoms(run):
    network, segmenter = run.network(), Segmenter(find_model("shipped"))
    for seed in range(50):
        image = phantom(seed)
        different = segmenter(image).labels != labels_of(network, image, run.recipe)
        assert different.mean() <= SHARE, seed


@pytest.fixture(scope="module")
def small():
    """(network, recipe, its file's content) of one convolution, whose weights 16 bits cannot hold."""
    changes = {"image_height": 128, "margin": 16, "framing": "fit", "test_scales": (1.0, 0.75), "input_channels": 3}
    recipe = make_recipe("unet", "smoke", "x", **changes)
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 4, 21, padding=10).eval()
    return network, recipe, export_onnx(network, recipe, "small")


def test_any_run_can_be_exported_with_what_decides_its_pictures(small):
    network, recipe, content = small
    model, torchs = OnnxModel(content, "small"), TorchModel(network, recipe)
    assert [getattr(model.settings, name) for name in ("image_height", "image_width", "margin", "framing")] == [
        getattr(recipe, name) for name in ("image_height", "image_width", "margin", "framing")
    ]
    image = phantom(2, 90, 333)
    found, expected = (Segmenter(each).logits(image) for each in (model, torchs))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_a_file_says_to_any_reader_what_goes_in_and_out(small):
    model = onnx.load_from_string(small[2])
    onnx.checker.check_model(model, full_check=True)
    sides = {
        value.name: [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert sides == {"picture": [1, 3, "height", "width"], "logits": [1, 4, "height", "width"]}
    *said, seal = model.metadata_props
    del model.metadata_props[-1]
    assert (seal.key, seal.value) == ("sha256", hashlib.sha256(small[2][:-76]).hexdigest())
    assert onnx.load_from_string(small[2][:-76]) == model  # all else is as it was
    assert {each.key: json.loads(each.value) for each in said} == {
        "classes": list(CLASSES),
        "grey_mean": 75.99,
        "grey_sd": 84.15,
        "image_height": 128,
        "image_width": 64,
        "margin": 16,
        "framing": "fit",
        "input_channels": 3,
        "test_scales": [1.0, 0.75],
        "test_flip": False,
    }


def test_a_file_of_before_flips_were_a_setting_is_seen_as_ever(small):
    assert not OnnxModel(with_metadata(small[2], test_flip=None), "before").settings.test_flip
    assert OnnxModel(with_metadata(small[2], test_flip="true"), "flipped").settings.test_flip


def test_weights_that_16_bits_cannot_hold_stay_as_they_are(small):
    kinds = {tensor.data_type for tensor in onnx.load_from_string(small[2]).graph.initializer}
    assert onnx.TensorProto.FLOAT in kinds
    assert onnx.TensorProto.FLOAT16 not in kinds


def with_metadata(content, **changes):
    model = onnx.load_from_string(content)
    metadata = {each.key: each.value for each in model.metadata_props} | changes
    del model.metadata_props[:]
    helper.set_model_props(model, {key: value for key, value in metadata.items() if value is not None})
    return sealed(model.SerializeToString())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"margin": None}, "its metadata do not say how its pictures are made; expected a file of `sadanet export`"),
        (
            {"classes": '["background", "bone"]'},
            r"its classes is \['background', 'bone'\]; expected \['background', 'rib'",
        ),
        ({"grey_sd": "1.0"}, r"its grey_sd is 1\.0; expected 84\.15"),
    ],
)
def test_a_file_of_another_kind_is_refused(small, changes, said):
    with pytest.raises(BadInput, match=f"^other: {said}"):
        OnnxModel(with_metadata(small[2], **changes), "other")


def test_what_is_no_file_or_no_onnx_is_refused_in_a_line(tmp_path, capfd):
    with pytest.raises(BadInput, match=r"none\.onnx: cannot be read \(No such file"):
        open_onnx(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(BadInput, match=r"text\.onnx: damaged or of another program, by its sum; expected a file of"):
        open_onnx(tmp_path / "text.onnx")
    (tmp_path / "text.onnx").write_bytes(sealed(b"no network"))
    with pytest.raises(BadInput, match=r"text\.onnx: onnxruntime cannot read it .*; expected a file of"):
        open_onnx(tmp_path / "text.onnx")
    assert capfd.readouterr().err == ""


class LookingAtNumbers(torch.nn.Module):
    """What a picture's greys are decides what is computed: nothing that a graph can hold."""

    def forward(self, picture):
        return picture.repeat(1, 4, 1, 1) * (1 if picture.sum() > 0 else 2)


def test_a_network_that_cannot_be_exported_is_named_in_a_line(small):
    with pytest.raises(Failed, match=r"^mine: torch cannot export this network \(.+\)$"):
        export_onnx(LookingAtNumbers().eval(), small[1].model_copy(update={"input_channels": 1}), "mine")
