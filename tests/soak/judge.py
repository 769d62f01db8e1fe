"""What a run shows: a table, and whether memory grows with the lives of tasks. It must not know who measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.soak.slope import CONFIDENCE, Verdict, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.soak.run import Point
    from tests.soak.slope import Slope

LIMIT: Final = 100.0
"""kB of resident memory per 1,000 lives.

The least that can be forgotten of a task is an entry under its UID in some dictionary: 85 bytes of text and some 100 of
the table, nearly twice this. And what is below it is harmless: with ten thousand tasks a day, less than 1 MB a day.
"""

WARM_UP: Final = 0.25
"""Share of the samples that are left out at the beginning: caches fill, and the allocator finds its size."""

FEWEST_LIVES: Final = 1000
"""Over fewer, the steps in which an allocator grows are taken for a slope."""

HEAD: Final = "| lives | minutes | RSS kB | objects | loops |\n| ---: | ---: | ---: | ---: | ---: |"


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict and its words."""

    leak: bool
    words: str


def row(point: Point) -> str:
    """One line of the table."""
    sample = point.sample
    return f"| {point.lives} | {point.seconds / 60:.1f} | {sample.rss} | {sample.objects} | {sample.loops} |"


def judge(points: Sequence[Point]) -> Finding:
    """Judge a run. Raises ValueError if there are too few points, or too few lives between them."""
    warm = points[int(len(points) * WARM_UP) :]
    thousands = [point.lives / 1000 for point in warm]
    memory = fit(thousands, [point.sample.rss for point in warm])
    seen = warm[-1].lives - warm[0].lives
    if seen < FEWEST_LIVES:
        raise ValueError(f"{seen} lives after the warm-up: {FEWEST_LIVES} are needed. Run for longer")
    objects = fit(thousands, [point.sample.objects for point in warm])
    verdict = memory.verdict(LIMIT)
    more = " A longer run decides." if verdict is Verdict.UNDECIDED else ""
    words = (
        f"{verdict}: per 1,000 lives {_bounds(memory)} kB resident, {_bounds(objects)} objects"
        f" ({CONFIDENCE:.0%} bounds, {len(warm)} of {len(points)} samples); the limit is {LIMIT:.0f} kB.{more}"
    )
    return Finding(verdict is Verdict.LEAK, words)


def _bounds(slope: Slope) -> str:
    return f"{slope.rate:+.1f} [{slope.low:+.1f}, {slope.high:+.1f}]"
