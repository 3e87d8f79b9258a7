"""What was found, as tables: docs/parity.csv, parity_initial_weights.csv, parity.md, and a section of docs/exact.md."""

from pathlib import Path

import pandas as pd

from tools.parity.released import ROOT
from tools.parity.starts import summary

TABLE = ROOT / "docs" / "parity.csv"
STARTS = ROOT / "docs" / "parity_initial_weights.csv"
PAGE = ROOT / "docs" / "parity.md"
EXACT = ROOT / "docs" / "exact.md"
BEGIN, END = "<!-- parity: written by `make parity` -->", "<!-- parity: end -->"


def keep_others(found: pd.DataFrame, path: Path) -> pd.DataFrame:
    """``found``, and the rows of networks not compared this time from the table that is there, in its order."""
    if not path.is_file():
        return found
    before = pd.read_csv(path, keep_default_na=False)
    order = list(dict.fromkeys([*before.network, *found.network]))
    both = pd.concat([before[~before.network.isin(found.network)], found], ignore_index=True)
    return both.sort_values("network", key=lambda names: names.map(order.index), kind="stable", ignore_index=True)


def power(value: float) -> str:
    """Two digits; with a power of ten below 0.01."""
    return "0" if value == 0 else f"{value:.1e}" if value < 0.01 else f"{float(f'{value:.2g}'):g}"


