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
            "Angles of curves in theirs": (100 * table.curves_covered).map(percent),
            "Called strange": (100 * table.strange).map(percent),
            "Curves": table.curves,
            "Median width of curves": table.curves_width.map(degrees),
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)
