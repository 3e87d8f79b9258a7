"""What an audit finds: a question, the numbers that answer it, and the answer in a line."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Finding:
    """A question put to a paper, the numbers that answer it, and the answer in a line.

    flagged: the rows of the table that contradict themselves or the others in this.
    """

    question: str
    evidence: pd.DataFrame
    verdict: str
    flagged: tuple[str, ...] = ()


def verdicts(findings: Iterable[Finding]) -> pd.DataFrame:
    """One row per finding: question, verdict."""
    return pd.DataFrame([{"question": f.question, "verdict": f.verdict} for f in findings])


def conclusions(findings: Iterable[Finding]) -> dict[str, str]:
    """Question -> the question with its answer, for a report."""
    return {f.question: f"**{f.question}** {f.verdict}" for f in findings}
