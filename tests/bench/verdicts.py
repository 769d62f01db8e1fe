"""The arithmetic: one number with its spread for each comparison, and whether the goal is met.

Absolute times differ by machine and by the hour; what two contenders differ by, measured in turns within one run, does
so much less. The spread of a ratio is shown in one of two ways:

* from three repetitions on, the ratio of each repetition is taken: the number is their median, the spread from the
  least to the greatest of them;
* with fewer, all pairs are put together, and the spread is the 95 % interval of a bootstrap over pairs: 2,000 times as
  many pairs as there are are drawn from them with replacement, and the ratio is taken of each draw. Other numbers that
  come from many samples have this spread, too.

This module must not know what was measured.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.bench.results import Comparison, Judged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.results import PartResult, Series

Pair = tuple[float, float]
"""Contender and baseline, measured in one turn."""

LEAST_FOR_P99: Final = 200
"""With fewer, a 99th percentile is the luck of one or two samples."""
LEAST_REPETITIONS: Final = 3
DRAWS: Final = 2000


class NotMeasuredError(ValueError):
    """The samples don't say what was asked: there are none, too few, or they are not pairs."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a comparison came to. `low` and `high` are the spread; `met` is None where there is no goal.

    `trouble` says why there is no number; then a goal counts as missed.
    """

    comparison: Comparison
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    pairs: int = 0
    repetitions: int = 0
    failures: int = 0
    met: bool | None = None
    trouble: str = ""


def judge(part: PartResult, comparison: Comparison) -> Verdict:
    """Take one comparison. Never raises: what can't be judged is a verdict with `trouble`."""
    missed = None if comparison.limit is None else False
    if part.error is not None:
        return Verdict(comparison=comparison, met=missed, trouble=f"failed: {part.error.splitlines()[-1]}")
    try:
        verdict = _HOW[comparison.judged](part, comparison)
    except NotMeasuredError as error:
        return Verdict(comparison=comparison, met=missed, trouble=str(error))
    return verdict


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that is not exceeded by `percent` % of them. A p99 needs 200 samples.

    Raises NotMeasuredError when there are too few.
    """
    if not samples:
        raise NotMeasuredError("not measured: no samples")
    if percent >= 99 and len(samples) < LEAST_FOR_P99:
        raise NotMeasuredError(f"a p{percent:g} needs {LEAST_FOR_P99} samples, there are {len(samples)}")
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


def ratio_of(pairs: Sequence[Pair]) -> float:
    """Median of the first halves by median of the second halves."""
    below = median(pair[1] for pair in pairs)
    if below <= 0:
        raise NotMeasuredError("the baseline's median is not above 0: there is no ratio to it")
    return median(pair[0] for pair in pairs) / below


def interval(items: Sequence[Pair], number: Callable[[Sequence[Pair]], float]) -> tuple[float, float]:
    """95 % bootstrap interval of a number that is taken of pairs; the same for the same pairs."""
    luck = random.Random(len(items))  # noqa: S311  nothing is kept secret with it
    drawn = sorted(number(luck.choices(items, k=len(items))) for _ in range(DRAWS))
    return drawn[round(DRAWS * 0.025)], drawn[round(DRAWS * 0.975) - 1]


def series_of(part: PartResult, measure: str, contender: str, size: int) -> dict[int, Series]:
    """By repetition: the series of a contender. Raises NotMeasuredError when there is none, or two of the same."""
    found: dict[int, Series] = {}
    for series in part.series:
        if (series.measure, series.contender, series.size) == (measure, contender, size):
            if series.repetition in found:
                raise NotMeasuredError(f"two series of {measure} of {contender} at {size} in one repetition")
            found[series.repetition] = series
    if not any(series.samples for series in found.values()):
        raise NotMeasuredError(f"not measured: {measure} of {contender} at {size}")
    return dict(sorted(found.items()))


def pairs_of(part: PartResult, comparison: Comparison) -> list[list[Pair]]:
    """For each repetition the pairs (contender, baseline). Raises NotMeasuredError when the samples are no pairs."""
    if comparison.baseline is None:
        raise NotMeasuredError(f"{comparison.judged} needs a baseline, and the comparison names none")
    ours = series_of(part, comparison.measure, comparison.contender, comparison.size)
    theirs = series_of(part, comparison.measure, comparison.baseline, comparison.size)
    if ours.keys() != theirs.keys():
        raise NotMeasuredError("not paired: the contenders were not measured in the same repetitions")
    together = [(ours[number].samples, theirs[number].samples) for number in ours]
    if any(len(left) != len(right) for left, right in together):
        raise NotMeasuredError("not paired: one contender has more samples than the other")
    return [list(zip(left, right, strict=True)) for left, right in together if left]


def _failures(part: PartResult, comparison: Comparison) -> int:
    ours = series_of(part, comparison.measure, comparison.contender, comparison.size)
    return sum(series.failures for series in ours.values())


def _ratio(part: PartResult, comparison: Comparison) -> Verdict:
    repetitions = pairs_of(part, comparison)
    everything = [pair for pairs in repetitions for pair in pairs]
    if len(repetitions) >= LEAST_REPETITIONS:
        ratios = [ratio_of(pairs) for pairs in repetitions]
        value, low, high = median(ratios), min(ratios), max(ratios)
    else:
        value = ratio_of(everything)
        low, high = interval(everything, ratio_of) if len(everything) > 1 else (math.nan, math.nan)
    return _verdict(part, comparison, value, (low, high), (len(everything), len(repetitions)))


def _added_p99(part: PartResult, comparison: Comparison) -> Verdict:
    repetitions = pairs_of(part, comparison)
    everything = [pair for pairs in repetitions for pair in pairs]

    def p99(pairs: Sequence[Pair]) -> float:
        return percentile([left - right for left, right in pairs], 99)

    return _verdict(part, comparison, p99(everything), interval(everything, p99), (len(everything), len(repetitions)))


def _of_itself(number: Callable[[Sequence[float]], float]) -> Callable[[PartResult, Comparison], Verdict]:
    def take(part: PartResult, comparison: Comparison) -> Verdict:
        found = series_of(part, comparison.measure, comparison.contender, comparison.size)
        samples = [sample for series in found.values() for sample in series.samples]
        low, high = interval([(sample, 0.0) for sample in samples], lambda pairs: number([one for one, _ in pairs]))
        return _verdict(part, comparison, number(samples), (low, high), (len(samples), len(found)))

    return take


def _growth(part: PartResult, comparison: Comparison) -> Verdict:
    if comparison.baseline_size is None:
        raise NotMeasuredError("growth needs a size to compare with, and the comparison names none")
    large = series_of(part, comparison.measure, comparison.contender, comparison.size)
    small = series_of(part, comparison.measure, comparison.contender, comparison.baseline_size)
    each = [sample / comparison.size for series in large.values() for sample in series.samples]
    base = [sample / comparison.baseline_size for series in small.values() for sample in series.samples]
    spread = (min(each) / max(base), max(each) / min(base))
    return _verdict(part, comparison, median(each) / median(base), spread, (len(each), len(large)))


def _verdict(
    part: PartResult,
    comparison: Comparison,
    value: float,
    spread: tuple[float, float],
    counted: tuple[int, int],
) -> Verdict:
    return Verdict(
        comparison=comparison,
        value=value,
        low=spread[0],
        high=spread[1],
        pairs=counted[0],
        repetitions=counted[1],
        failures=_failures(part, comparison),
        met=None if comparison.limit is None else value <= comparison.limit,
    )


_HOW: Final[dict[Judged, Callable[[PartResult, Comparison], Verdict]]] = {
    Judged.RATIO: _ratio,
    Judged.ADDED_P99: _added_p99,
    Judged.VALUE: _of_itself(median),
    Judged.P99: _of_itself(lambda samples: percentile(samples, 99)),
    Judged.MOST: _of_itself(max),
    Judged.GROWTH: _growth,
}
