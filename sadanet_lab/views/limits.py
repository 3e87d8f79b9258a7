"""How well intervals hold, as a table."""

import pandas as pd


def coverage_markdown(table: pd.DataFrame) -> str:
    """``studies.limits.coverage`` as Markdown."""
    percent, degrees = "{:.1f} %".format, "{:.1f}°".format
    shown = pd.DataFrame(
        {
            "Phantoms": table.kind,
            "Pictures": table.pictures,
            "Measurable": (100 * table.measurable).map(percent),
            "Largest angle in its interval": (100 * table.covered).map(percent),
            "Median width": table.width.map(degrees),
            "Curves": table.curves,
            "Angle in its interval": (100 * table.curves_covered).map(percent),
            "Median width of curves": table.curves_width.map(degrees),
            "Called strange": (100 * table.strange).map(percent),
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)
