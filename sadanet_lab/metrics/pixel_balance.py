"""Do the rows of a table predict each test pixel once? A linear program over what rounding leaves open.

A segmentation gives every pixel one class, so predicted pixels sum to all pixels, as true ones do. Class c has the
share s_c of the true pixels (sum 1, the same for every row, for all rows were tested on the same images), and row r
predicts s_c (2 x_rc - 1) of the pixels as c, where x_rc = recall / Dice (see ``consistency``: P / T = 2 R / D - 1).
So pooled counts need, in every row,

    e_r = sum over c of s_c (2 x_rc - 1) - 1 = sum over c of s_c (2 x_rc - 2) = 0,

background included. e_r is the share of the pixels that the row has too many (> 0) or too few.

Dice and recall are printed rounded, so x_rc is known to lie in [low_rc, high_rc] only. s_c x_rc would make a program
bilinear; with the products p_rc = s_c x_rc as unknowns it is linear, and loses nothing, for x_rc stands in no other
product:

    s_c >= 0,  sum of s = 1,  low_rc s_c <= p_rc <= high_rc s_c,  e_r = 2 (sum over c of p_rc) - 2.

All arrays are (rows, classes); each class of the images must be among them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog, milp

TOLERANCE = 1e-6
"""Share of the pixels below which a row is balanced: what the solver's own tolerance, 1e-7, leaves of four classes."""
MOST_ROWS = 40
"""The fewest rows off are a mixed-integer program: not asked of larger tables."""
SECONDS = 20.0
"""Longest time for that program."""


@dataclass(frozen=True)
class Program:
    """The constraints on s, then p row by row, then ``extra`` unknowns of the question: A x <= b, and sum of s = 1."""

    low: np.ndarray
    high: np.ndarray
    extra: int = 0

    @property
    def unknowns(self) -> int:
        rows, classes = self.low.shape
        return classes * (1 + rows) + self.extra

    def rounding(self) -> tuple[np.ndarray, np.ndarray]:
        """low s <= p <= high s as A x <= 0."""
        rows, classes = self.low.shape
        left = np.zeros((2, rows, classes, self.unknowns))
        r, c = np.indices((rows, classes))
        for sign, bound, part in ((1, self.high, left[0]), (-1, self.low, left[1])):
            part[r, c, classes * (1 + r) + c] = sign
            part[r, c, c] = -sign * bound
        return left.reshape(-1, self.unknowns), np.zeros(2 * rows * classes)

    def predicted(self) -> np.ndarray:
        """(rows, unknowns): times x, the share of the pixels that each row predicts, plus 1: e_r + 2."""
        rows, classes = self.low.shape
        left = np.zeros((rows, self.unknowns))
        for row in range(rows):
            left[row, classes * (1 + row) : classes * (2 + row)] = 2
        return left

    def one(self) -> np.ndarray:
        """(1, unknowns): the sum of the shares."""
        return (np.arange(self.unknowns) < self.low.shape[1]).astype(float)[None]


def smallest_imbalance(low: np.ndarray, high: np.ndarray) -> float:
    """The least that the row furthest off can be off, over all shares and all that rounding leaves open.

    A share of the pixels: whatever the true counts were, in one row at least so many are predicted too many or too few.
    """
    program = Program(low, high, extra=1)
    left, right = program.rounding()
    predicted = program.predicted()
    above, below = predicted.copy(), -predicted
    above[:, -1] = below[:, -1] = -1
    objective = np.zeros(program.unknowns)
    objective[-1] = 1
    return max(0.0, _solve(objective, [left, above, below], [right, 2 + 0 * low[:, 0], -2 + 0 * low[:, 0]], program))


def fewest_off(low: np.ndarray, high: np.ndarray) -> tuple[list[int], bool] | None:
    """(rows, whether there is no other choice of as few): the fewest to leave out so that all others balance together.

    None where there are more than ``MOST_ROWS`` rows, or the program finds no proven answer in ``SECONDS``.
    """
    rows = len(low)
    if rows > MOST_ROWS:
        return None
    off = _fewest(low, high, None)
    if not off:
        return None if off is None else ([], True)
    other = _fewest(low, high, off)
    return None if other is None else (off, len(other) != len(off))


def _fewest(low: np.ndarray, high: np.ndarray, but_not: list[int] | None) -> list[int] | None:
    """One unknown z_r in {0, 1} a row: |e_r| <= M z_r, the sum of z least; ``but_not``: a choice that is ruled out.

    None where no answer is proven in time; [] where there is no other choice at all.
    """
    program = Program(low, high, extra=len(low))
    left, right = program.rounding()
    largest = 2 * max(np.abs(high - 1).max(), np.abs(low - 1).max())
    predicted, marks = program.predicted(), np.zeros((len(low), program.unknowns))
    marks[:, -len(low) :] = np.eye(len(low))
    whole = marks.sum(0)
    constraints = [
        (left, -np.inf, right),
        (program.one(), 1, 1),
        (predicted - largest * marks, -np.inf, 2),
        (predicted + largest * marks, 2, np.inf),
        (marks, 0, 1),
    ]
    if but_not is not None:
        constraints.append((marks[but_not].sum(0)[None], -np.inf, len(but_not) - 1))
    found = milp(whole, integrality=whole, constraints=constraints, options={"time_limit": SECONDS})
    if found.status == 2:  # nothing meets the constraints
        return []
    return np.flatnonzero(found.x[-len(low) :] > 0.5).tolist() if found.success else None


def share_ranges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(classes, 2): the smallest and the largest share of the pixels that each class can have if all rows balance.

    NaN where they cannot.
    """
    program = Program(low, high)
    return np.array([_range(row, program) for row in np.eye(low.shape[1], program.unknowns)])


def imbalance_ranges(low: np.ndarray, high: np.ndarray, balanced: list[int]) -> np.ndarray:
    """(rows, 2): the least and the largest e_r of each row if the rows ``balanced`` balance; NaN where they cannot."""
    program = Program(low, high)
    return np.array([_range(row, program, balanced) for row in program.predicted()]) - 2


def imbalance_at(shares: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """(rows,) e_r of known shares (classes,) and recall / Dice (rows, classes)."""
    return 2 * (ratio @ shares) - 2


def _range(objective: np.ndarray, program: Program, balanced: list[int] | None = None) -> tuple[float, float]:
    left, right = program.rounding()
    predicted = program.predicted() if balanced is None else program.predicted()[balanced]
    slack = np.full(len(predicted), TOLERANCE)
    constraints = [left, predicted, -predicted], [right, 2 + slack, slack - 2]
    return _solve(objective, *constraints, program), -_solve(-objective, *constraints, program)


def _solve(objective: np.ndarray, left: list[np.ndarray], right: list[np.ndarray], program: Program) -> float:
    """Smallest ``objective`` x, x >= 0; NaN where nothing meets the constraints."""
    found = linprog(objective, np.vstack(left), np.hstack(right), program.one(), [1], bounds=(0, None), method="highs")
    return float(found.fun) if found.success else float("nan")
