"""Fleets of 2,000 and of 10,000: a part of its own, because it takes more than an hour.

It must not know how a fleet is measured (fleet.py).
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from tests.bench.fleet import ALL, LARGEST, comparisons, measure_sizes
from tests.bench.fleet_contenders import OURS, RAW
from tests.bench.results import Comparison, Judged, Measured, Part, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE: Final = 2000
SIZES: Final = {SIZE: 5, LARGEST: 1}
LINEAR: Final = 1.2
"""A task may cost that much more among 10,000 than among 2,000."""


def growth() -> Iterator[Comparison]:
    """Whether what a task costs depends on how many there are."""
    for contender, goal in ((OURS, LINEAR), (RAW, None)):
        yield Comparison(
            title=f"{contender.name}: one task among {LARGEST:,} against one among {SIZE:,}",
            measure=ALL,
            contender=contender.name,
            judged=Judged.GROWTH,
            size=LARGEST,
            baseline_size=SIZE,
            limit=goal,
            checked=False,
        )


def measure(settings: Settings) -> Measured:
    """Measure both sizes. Nothing in a small run: 500 at once are a part of their own."""
    return Measured(series=()) if settings.quick else measure_sizes(settings, SIZES)


PART: Final = Part(
    name="fleets-large",
    title="Fleets: 2,000 and 10,000 at once",
    about=(
        "The same with more of them, and what one task costs among 10,000 against one among 2,000: 1 is linear. The "
        "null operator is left out of the largest."
    ),
    comparisons=tuple(chain(*(comparisons(size, checked=False) for size in SIZES), growth())),
    measure=measure,
)
