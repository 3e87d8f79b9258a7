"""The paper's tables as printed."""

import pandas as pd

from sadanet_lab.metrics.claims import lambda_title
from sadanet_lab.metrics.scores import BONE_AVERAGE, CLASS_AVERAGE, PAPER_METRICS
from sadanet_lab.paths import PUBLISHED
from sadanet_lab.spine.classes import BONES


def published_scores(table: str) -> pd.DataFrame:
    """Table "I", "II" or "IV" as printed, in percent, long: method, region, metric, mean; averages on one basis each.

    average_3_bones is computed from the printed regions. average_4_classes is the printed "Ave." of the rows that
    include the background in it. The others (UNet, RSNU, SEAM) print a mean of three, and have none. Rows are named
    as ours: "~ w/o SCA" of Table II is "SADANet w/o SCA", and Table IV's lambda "λ = 3".
    """
    file, name = {
        "I": ("table1_methods.csv", str),
        "II": ("table2_ablation.csv", lambda row: row.replace("~", "SADANet")),
        "IV": ("table4_lambda.csv", lambda_title),
    }[table]
    numbers = pd.read_csv(PUBLISHED / file)
    numbers.columns = ["method", "region", *PAPER_METRICS]
    numbers["method"] = numbers.method.map(name)
    bones = numbers[numbers.region.isin(BONES)].groupby("method", sort=False)[list(PAPER_METRICS)].mean()
    printed = numbers[numbers.region == "average_as_published"].set_index("method")[list(PAPER_METRICS)]
    # The background's score is near 100: a printed average of four lies more than 2 points above that of the bones.
    of_four = printed[(printed.dice - bones.dice) > 2]
    averages = [bones.assign(region=BONE_AVERAGE), of_four.assign(region=CLASS_AVERAGE)]
    rows = [numbers[numbers.region.isin(BONES)], *(a.reset_index() for a in averages)]
    return pd.concat(rows).melt(["method", "region"], var_name="metric", value_name="mean").assign(source="paper")