def comparison_markdown(table: pd.DataFrame) -> str:
    """One line a row of the comparison."""
    lines = [
        "| network | released, changed | picture | parameters | logits | largest | loss | gradients | statistics |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in table.itertuples():
        same = "=" if row.parameters == row.released_parameters else f"(released {row.released_parameters:,})"
        figures = [
            power(getattr(row, name)) for name in ("logits", "largest_logit", "loss", "gradient", "running_statistics")
        ]
        cells = [row.network, row.changed or "-", f"{row.height} x {row.width}", f"{row.parameters:,} {same}", *figures]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def short_markdown(table: pd.DataFrame) -> str:
    """One line a network and change: the largest of each figure over the sizes of pictures."""
    lines = [
        "| network | released, changed | parameters | logits | largest | loss | gradients |",
        "|---|---|---|---|---|---|---|",
    ]
    worst = table.assign(size=table.height.astype(str) + " x " + table.width.astype(str))
    # Where a size of picture makes another network of it, that size is a line of its own.
    worst["apart"] = worst["size"].where(worst.logits > 1e-6, "")
    for (network, changed, apart), part in worst.groupby(["network", "changed", "apart"], sort=False):
        row = part.iloc[0]
        same = "=" if row.parameters == row.released_parameters else f"(released {row.released_parameters:,})"
        figures = [power(part[name].max()) for name in ("logits", "largest_logit", "loss", "gradient")]
        what = ", ".join(filter(None, [changed, apart and f"{apart} pixels"])) or "-"
        lines.append(f"| {network} | {what} | {row.parameters:,} {same} | " + " | ".join(figures) + " |")
    return "\n".join(lines)


def starts_markdown(table: pd.DataFrame) -> str:
    lines = ["| network | learned weights | start otherwise | which |", "|---|---|---|---|"]
    lines += [
        f"| {row.network} | {row.weights} | {row.differ} | {row.which or '-'} |" for row in summary(table).itertuples()
    ]
    return "\n".join(lines)


def layers_markdown(table: pd.DataFrame) -> str:
    """Every weight outside the backbone that is no norm's and no gamma, released beside ours.

    Of the token decoder's blocks, alike but for their number, those alone that differ.
    """
    repeated = table.weight.str.contains(".blocks.", regex=False) & ~table.differs
    shown = table[~table.weight.str.startswith("backbone.") & (table.kind == "layer") & ~repeated]
    lines = ["| network | weight | released | ours | |", "|---|---|---|---|---|"]
    for row in shown.itertuples():
        cells = [
            form if form.startswith("constant") else f"{form}, sd {deviation:.4f}, mean {mean:.4f}"
            for form, deviation, mean in (
                (row.released_form, row.released_sd, row.released_mean),
                (row.ours_form, row.ours_sd, row.ours_mean),
            )
        ]
        lines.append(f"| {row.network} | `{row.weight}` | {cells[0]} | {cells[1]} | {'differs' * row.differs} |")
    return "\n".join(lines)


INTRODUCTION = """# Parity with released code

Written by `make parity`. Each network is built from its released configuration in MMSegmentation {MMSegmentation}, at
full width with its own initial weights; then every norm is moved away from the identity and every gamma set to 0.5. Its
weights are given to ours name by name, each used once, and both see the same two pictures in float64 ({device};
mmcv {mmcv}, PyTorch {PyTorch}). Figures are the largest absolute difference of any logit in evaluation, beside the
largest logit; of the training loss (cross-entropy: lambda 0, times the 4 classes); of any gradient, as a fraction of
its weight's largest; and of any batch norm's running mean or variance after that step.

mmcv is built without its compiled operators; the one stub is `mmcv._ext`. PSAMask is mmcv's own C++ for CPUs, compiled
alone. Criss-cross attention is mmcv's own Python. Released batch norms for several processes are ordinary ones here.

"""

NOT_HAD = """
MMSegmentation has no SADANet, RSNU, SEAM and SIU-Net. SA2Net's repository is in no package registry: SA2Net itself is
compared where a clone is named, `make parity SA2NET=folder`; its trunk (UPerNet) and its spatial attention (CCNet's)
always are. UNet: released code refuses sides that 16 does not divide. PSANet: the released projection, a 1 x 1
convolution, is padded by 1, which the authors' own code does not have; in the rows named so it is not padded. Pictures
of 40 x 56 and 48 x 56 pixels give maps of 5 x 7 and 6 x 7: released code shrinks the first with its corners aligned and
rounds the second down, ours always rounds up and aligns no corners.

## Initial weights

One sample of each network as it is built, the released one by its own `init_weights`. A weight starts otherwise where
its form (constant, uniform, normal) differs, or its standard deviation by more than five standard errors of the sample.

"""


LAYERS = """The layers outside the backbone (of SA2Net's token decoder only what differs; all weights are in
parity_initial_weights.csv):

"""


def kinds(table: pd.DataFrame) -> pd.DataFrame:
    """Adds "kind": layer, norm or gamma, by the released name."""
    norms = table.released_weight.str.contains(r"\.bn\d?\.|\.norm|stem\.[147]\.|downsample\.1\.")
    gammas = table.released_weight.str.contains("gamma")
    return table.assign(kind=norms.map({True: "norm", False: "layer"}).where(~gammas, "gamma"))


def write(found: pd.DataFrame, starts: pd.DataFrame, versions: dict[str, str]) -> None:
    """Both tables, then what is read off them."""
    found = keep_others(found.assign(**versions), TABLE)
    starts = keep_others(kinds(starts), STARTS)
    found.to_csv(TABLE, index=False, float_format="%.3g")
    starts.to_csv(STARTS, index=False, float_format="%.5g")
    render()


def render() -> None:
    """The page, and the section of docs/exact.md between its two marks, from the two tables."""
    found, starts = (pd.read_csv(path, keep_default_na=False) for path in (TABLE, STARTS))
    text = INTRODUCTION.format(**found.iloc[0]) + comparison_markdown(found) + "\n" + NOT_HAD + starts_markdown(starts)
    PAGE.write_text(text + "\n\n" + LAYERS + layers_markdown(starts) + "\n")
    whole = EXACT.read_text()
    if BEGIN in whole:
        before, _, rest = whole.partition(BEGIN)
        EXACT.write_text(f"{before}{BEGIN}\n\n{short_markdown(found)}\n\n{END}{rest.partition(END)[2]}")
