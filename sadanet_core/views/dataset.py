"""A dataset in numbers: its images and masks, beside what is known of real ones, and which of them to look at."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sadanet_core.experiment.progress import progress
from sadanet_core.images.vpi_folder import Sample, VpiFolder
from sadanet_core.images.vpi_statistics import measure
from sadanet_core.views.tables import PUBLISHED


def measured_images(samples: Sequence[Sample]) -> pd.DataFrame:
    """``vpi_statistics.measure`` of each image and its mask: a row an image (index stem), a column a quantity."""
    rows = {}
    with progress(len(samples), "measuring", "images") as bar:
        for sample in samples:
            rows[sample.stem] = measure(sample.image(), sample.mask())
            bar.update()
    return pd.DataFrame(rows).T.rename_axis("stem")


def beside_real(images: pd.DataFrame) -> pd.DataFrame:
    """Each quantity's 5th, 50th and 95th percentile over images, beside a real image's value and where that lies.

    images: of ``measured_images``. Columns quantity, low, median, high, real, within (low <= real <= high).
    """
    known = pd.read_csv(PUBLISHED / "real_vpi_statistics.csv").set_index("quantity").real
    low, median, high = (images[known.index].quantile(q) for q in (0.05, 0.5, 0.95))
    table = pd.DataFrame({"low": low, "median": median, "high": high, "real": known})
    table["within"] = (table.low <= table.real) & (table.real <= table.high)
    return table.rename_axis("quantity").reset_index()


def quantity_title(quantity: str) -> str:
    """ "rib_percent" -> "rib (%)"."""
    return re.sub(r" percent$", " (%)", quantity.replace("_", " "))


def beside_real_markdown(table: pd.DataFrame) -> str:
    """``beside_real`` as Markdown."""
    shown = pd.DataFrame(
        {
            "": table.quantity.map(quantity_title),
            "Here: 5 %": table.low.map("{:.4g}".format),
            "median": table["median"].map("{:.4g}".format),
            "95 %": table.high.map("{:.4g}".format),
            "One real image": table.real.map("{:.4g}".format),
            "within": table.within.map({True: "yes", False: "**no**"}),
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def phantom_truth(data: VpiFolder) -> pd.DataFrame | None:
    """``truth.csv`` of a phantom folder (stem, split, largest_angle_degrees, ...); None for real images."""
    return pd.read_csv(data.root / "truth.csv") if data.is_phantom else None


def chosen_samples(data: VpiFolder, count: int) -> tuple[list[Sample], list[str]]:
    """Test images to look at, and a title each: of phantoms those from the smallest angle to the largest."""
    truth = phantom_truth(data)
    samples = list(data.test)
    titles = {sample.stem: sample.stem for sample in samples}
    if truth is not None:
        angles = truth.set_index("stem").largest_angle_degrees
        samples.sort(key=lambda sample: angles[sample.stem])
        titles = {sample.stem: f"{angles[sample.stem]:.0f}°" for sample in samples}
    places = np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
    return [samples[i] for i in places], [titles[samples[i].stem] for i in places]
