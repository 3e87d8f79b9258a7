"""Random smooth fields: the raw material of every effect. All are made small and enlarged, which is cheap."""

import numpy as np
from PIL import Image


def enlarge(grid: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """``grid`` (h, w) resampled to ``shape`` (H, W), float32: smooth when larger, averaged when smaller."""
    picture = Image.fromarray(np.ascontiguousarray(grid, dtype=np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def clouds(rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]) -> np.ndarray:
    """Random field (H, W) of mean 0 and sd 1, correlated over about ``cell`` (rows, columns) entries."""
    # Two cells more than fit: the field's edge must not be the same as a cell's edge in every picture.
    small = tuple(int(np.ceil(n / c)) + 2 for n, c in zip(shape, cell, strict=True))
    field = enlarge(rng.standard_normal(small, dtype=np.float32), shape)
    return (field - field.mean()) / field.std()


def wave(rng: np.random.Generator, length: int, cell: float) -> np.ndarray:
    """Random curve (length,) of mean about 0 and sd about 1 that wanders over about ``cell`` entries."""
    knots = rng.standard_normal((int(np.ceil(length / cell)) + 2, 1))
    # Bicubic enlargement keeps about two thirds of the variance of independent knots.
    return 1.2 * enlarge(knots, (length, 1))[:, 0]
