"""`python -m tools.parity`: installs, builds, compares, writes the tables. Ends with one line where it cannot."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from sadanet_lab.training.environment import device_name
from tools.parity import released, report
from tools.parity.cases import CASES, SA2NET_CASES
from tools.parity.compare import build_pair, compare
from tools.parity.starts import initial_weights


def run(names: list[str], sa2net: Path | None) -> None:
    released.install()
    released.load()
    cases = list(CASES)
    if sa2net is not None:
        source = released.load_sa2net(sa2net)
        cases += [replace(case, changed=f"{case.changed}; {source}") for case in SA2NET_CASES]
    rows, starts = [], []
    for case in cases:
        if names and case.name not in names:
            continue
        torch.manual_seed(0)
        theirs, ours = build_pair(case)
        if not any(row["network"] == case.name for row in starts):
            starts += initial_weights(case, theirs, ours)
        for row in compare(case, theirs, ours):
            rows.append(row)
            print(
                f"{case.name} {case.changed} {row['height']} x {row['width']}: logits {row['logits']:.2g}, "
                f"loss {row['loss']:.2g}, gradients {row['gradient']:.2g}",
                flush=True,
            )
    versions = released.versions() | {"device": device_name(torch.device("cpu"))}
    report.write(pd.DataFrame(rows), pd.DataFrame(starts), versions)
    print("written: docs/parity.md, docs/parity.csv, docs/parity_initial_weights.csv, docs/exact.md")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make parity", description=__doc__)
    parser.add_argument("--sa2net", type=Path, help="a clone of SA2Net's repository, to compare SA2Net itself too")
    parser.add_argument("networks", nargs="*", help="by name; all if none is named")
    arguments = parser.parse_args()
    unknown = set(arguments.networks) - {case.name for case in CASES + SA2NET_CASES}
    try:
        if unknown:
            names = ", ".join(dict.fromkeys(case.name for case in CASES + SA2NET_CASES))
            raise released.ParityError(f"{sorted(unknown)[0]!r} is unknown; expected one of {names}")
        run(arguments.networks, arguments.sa2net)
    except released.ParityError as error:
        sys.exit(f"parity: {error}")


if __name__ == "__main__":
    main()
