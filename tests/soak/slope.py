"""Whether a series grows: a straight line through it by least squares, and how sure one can be of its slope.

It must not know what was measured. Samples of memory hang together (what grew a minute ago is still there), so they
count for less than as many independent ones: the standard error is widened by the correlation of neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE: Final = 0.95
"""That the true slope lies between the bounds, if the series is a line with noise."""

FEWEST: Final = 8
"""Samples that a verdict needs; with fewer, bounds say more of the noise than of the slope."""


class Verdict(StrEnum):
    """What a series shows."""

    LEAK = "leak"
    FLAT = "flat"
    UNDECIDED = "undecided"  # the limit lies between the bounds: a longer run decides


@dataclass(frozen=True, slots=True)
class Slope:
    """A rate of growth, in units of y per unit of x, between its bounds."""

    rate: float
    low: float
    high: float

    def verdict(self, limit: float) -> Verdict:
        """A leak only if even the lower bound is above the limit; flat only if even the upper one is not."""
        if self.low > limit:
            return Verdict.LEAK
        return Verdict.UNDECIDED if self.high > limit else Verdict.FLAT


def fit(xs: Sequence[float], ys: Sequence[float]) -> Slope:
    """The line through the points. Raises ValueError for fewer than `FEWEST` of them, or if all have one x."""
    if len(xs) < FEWEST or len(xs) != len(ys):
        raise ValueError(f"{len(xs)} samples: at least {FEWEST} are needed. Run for longer")
    x_mean, y_mean = fmean(xs), fmean(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    if spread == 0:
        raise ValueError("all samples were taken at the same point: there is no slope")
    rate = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread
    residuals = [y - y_mean - rate * (x - x_mean) for x, y in zip(xs, ys, strict=True)]
    freedom = _worth(residuals) - 2
    error = math.sqrt(sum(r * r for r in residuals) / freedom / spread)
    margin = _student(freedom) * error
    return Slope(rate, rate - margin, rate + margin)


def _worth(residuals: Sequence[float]) -> float:
    """How many independent samples these are worth: n (1 - r) / (1 + r) for a correlation r of neighbours."""
    n, total = len(residuals), sum(r * r for r in residuals)
    if total == 0:
        return float(n)
    r = sum(a * b for a, b in pairwise(residuals)) / total
    return max(3.0, min(float(n), n * (1 - r) / (1 + r))) if r > 0 else float(n)


def _student(freedom: float) -> float:
    """The two-sided quantile of Student's t, by its expansion around the normal one (Abramowitz and Stegun, 26.7.5)."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    first = (z**3 + z) / (4 * freedom)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    return z + first + second + third
