"""A dataset in numbers: its images and masks, beside what is known of real ones, and which of them to look at."""

import numpy as np
import pandas as pd

from sadanet_core.images.classes import CLASSES
from sadanet_core.images.vpi_folder import Sample, VpiFolder
from sadanet_core.views.tables import PUBLISHED


def dataset_summary(data: VpiFolder) -> pd.DataFrame:
    """A row an image: split, stem, height, width, mean and sd of grey, share of each class in percent."""
    rows = []
    for sample in (*data.train, *data.test):
        image, mask = sample.image(), sample.mask()
        shares = 100 * np.bincount(mask.ravel(), minlength=len(CLASSES)) / mask.size
        rows.append(
            {
                "split": sample.split,
                "stem": sample.stem,
                "height": image.shape[0],
                "width": image.shape[1],
                "grey_mean": image.mean(),
                "grey_sd": image.std(),
                **{f"{name}_percent": share for name, share in zip(CLASSES, shares, strict=True)},
            }
        )
    return pd.DataFrame(rows)


def dataset_statistics(summary: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Mean and sd over images of greys and class shares, beside what is known of real images; also as Markdown.

    summary: of ``dataset_summary``. Columns quantity, mean, sd, real (a number of patients' images), real_source.
    """
    known = pd.read_csv(PUBLISHED / "real_vpi_statistics.csv")
    over_images = summary[known.quantity].agg(["mean", "std"]).T.rename(columns={"std": "sd"})
    table = over_images.rename_axis("quantity").reset_index().merge(known, on="quantity")
    shown = pd.DataFrame(
        {
            "": table.quantity.str.replace("_percent", " (% of the picture)").str.replace("_", " "),
            "Here": [f"{mean:.1f} ({sd:.1f})" for mean, sd in zip(table["mean"], table.sd, strict=True)],
            "Real": table.real.map("{:.1f}".format),
            "Real images": table.real_source,
        }
    )
    return table, shown.to_markdown(index=False, disable_numparse=True)


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
