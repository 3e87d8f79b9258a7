"""The state of a training that was cut: enough to go on bit for bit, and two of them, should one be damaged."""

import hashlib
import io
import pickle
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from sadanet_lab.files import open_atomically

NAME, BEFORE = "checkpoint.pt", "checkpoint-before.pt"
"""The last state, and the one before it."""
_SUM_BYTES = hashlib.sha256().digest_size


@dataclass
class Progress:
    """How far a training has come."""

    step: int = 0
    history: list[dict] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    """Since the last row of ``history``."""
    seconds: float = 0.0
    """Spent by all processes that worked on it."""


class Checkpoints:
    """Those in a run's folder; each ends with the sum of what stands before, so that a damaged one is known.

    recipe: digest of the recipe that is trained.
    """

    def __init__(self, folder: Path, recipe: str, network: nn.Module, optimizer: torch.optim.Optimizer):
        self.folder, self.recipe, self.network, self.optimizer = folder, recipe, network, optimizer

    def load(self, device: torch.device) -> Progress:
        """Give network and optimizer the last state that can be read; of a new training, leave them as they are.

        One that cannot be read is set aside under another name, with a line on stderr.
        """
        for path in (self.folder / NAME, self.folder / BEFORE):
            if not path.exists():
                continue
            try:
                state = self._read(path, device)
            except (OSError, ValueError) as error:
                aside = path.replace(path.with_name(f"{path.name}.damaged"))
                print(f"{path}: {error}; set aside as {aside.name}", file=sys.stderr, flush=True)
                continue
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            return Progress(**state["progress"])
        return Progress()

    def save(self, progress: Progress) -> None:
        state = {
            "recipe": self.recipe,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(progress),
        }
        content = io.BytesIO()  # of a full disk torch.save would not say so
        torch.save(state, content)
        path = self.folder / NAME
        with open_atomically(path) as file:
            file.write(content.getbuffer())
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.flush()
            if path.exists():
                path.replace(self.folder / BEFORE)

    def _read(self, path: Path, device: torch.device) -> dict:
        content = path.read_bytes()
        if hashlib.sha256(content[:-_SUM_BYTES]).digest() != content[-_SUM_BYTES:]:
            raise ValueError("damaged or cut short")
        try:
            state = torch.load(io.BytesIO(content[:-_SUM_BYTES]), map_location=device, weights_only=True)
        except (pickle.UnpicklingError, RuntimeError):  # it holds code, or is no file of PyTorch's
            raise ValueError("not a checkpoint of this program") from None
        if not isinstance(state, dict) or state.get("recipe") != self.recipe:
            raise ValueError("a checkpoint of another recipe or version")
        return state


def remove_checkpoints(folder: Path) -> None:
    """Of a run that is complete."""
    for path in folder.glob("checkpoint*.pt*"):
        path.unlink(missing_ok=True)
