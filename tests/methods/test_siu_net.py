"""SIU-Net against its released code's description, written out with functions alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sadanet_lab.methods import find_method
from sadanet_lab.methods.shared.method import NetworkSettings

pytestmark = pytest.mark.usefixtures("alike")

WIDTH = 64  # base 4: blocks of 4 to 64 channels


def build(width=WIDTH, **settings):
    return find_method("siu-net").build(NetworkSettings(width=width, backbone=None, **settings))


def awake(network):
    """float64, every norm away from the identity, but for the scales that are not learned."""
    for module in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        for scale in (module.running_var, *([module.weight] if "weight" in module._parameters else [])):
            nn.init.uniform_(scale, 0.5, 2)
        for shift in (module.running_mean, module.bias):
            nn.init.normal_(shift, 0, 0.3)
    return network.double()


class Written:
    """The description with the weights of a state dict; norms by running statistics or by the batch's."""

    def __init__(self, weights, training):
        self.weights, self.training = weights, training

    def norm(self, name, f):
        w = self.weights
        mean, variance = w[f"{name}.running_mean"], w[f"{name}.running_var"]
        if self.training:
            mean, variance = f.mean((0, 2, 3)), f.var((0, 2, 3), unbiased=False)
        scale = w.get(f"{name}.weight", torch.ones_like(mean))
        shaped = [each[:, None, None] for each in (mean, variance, scale, w[f"{name}.bias"])]
        return (f - shaped[0]) / (shaped[1] + 1e-5).sqrt() * shaped[2] + shaped[3]

    def lin(self, name, f):
        kernel = self.weights[f"{name}.0.weight"]
        return self.norm(f"{name}.1", F.conv2d(f, kernel, padding="same"))

    def conv(self, name, f):
        return self.lin(name, f).clamp(min=0)

    def block(self, name, f):
        a = self.conv(f"{name}.a.1", self.conv(f"{name}.a.0", f))
        b = self.conv(f"{name}.b.1", self.conv(f"{name}.b.0", f))
        c = self.conv(f"{name}.c", f)
        return self.norm(
            f"{name}.norm",
            (self.norm(f"{name}.norm_sum", a + b + c) + self.lin(f"{name}.shortcut", f)).clamp(min=0),
        )

    def path(self, name, f, n):
        for step in (f"{name}.{i}" for i in range(n)):
            both = self.lin(f"{step}.shortcut", f) + self.conv(f"{step}.residual", f)
            f = self.norm(f"{step}.norm", both.clamp(min=0))
        return f

    def up(self, name, f, to):
        """Each input pixel fills a 2 x 2 square; rows and columns beyond the map of that size are cut off."""
        kernel, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        squares = torch.einsum("bihw,ioyx->bohywx", f, kernel) + bias[:, None, None, None, None]
        return squares.flatten(4, 5).flatten(2, 3)[:, :, : to.shape[2], : to.shape[3]]

    def __call__(self, picture):
        maps = [self.block("encoder.0", picture)]
        for i in range(1, 5):
            maps.append(self.block(f"encoder.{i}", F.max_pool2d(maps[-1], 2, ceil_mode=True)))
        s1, s2, s3, s4 = (self.path(f"skips.{i}", maps[i], 4 - i) for i in range(4))
        d6 = self.block("block6", torch.cat([self.up("up5", maps[4], s4), s4], 1))
        u61, v6 = self.up("u61", d6, s3), self.up("v6", d6, s3)
        u62 = self.up("u62", u61, s2)
        u63 = self.up("u63", u62, s1)
        d7 = self.block("block7", torch.cat([s3, v6, u61], 1))
        u71, v7 = self.up("u71", d7, s2), self.up("v7", d7, s2)
        u72 = self.up("u72", u71, s1)
        d8 = self.block("block8", torch.cat([s2, v7, u71, u62], 1))
        u81, v8 = self.up("u81", d8, s1), self.up("v8", d8, s1)
        d9 = self.block("block9", torch.cat([s1, v8, u72, u63, u81], 1))
        return F.conv2d(d9, self.weights["classify.weight"], self.weights["classify.bias"])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(64, 32), (37, 19), (50, 23), (33, 48)])
def test_the_logits_are_those_of_the_description_written_out(size, channels, training):
    network = awake(build(input_channels=channels)).train(training)
    written = Written({name: value.clone() for name, value in network.state_dict().items()}, training)
    picture = torch.randn(2, channels, *size, dtype=torch.float64)
    with torch.no_grad():
        found = network(picture)["main"] if training else network(picture)
        torch.testing.assert_close(found, written(picture), rtol=1e-9, atol=1e-10)


def count(channels, b):
    """Block (i -> U): 1 x 1 thrice, 3 x 3 of i once, of U twice, six shifts, two norms; a step: 1 x 1, 3 x 3, norm."""

    def block(i, u):
        return 12 * i * u + 18 * u * u + 6 * u + 4 * u

    def path(u, n):
        return n * (10 * u * u + 2 * u + 2 * u)

    def up(i, o):
        return 4 * i * o + o

    blocks = block(channels, b) + sum(block(u, 2 * u) for u in (b, 2 * b, 4 * b, 8 * b))
    blocks += block(16 * b, 8 * b) + block(14 * b, 4 * b) + block(16 * b, 2 * b) + block(17 * b, b)
    paths = path(b, 4) + path(2 * b, 3) + path(4 * b, 2) + path(8 * b, 1)
    ups = up(16 * b, 8 * b) + 3 * up(8 * b, 8 * b) + up(8 * b, 2 * b) + 2 * up(4 * b, 4 * b) + up(4 * b, 2 * b)
    ups += 2 * up(2 * b, 2 * b)
    return blocks + paths + ups + 4 * (b + 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("width", "base"), [(512, 32), (128, 8), (32, 2)])
def test_the_parameters_are_those_counted_by_hand(channels, width, base):
    with torch.device("meta"):
        network = build(width, input_channels=channels)
    assert sum(each.numel() for each in network.parameters()) == count(channels, base)


def test_widths_are_the_papers_at_width_512():
    with torch.device("meta"):
        network = build(512, input_channels=1)
    widths = [
        block.norm.num_features for block in (*network.encoder, *(getattr(network, f"block{i}") for i in (6, 7, 8, 9)))
    ]
    assert widths == [32, 64, 128, 256, 512, 256, 128, 64, 32]
    assert [len(path) for path in network.skips] == [4, 3, 2, 1]
    ups = {name: up.weight.shape[1] for name, up in network.named_children() if isinstance(up, nn.ConvTranspose2d)}
    narrow = {"v6": 64, "v7": 64, "v8": 64, "u81": 64}
    assert ups == {"up5": 256, "u61": 256, "u62": 256, "u63": 256, "u71": 128, "u72": 128} | narrow


def test_norms_after_convolutions_learn_no_scale_and_store_none():
    network = build()
    after = {
        f"{name}.1"
        for name, m in network.named_modules()
        if isinstance(m, nn.Sequential) and isinstance(m[0], nn.Conv2d)
    }
    norms = {name: m for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)}
    state = network.state_dict()
    assert after < set(norms)
    assert {name for name in norms if f"{name}.weight" not in state} == after
    assert all((norms[name].weight == 1).all() for name in after)
