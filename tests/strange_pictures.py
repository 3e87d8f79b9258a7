"""Pictures that are no ultrasound pictures of a whole spine, drawn by simple rules."""

import numpy as np
from scipy.ndimage import gaussian_filter

from sadanet_lab.phantom import draw_picture, draw_spine

HEIGHT, WIDTH = 1024, 256


def _phantom(rng) -> tuple[np.ndarray, np.ndarray]:
    spine = draw_spine(rng, WIDTH, HEIGHT)
    return draw_picture(rng, spine), spine.labels()


def photograph(rng) -> np.ndarray:
    """Dead leaves: discs of all sizes over each other have the statistics of what cameras see (Lee et al., 2001)."""
    height, width = (HEIGHT, WIDTH) if rng.random() < 0.5 else (600, 800)
    image, y, x = np.zeros((height, width)), *np.mgrid[:height, :width]
    for _ in range(700):
        radius = min(8 * rng.random() ** (-1 / 1.2), height / 3)
        inside = (y - rng.uniform(0, height)) ** 2 + (x - rng.uniform(0, width)) ** 2 < radius**2
        image[inside] = rng.uniform(0, 255)
    return _grey(gaussian_filter(image, 0.7) + 3 * rng.standard_normal(image.shape))


def noise(rng) -> np.ndarray:
    return rng.integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)


def fog(rng) -> np.ndarray:
    clouds = gaussian_filter(rng.standard_normal((HEIGHT, WIDTH)), 8)
    return _grey(128 + 50 * clouds / clouds.std())


def x_ray(rng) -> np.ndarray:
    """Bright bones on a soft tissue that fills the frame."""
    _, labels = _phantom(rng)
    tissue = gaussian_filter(rng.standard_normal(labels.shape), 60)
    body = np.exp(-(((np.arange(WIDTH) - WIDTH / 2) / (WIDTH / 5)) ** 2))
    bones = gaussian_filter((labels > 0).astype(float), 4)
    return _grey(90 + 15 * tissue / tissue.std() + 40 * body + 90 * bones + 4 * rng.standard_normal(labels.shape))


def upside_down(rng) -> np.ndarray:
    return _phantom(rng)[0][::-1].copy()


def sideways(rng) -> np.ndarray:
    return _phantom(rng)[0].T.copy()


def inverted(rng) -> np.ndarray:
    return 255 - _phantom(rng)[0]


def inverted_in_its_frame(rng) -> np.ndarray:
    image = _phantom(rng)[0]
    return np.where(image > 0, 255 - image, 0).astype(np.uint8)


def upper_half(rng) -> np.ndarray:
    return _phantom(rng)[0][: HEIGHT // 2].copy()


def lower_half(rng) -> np.ndarray:
    return _phantom(rng)[0][HEIGHT // 2 :].copy()


STRANGE = (
    photograph,
    noise,
    fog,
    x_ray,
    upside_down,
    sideways,
    inverted,
    inverted_in_its_frame,
    upper_half,
    lower_half,
)


def _grey(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
