"""What is published: the paper's tables as printed, and the statistics of one real image."""

from dataclasses import replace

import pandas as pd

from sadanet_lab.metrics.claims import lambda_title
from sadanet_lab.metrics.scores import BONE_AVERAGE, CLASS_AVERAGE, PAPER_METRICS
from sadanet_lab.paths import PUBLISHED
from sadanet_lab.spine.classes import BONES
from sadanet_lab.studies.printed_rows import bases
from sadanet_lab.studies.printed_table import AVERAGE, PrintedTable, read_tables

REAL_IMAGE = "real_vpi_statistics.csv"
"""Statistics of one expert-annotated image, in ``PUBLISHED``."""
FILES = {"I": "table1_methods.csv", "II": "table2_ablation.csv", "IV": "table4_lambda.csv"}


def real_image() -> pd.Series:
    """Quantity of ``image_statistics.measure_image`` -> its value in one expert-annotated image."""
    return pd.read_csv(PUBLISHED / REAL_IMAGE).set_index("quantity").real


def printed_table(*tables: str) -> PrintedTable:
    """Tables "I", "II" or "IV" as one, for ``forensics``; a row that stands in several is taken once, from the first.

    Rows are named as printed, but for Table IV's: "λ = 2.5".
    """
    table = read_tables([PUBLISHED / FILES[name] for name in tables])

    def title(row: str) -> str:
        return lambda_title(float(row.split(" = ")[1])) if row.startswith("lambda_dice = ") else row

    parts = (part.rename(index=title, level="row") for part in (table.value, table.half))
    return replace(table, **dict(zip(("value", "half"), parts, strict=True)))


def published_scores(table: str) -> pd.DataFrame:
    """Table "I", "II" or "IV" as printed, in percent, long: method, region, metric, mean; averages on one basis each.

    average_3_bones is computed from the printed regions. average_4_classes is the printed "Ave." of the rows that
    include the background in it (``printed_rows.bases``). The others (UNet, RSNU, SEAM) print a mean of three, and have
    none. Rows are named as ours: "~ w/o SCA" of Table II is "SADANet w/o SCA".
    """
    found = printed_table(table)
    numbers = found.value[list(PAPER_METRICS)].rename_axis(["method", "region"]).reset_index()
    of_four = numbers[(numbers.region == AVERAGE) & numbers.method.map(bases(found).unprinted)]
    bones = numbers[numbers.region.isin(BONES)]
    of_bones = bones.groupby("method", sort=False)[list(PAPER_METRICS)].mean().reset_index()
    rows = [bones, of_bones.assign(region=BONE_AVERAGE), of_four.assign(region=CLASS_AVERAGE)]
    long = pd.concat(rows).melt(["method", "region"], var_name="metric", value_name="mean").assign(source="paper")
    return long.assign(method=long.method.str.replace("~", "SADANet"))
