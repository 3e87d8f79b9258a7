"""Training, Sec. IV-B: a thin loop that can be killed at any moment and goes on to the same weights.

All randomness of step n comes from (seed, n) alone: which patches, which dropout. So a checkpoint needs no random
state, and a step is the same whether its process ran those before it or not.
"""

import math
import time
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from sadanet_core import Backbone
from sadanet_core.blocks import SegmentationNetwork
from sadanet_lab import methods
from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.files import write_atomically
from sadanet_lab.images.vpi_folder import VpiFolder
from sadanet_lab.progress import progress
from sadanet_lab.training.checkpoints import Checkpoints
from sadanet_lab.training.devices import take_devices
from sadanet_lab.training.patches import TrainingSet, normalised, seed_of, worker_count
from sadanet_lab.training.recipe import Recipe, read_weights

HISTORY_ROWS = 100
CHECKPOINT_SECONDS = 30.0
READ_EVERY = 20
"""Steps after which losses are read: a GPU is sent so many ahead, where reading each would make it wait each time."""


def build_network(recipe: Recipe) -> SegmentationNetwork:
    """The recipe's network at its start: its random weights come from the recipe's seed, or all from ``start_file``."""
    torch.manual_seed(recipe.seed)
    network = methods.find_method(recipe.method).build(recipe.network_settings())
    if recipe.first_weights == "pytorch":
        _draw_as_pytorch(network)
    if recipe.start_file is not None:
        start = Path(recipe.start_file)
        load_weights(network, read_weights(start), start, recipe.method)
    return network.to(memory_format=torch.channels_last)


