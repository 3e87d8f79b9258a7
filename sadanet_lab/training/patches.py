"""What training shows the network: the patches of every step, cut ahead of time where the device would wait for them.

All randomness of step n comes from (seed, n) alone, so it does not matter who cuts its patches, or when.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sadanet_lab.images import preparation, transforms
from sadanet_lab.images.vpi_folder import Sample
from sadanet_lab.processes import usable_cores
from sadanet_lab.training.recipe import Recipe

MOST_WORKERS = 4
"""Processes that cut patches for one GPU; more than these it does not eat up at the paper's size."""


class TrainingSet(Dataset):
    """The training images, resized and held in memory as uint8; item n is the batch of step n."""

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

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """(pictures (B, 1, h, w), label maps (B, h, w)) of a step, both uint8: a quarter of what floats would take.

        Images come in a shuffled order that uses each once before any comes again.
        """
        generator = torch.Generator().manual_seed(seed_of("patches", self.recipe.seed, step))
        pairs = []
        for position in range(step * self.recipe.batch, (step + 1) * self.recipe.batch):
            epoch, place = divmod(position, len(self.images))
            shuffle = torch.Generator().manual_seed(seed_of("shuffle", self.recipe.seed, epoch))
            chosen = torch.randperm(len(self.images), generator=shuffle)[place]
            pairs.append(self.patch(self.images[chosen], self.masks[chosen], generator))
        images, masks = (torch.stack(parts) for parts in zip(*pairs, strict=True))
        return images, masks

    def batches(self, first: int, workers: int = 0, pin: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of step ``first`` and of all after it; workers: processes that cut them ahead of time, or none.

        pin: in memory from which a GPU fetches them by itself.
        """
        steps = range(first, self.recipe.iterations)
        return iter(DataLoader(self, batch_size=None, sampler=steps, num_workers=workers, pin_memory=pin))


def normalised(images: Tensor, channels: int) -> Tensor:
    """Pictures uint8 (B, 1, h, w) -> float32 (B, channels, h, w), on their device: see ``preparation.normalise``."""
    grey = (images.float() - preparation.GREY_MEAN) / preparation.GREY_SD
    return grey.repeat(1, channels, 1, 1).contiguous(memory_format=torch.channels_last)


def worker_count(device: torch.device) -> int:
    """How many processes cut patches for a device: none for the CPU, whose steps take a hundred times as long."""
    return 0 if device.type == "cpu" else min(MOST_WORKERS, usable_cores())


def seed_of(kind: str, seed: int, index: int) -> int:
    """An independent random stream for each epoch's shuffle, each step's patches and each step's dropout."""
    kinds = ("shuffle", "patches", "dropout")
    return int(np.random.SeedSequence([seed, kinds.index(kind), index]).generate_state(1, np.uint64)[0] >> 1)
