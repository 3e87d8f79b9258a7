"""The timm backbone below the methods: its strides and sizes, its weights from a file, what it refuses."""

import socket

import pytest
import timm
import torch
from safetensors.torch import save_file

from sadanet_core import Backbone, BackboneError

SWIN = "swin_tiny_patch4_window7_224"


@pytest.fixture(autouse=True)
def offline(alike, monkeypatch):
    """A use of the network ends the test, whatever the code catches (pytest's failure is no ``Exception``)."""
    for function in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, function, lambda *_args, **_kwargs: pytest.fail("the network was used"))


@pytest.fixture(scope="module")
def resnet10t():
    """timm's own network, classifier included, with every number changed from its start."""
    model = timm.create_model("resnet10t")
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(0.05 + 0.1 * torch.rand_like(value))
    return model


def refused(*arguments):
    with pytest.raises(BackboneError) as error:
        Backbone(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def strided(size, stride):
    return tuple(-(-side // stride) for side in size)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["resnet10t", SWIN])
def test_a_pyramid_has_four_maps_at_strides_4_to_32_finest_first_at_any_size(name, channels):
    backbone = Backbone(name, channels, "none", 4, 32).eval()
    for size in [(65, 33), (127, 61), (64, 32), (30, 70), (3, 1)]:
        maps = backbone(torch.randn(2, channels, *size))
        assert [tuple(f.shape[-2:]) for f in maps] == [strided(size, stride) for stride in (4, 8, 16, 32)]
        assert [f.shape[:2] for f in maps] == [(2, c) for c in backbone.channels]
    assert len(set(backbone.channels)) == 4


@pytest.mark.parametrize(
    ("stages", "output_stride", "strides"),
    [(2, 8, (8, 8)), (4, 8, (4, 8, 8, 8)), (4, 16, (4, 8, 16, 16)), (1, 32, (32,)), (2, 32, (16, 32))],
)
def test_the_last_stages_are_at_the_strides_asked_for(stages, output_stride, strides):
    maps = Backbone("resnet10t", 1, "none", stages, output_stride)(torch.randn(2, 1, 65, 33))
    assert [tuple(f.shape[-2:]) for f in maps] == [strided((65, 33), stride) for stride in strides]


def test_a_transformer_gives_the_maps_that_timm_gives_channels_moved_to_the_front():
    backbone, picture = Backbone(SWIN, 1, "none", 4, 32).eval(), torch.randn(1, 1, 64, 40)
    for found, expected in zip(backbone(picture), backbone.body(picture), strict=True):
        assert torch.equal(found, expected.permute(0, 3, 1, 2))
    padded = torch.cat([picture[..., :37], torch.zeros(1, 1, 64, 3)], dim=3)
    for found, expected in zip(backbone(picture[..., :37]), backbone(padded), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("name", ["nonsense", "vgg11", "vit_tiny_patch16_224", SWIN])
def test_a_backbone_unknown_or_without_stride_8_is_refused_by_name(name):
    assert repr(name) in refused(name)


@pytest.mark.parametrize("name", ["nonsense", "vit_tiny_patch16_224"])
def test_a_backbone_unknown_or_without_the_strides_of_a_pyramid_is_refused_by_name(name):
    assert repr(name) in refused(name, 1, "none", 4, 32)


@pytest.mark.parametrize("content", ["missing", "text", "nothing", "a list", "another net", "other names", "a part"])
def test_weights_that_are_not_the_whole_backbones_are_refused_by_the_files_name(content, resnet10t, tmp_path):
    path, state = tmp_path / "weights.pt", resnet10t.state_dict()
    if content == "text":
        path.write_text("not weights")
    elif content != "missing":
        objects = {
            "nothing": {},
            "a list": [1, 2],
            "another net": timm.create_model("resnet18").state_dict(),
            "other names": {f"network.{key}": value for key, value in state.items()},
            "a part": {key: value for key, value in state.items() if not key.startswith("layer4")},
        }
        torch.save(objects[content], path)
    assert str(path) in refused("resnet10t", 1, str(path))


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_local_file_of_weights_is_loaded_its_first_convolution_summed_for_grey(channels, suffix, resnet10t, tmp_path):
    path, state = tmp_path / f"weights.{suffix}", resnet10t.state_dict()
    (torch.save if suffix == "pt" else save_file)(state, path)
    found = Backbone("resnet10t", channels, str(path)).body.state_dict()
    if channels == 1:
        state["conv1.0.weight"] = state["conv1.0.weight"].sum(1, keepdim=True)
    assert set(found) == {key for key in state if not key.startswith("fc.")}
    assert [key for key, value in found.items() if not torch.equal(value, state[key])] == []
