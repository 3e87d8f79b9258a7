"""Training, Sec. IV-B: a thin loop that can be killed at any moment and goes on to the same weights.

All randomness of step n comes from (seed, n) alone: which patches, which dropout. So a checkpoint needs no random
state, and a step is the same whether its process ran those before it or not.
"""

import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sadanet_core import Backbone
from sadanet_core.blocks import SegmentationNetwork
from sadanet_lab import methods
from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.images import preparation, transforms
from sadanet_lab.images.vpi_folder import Sample, VpiFolder
from sadanet_lab.progress import progress
from sadanet_lab.training.devices import take_devices
from sadanet_lab.training.recipe import Recipe

HISTORY_ROWS = 100
CHECKPOINT_SECONDS = 30.0


def build_network(recipe: Recipe) -> SegmentationNetwork:
    """The recipe's network at its start: its random weights come from the recipe's seed, or all from ``start_file``."""
    torch.manual_seed(recipe.seed)
    network = methods.find_method(recipe.method).build(recipe.network_settings())
    if recipe.first_weights == "pytorch":
        _draw_as_pytorch(network)
    if recipe.start_file is not None:
        load_weights(network, Path(recipe.start_file), recipe.method)
    return network.to(memory_format=torch.channels_last)


def load_weights(network: nn.Module, file: Path, method: str) -> None:
    """Give a method's network the weights in a file; raises ``BadInput`` if there are none, or of another network."""
    if not file.is_file():
        raise BadInput(f"{file}: no such file; a run that is kept for the record has no weights")
    try:
        network.load_state_dict(load_file(file))
    except (RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadInput(f"{file}: not the weights of this version's {method} ({reason})") from None


def _draw_as_pytorch(network: nn.Module) -> None:
    """Draw all convolutions outside the backbone anew, as PyTorch's layers start by themselves."""
    for child in network.children():
        if isinstance(child, nn.Conv2d):
            child.reset_parameters()
        elif not isinstance(child, Backbone):
            _draw_as_pytorch(child)


def check_network(recipe: Recipe) -> None:
    """Raises ``BadInput`` if the recipe's network cannot be built, whatever its weights; computes nothing."""
    with torch.device("meta"):
        methods.find_method(recipe.method).build(recipe.model_copy(update={"weights": "none"}).network_settings())


def learning_rate(recipe: Recipe, step: int) -> float:
    """Cosine from the first to the final rate over the iterations; step 0 has the first rate."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.iterations))
    return recipe.final_learning_rate + (recipe.learning_rate - recipe.final_learning_rate) * cosine


class TrainingSet:
    """The training images, resized and held in memory as uint8; gives the batch of any step."""

    def __init__(self, samples: tuple[Sample, ...], recipe: Recipe):
        size = recipe.image_height, recipe.image_width
        images = [preparation.resize(sample.image(), *size) for sample in samples]
        masks = [transforms.resize_mask(sample.mask(), *size) for sample in samples]
        images, self.masks = (
            [torch.from_numpy(preparation.add_margin(p, recipe.margin)) for p in parts] for parts in (images, masks)
        )
        self.images = [image[None] for image in images]
        patch = recipe.patch_height, recipe.patch_width
        self.patch = {
            "paper": transforms.TrainingPatch(*patch, recipe.rotation_degrees),
            "upright": transforms.TrainingPatch(*patch, recipe.rotation_degrees, upright=True),
            "rescaled": transforms.RescaledPatch(*patch),
            "randomised": transforms.RandomisedView(*patch),
        }[recipe.augmentation]
        self.recipe = recipe

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """(pictures float32 (B, channels, h, w), labels int64 (B, h, w)) of a step.

        Images come in a shuffled order that uses each once before any comes again.
        """
        generator = torch.Generator().manual_seed(_seed_of("patches", self.recipe.seed, step))
        pairs = []
        for position in range(step * self.recipe.batch, (step + 1) * self.recipe.batch):
            epoch, place = divmod(position, len(self.images))
            shuffle = torch.Generator().manual_seed(_seed_of("shuffle", self.recipe.seed, epoch))
            chosen = torch.randperm(len(self.images), generator=shuffle)[place]
            pairs.append(self.patch(self.images[chosen], self.masks[chosen], generator))
        images, masks = (torch.stack(parts) for parts in zip(*pairs, strict=True))
        normalised = torch.from_numpy(preparation.normalise(images.numpy(), self.recipe.input_channels))
        return normalised.contiguous(memory_format=torch.channels_last), masks.long()


def check_device(device: str) -> None:
    """Raises ``BadInput`` for a device that this machine lacks; "auto" takes the best there is."""
    if (device == "cuda" and not torch.cuda.is_available()) or (
        device == "mps" and not torch.backends.mps.is_available()
    ):
        raise BadInput(f"device: found {device!r}, which PyTorch cannot use on this machine; expected auto or cpu")


def find_device(device: str) -> torch.device:
    """The device that "auto", "cpu", "cuda" or "mps" means on this machine."""
    from lightning_fabric import Fabric  # half a second to load, and only needed to train or to evaluate

    check_device(device)
    return Fabric(accelerator=device, devices=take_devices(device)).device


def train(
    network: SegmentationNetwork,
    recipe: Recipe,
    data: VpiFolder,
    folder: Path,
    device: str = "auto",
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    snapshots: int = 0,
) -> tuple[pd.DataFrame, float]:
    """Train a network of ``build_network`` to the recipe's last iteration, or on from ``folder/checkpoint.pt``.

    Changes the network in place and moves it to the device ("auto", "cpu", "cuda", "mps"). Returns the history
    (step, learning_rate, loss: mean over the steps since the row before) and the seconds spent in all processes that
    worked on it. snapshots: how many times, evenly spaced, the weights are kept in ``folder/snapshots`` for those who
    want to see them change.
    Raises ``Failed`` if the loss is no longer a finite number.
    """
    from lightning_fabric import Fabric  # half a second to load, and only needed here

    precision = "bf16-mixed" if recipe.precision == "bfloat16" else "32-true"
    fabric = Fabric(accelerator=device, devices=take_devices(device), precision=precision)
    network.train()
    loss_of = methods.find_method(recipe.method).losses[recipe.loss](network, recipe.lambda_dice)
    optimizer = torch.optim.Adam(_parameter_groups(network, recipe.weight_decay), lr=recipe.learning_rate, fused=True)
    model, optimizer = fabric.setup(network, optimizer)
    checkpoint = _Checkpoint(folder / "checkpoint.pt", network, optimizer)
    step, history, losses, seconds_before = checkpoint.load(fabric.device)
    training_set = TrainingSet(data.train[: recipe.training_images], recipe)

    start = saved = time.monotonic()
    row_every = max(1, recipe.iterations // HISTORY_ROWS)
    kept_at = {round(recipe.iterations * (i + 1) / (snapshots + 1)) for i in range(snapshots)}
    with progress(recipe.iterations, recipe.name, "steps", initial=step) as bar:
        while step < recipe.iterations:
            rate = learning_rate(recipe, step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            pictures, labels = (part.to(fabric.device) for part in training_set.batch(step))
            torch.manual_seed(_seed_of("dropout", recipe.seed, step))  # dropout
            optimizer.zero_grad()
            loss = loss_of(model(pictures), labels)
            fabric.backward(loss)
            optimizer.step()
            step += 1
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise Failed(f"{recipe.name}: the loss became {losses[-1]} at step {step}; try a lower --learning-rate")
            bar.set_postfix_str(f"loss {losses[-1]:.3f}, rate {rate:.1e}", refresh=False)
            bar.update()
            if step % row_every == 0 or step == recipe.iterations:
                history.append({"step": step, "learning_rate": rate, "loss": sum(losses) / len(losses)})
                losses.clear()
            if step in kept_at:
                _keep_snapshot(network, folder / "snapshots" / f"step-{step:06d}.safetensors")
            if time.monotonic() - saved >= checkpoint_seconds or step == recipe.iterations:
                saved = time.monotonic()
                checkpoint.save(step, history, losses, seconds_before + saved - start)
    return pd.DataFrame(history), seconds_before + time.monotonic() - start


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """All parameters decay but gamma: L2 within Adam's scaled steps would draw that scalar to 0, its attention off."""
    gammas, others = [], []
    for name, parameter in network.named_parameters():
        (gammas if name.rpartition(".")[2] == "gamma" else others).append(parameter)
    groups = [{"params": others, "weight_decay": weight_decay}, {"params": gammas, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _keep_snapshot(network: nn.Module, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, temporary)
    temporary.replace(path)


class _Checkpoint:
    """Weights, optimizer, step and history, enough to go on bit for bit; replaced atomically."""

    def __init__(self, path: Path, network: nn.Module, optimizer):
        self.path, self.network, self.optimizer = path, network, optimizer

    def load(self, device: torch.device) -> tuple[int, list[dict], list[float], float]:
        if not self.path.exists():
            return 0, [], [], 0.0
        state = torch.load(self.path, map_location=device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        return state["step"], state["history"], state["losses"], state["seconds"]

    def save(self, step: int, history: list[dict], losses: list[float], seconds: float) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": step,
            "history": history,
            "losses": losses,
            "seconds": seconds,
        }
        temporary = self.path.with_name(f".{self.path.name}")
        torch.save(state, temporary)
        temporary.replace(self.path)


def _seed_of(kind: str, seed: int, index: int) -> int:
    """An independent random stream for each epoch's shuffle, each step's patches and each step's dropout."""
    kinds = ("shuffle", "patches", "dropout")
    return int(np.random.SeedSequence([seed, kinds.index(kind), index]).generate_state(1, np.uint64)[0] >> 1)
