"""A dataset in numbers: its images and masks, beside what is known of real ones, and which of them to look at."""

from collections.abc import Sequence

import pandas as pd

from sadanet_lab.images.image_statistics import measure_image
from sadanet_lab.images.vpi_folder import Sample
from sadanet_lab.progress import progress
from sadanet_lab.studies.published import real_image


def measure_images(samples: Sequence[Sample]) -> pd.DataFrame:
    """``measure_image`` of each image and its mask: a row per image (index stem), a column per quantity."""
    rows = {}
    with progress(len(samples), "measuring", "images") as bar:
        for sample in samples:
            rows[sample.stem] = measure_image(sample.image(), sample.mask())
            bar.update()
    return pd.DataFrame(rows).T.rename_axis("stem")


def compare_with_real(images: pd.DataFrame) -> pd.DataFrame:
    """Each quantity's 5th, 50th and 95th percentile over images, beside a real image's value and where that lies.

    images: of ``measure_images``. Columns quantity, low, median, high, real, within (low <= real <= high).
    """
    known = real_image()
    low, median, high = (images[known.index].quantile(q) for q in (0.05, 0.5, 0.95))
    table = pd.DataFrame({"low": low, "median": median, "high": high, "real": known})
    table["within"] = (table.low <= table.real) & (table.real <= table.high)
    return table.rename_axis("quantity").reset_index()
