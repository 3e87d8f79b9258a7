"""Adapting to pictures without masks: what changes in the network, and that it helps on another scanner's phantoms."""

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.inference.framing import network_input
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.methods import method_names
from sadanet_lab.metrics.scores import bone_dice, count
from sadanet_lab.phantom import draw_picture, draw_spine
from sadanet_lab.training.adaptation import adapt
from sadanet_lab.training.models import find_model
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.shipped import shipped_run
from sadanet_lab.training.trainer import build_network


def phantoms(spread, first, number, width=160, height=640):
    """(image, labels) of phantoms of a spread."""
    for i in range(first, first + number):
        for_anatomy, for_appearance = np.random.default_rng([21, i]).spawn(2)
        spine = draw_spine(for_anatomy, width, height, spread)
        yield draw_picture(for_appearance, spine, spread), spine.labels()


class TwoLayers(nn.Module):
    norm: nn.BatchNorm2d

    def __init__(self):
        super().__init__()
        self.layer, self.norm, self.last = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1)

    def forward(self, picture):
        return self.last(self.norm(self.layer(picture)))


def test_each_norm_has_the_mean_over_images_of_the_features_mean_and_variance():
    torch.manual_seed(0)
    network, settings = TwoLayers().eval(), shipped_run().recipe
    images = [image for image, _ in phantoms("usual", 0, 3)]
    adapted = adapt(network, images, settings)
    features = [network.layer(torch.from_numpy(network_input(image, settings).picture)) for image in images]
    norm = adapted.get_submodule("norm")
    for found, of in (
        (norm.get_buffer("running_mean"), lambda f: f.mean((0, 2, 3))),
        (norm.get_buffer("running_var"), lambda f: f.var((0, 2, 3))),
    ):
        torch.testing.assert_close(found, torch.stack([of(f) for f in features]).mean(0), rtol=1e-4, atol=1e-5)
    assert not adapted.training
    assert (network.norm.get_buffer("running_mean") == 0).all()  # the network that was given stays as it was
    for name, weights in network.named_parameters():
        assert torch.equal(weights, dict(adapted.named_parameters())[name])


@pytest.mark.parametrize("method", method_names())
def test_every_method_adapts(method):
    """SA2Net pools the picture to one pixel, of whose features there is no variance: that norm keeps its statistics."""
    recipe = make_recipe(method, "smoke", "0" * 16)
    network = build_network(recipe).eval()
    adapted = adapt(network, [image for image, _ in phantoms("usual", 0, 2)], recipe)
    before, after = (
        {name: norm for name, norm in one.named_modules() if isinstance(norm, nn.BatchNorm2d)}
        for one in (network, adapted)
    )
    stay = {name for name in before if torch.equal(before[name].running_mean, after[name].running_mean)}
    assert all(torch.isfinite(norm.running_var).all() for norm in after.values())
    used = {name for name in stay if not name.startswith("auxiliary.")}  # in training alone
    assert used == ({"trunk.pooling.project.0.1"} if method == "sa2net" else set())


def test_a_network_without_batch_norms_is_refused():
    with pytest.raises(BadInput, match="no batch norms"):
        adapt(nn.Conv2d(1, 4, 1), [], shipped_run().recipe)


@pytest.mark.slow
def test_the_command_writes_a_model_that_finds_more_of_another_scanners_bones(tmp_path):
    for i, (image, _) in enumerate(phantoms("scanner2", 0, 12, 256, 1024)):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    model = tmp_path / "model.onnx"
    result = CliRunner().invoke(main, ["adapt", str(tmp_path), "--out", str(model)])
    assert result.exit_code == 0, result.output
    dice = {}
    for name in ("shipped", str(model)):
        segmenter, tables = Segmenter(find_model(name)), []
        for i, (image, labels) in enumerate(phantoms("scanner2", 100, 8, 256, 1024)):
            tables.append(count(labels, segmenter(image).labels, str(i)))
        dice[name] = bone_dice(pd.concat(tables))
    assert dice[str(model)] > dice["shipped"] + 0.5


def test_a_folder_beside_it_of_the_same_name_is_no_output_folder(tmp_path, monkeypatch):
    """All pictures are taken, those of a folder too that is called like the model."""
    for i, (image, _) in enumerate(phantoms("usual", 0, 3)):
        (tmp_path / "scans" / f"{i}").mkdir(parents=True)
        Image.fromarray(image).save(tmp_path / "scans" / f"{i}" / "a.png")
    told = CliRunner().invoke(main, ["adapt", str(tmp_path / "scans"), "--out", str(tmp_path / "scans" / "1.onnx")])
    assert "adapted to 3 images" in told.output
    told = CliRunner().invoke(
        main, ["adapt", str(tmp_path / "scans" / "0"), "--out", str(tmp_path / "scans" / "0.onnx")]
    )
    assert "adapted to 1 images" in told.output


def test_faults_are_one_line_and_nothing_is_written(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    for arguments, said in (
        ([tmp_path / "text.png", "--out", tmp_path / "a.onnx"], "text.png: "),
        ([tmp_path / "text.png", "--out", tmp_path / "a.pt"], "expected a name that ends in .onnx"),
        ([tmp_path / "none", "--out", tmp_path / "a.onnx"], "none: no such file"),
        (
            [tmp_path / "text.png", "--start", "nothing", "--out", tmp_path / "a.onnx"],
            "nothing: no such folder, and no run of this name in",
        ),
    ):
        result = CliRunner().invoke(main, ["adapt", *map(str, arguments)])
        assert result.exit_code == 2
        assert said in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "a.onnx").exists()