def load_weights(network: nn.Module, content: bytes, file: Path, method: str) -> None:
    """Give a method's network the weights in a safetensors file's content.

    Raises ``BadInput`` naming the file if they are of another network, or not all finite numbers.
    """
    try:
        weights = load(content)
        network.load_state_dict(weights)
    except (RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadInput(f"{file}: not the weights of this version's {method} ({reason})") from None
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise BadInput(f"{file}: {name} holds numbers that are not finite; expected weights of a sound training")


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
        methods.find_method(recipe.method).build(recipe.bare_network_settings())


def learning_rate(recipe: Recipe, step: int) -> float:
    """Cosine from the first to the final rate over the iterations; step 0 has the first rate."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.iterations))
    return recipe.final_learning_rate + (recipe.learning_rate - recipe.final_learning_rate) * cosine


def check_device(device: str) -> None:
    """Raises ``BadInput`` for a device that this machine lacks; "auto" takes the best there is."""
    if (device == "cuda" and not torch.cuda.is_available()) or (
        device == "mps" and not torch.backends.mps.is_available()
    ):
        raise BadInput(f"device: found {device!r}, which PyTorch cannot use on this machine; expected auto or cpu")


def find_device(device: str) -> torch.device:
    """The device that "auto", "cpu", "cuda" or "mps" means on this machine, for this process to compute on.

    Of a GPU it takes a slot, for which it may wait, and which is held until the process ends: see ``devices``.
    """
    check_device(device)
    return _fabric(device, "32-true").device


def _fabric(device: str, precision: Literal["32-true", "bf16-mixed"]):
    from lightning_fabric import Fabric  # half a second to load, and only needed to train or to evaluate
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    # Named, or within a Slurm job it would expect a process for each of the job's tasks.
    devices, environment = take_devices(device), LightningEnvironment()
    return Fabric(accelerator=device, devices=devices, precision=precision, plugins=environment)


def train(
    network: SegmentationNetwork,
    recipe: Recipe,
    data: VpiFolder,
    folder: Path,
    device: str = "auto",
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    snapshots: int = 0,
) -> tuple[pd.DataFrame, float]:
    """Train a network of ``build_network`` to the recipe's last iteration, or on from its checkpoint in ``folder``.

    Changes the network in place and moves it to the device ("auto", "cpu", "cuda", "mps"). Returns the history
    (step, learning_rate, loss: mean over the steps since the row before) and the seconds spent in all processes that
    worked on it. snapshots: how many times, evenly spaced, the weights are kept in ``folder/snapshots`` for those who
    want to see them change.
    Raises ``Failed`` if the loss is no longer a finite number.
    """
    fabric = _fabric(device, "bf16-mixed" if recipe.precision == "bfloat16" else "32-true")
    network.train()
    loss_of = methods.find_method(recipe.method).losses[recipe.loss](network, recipe.lambda_dice)
    optimizer = torch.optim.Adam(_parameter_groups(network, recipe.weight_decay), lr=recipe.learning_rate, fused=True)
    model, optimizer = fabric.setup(network, optimizer)
    checkpoints = Checkpoints(folder, recipe.digest, network, optimizer)
    done = checkpoints.load(fabric.device)
    training_set = TrainingSet(data.train[: recipe.training_images], recipe)
    batches = training_set.batches(done.step, worker_count(fabric.device), pin=fabric.device.type == "cuda")

    start = saved = time.monotonic()
    seconds_before = done.seconds
    row_every = max(1, recipe.iterations // HISTORY_ROWS)
    kept_at = {round(recipe.iterations * (i + 1) / (snapshots + 1)) for i in range(snapshots)}
    unread: list[Tensor] = []
    with progress(recipe.iterations, recipe.name, "steps", initial=done.step) as bar:
        for pictures, labels in batches:
            rate = learning_rate(recipe, done.step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            pictures, labels = (part.to(fabric.device, non_blocking=True) for part in (pictures, labels))
            torch.manual_seed(seed_of("dropout", recipe.seed, done.step))
            optimizer.zero_grad()
            loss = loss_of(model(normalised(pictures, recipe.input_channels)), labels.long())
            fabric.backward(loss)
            optimizer.step()
            done.step += 1
            unread.append(loss.detach())
            is_last, is_row = done.step == recipe.iterations, done.step % row_every == 0
            is_due = time.monotonic() - saved >= checkpoint_seconds
            if len(unread) == READ_EVERY or is_row or is_due or is_last or done.step in kept_at:
                done.losses += _read(unread, recipe.name, done.step)
                bar.set_postfix_str(f"loss {done.losses[-1]:.3f}, rate {rate:.1e}", refresh=False)
            bar.update()
            if is_row or is_last:
                mean = sum(done.losses) / len(done.losses)
                done.history.append({"step": done.step, "learning_rate": rate, "loss": mean})
                done.losses.clear()
            if done.step in kept_at:
                _keep_snapshot(network, folder / "snapshots" / f"step-{done.step:06d}.safetensors")
            if is_due or is_last:
                saved = time.monotonic()
                done.seconds = seconds_before + saved - start
                checkpoints.save(done)
    return pd.DataFrame(done.history), seconds_before + time.monotonic() - start


def _read(unread: list[Tensor], name: str, step: int) -> list[float]:
    """The losses of the steps up to ``step``, for which a GPU is waited for; raises ``Failed`` if one is no number."""
    losses = torch.stack(unread).tolist()
    unread.clear()
    for at, loss in enumerate(losses, start=step - len(losses) + 1):
        if not math.isfinite(loss):
            raise Failed(f"{name}: the loss became {loss} at step {at}; try a lower --learning-rate")
    return losses


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """All parameters decay but attention's gamma: L2 within Adam's scaled steps would draw it to 0, its attention off.

    Backbones may call other things so.
    """
    gammas, others = [], []
    for name, parameter in network.named_parameters():
        is_gamma = name.rpartition(".")[2] == "gamma" and not name.startswith("backbone.")
        (gammas if is_gamma else others).append(parameter)
    groups = [{"params": others, "weight_decay": weight_decay}, {"params": gammas, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def weights_content(network: nn.Module) -> bytes:
    """Of the safetensors file that holds a network's weights."""
    return save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})


def _keep_snapshot(network: nn.Module, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, weights_content(network))
