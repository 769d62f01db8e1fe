"""Holds the ratios of a small run against the recorded ones: by how much they got worse.

Only ratios are compared, for they hardly depend on the machine. A small run does not have all sizes; what it leaves out
is listed and no failure. What it should have measured and has not, is one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from tests.bench.results import Comparison, Judged, PartResult, Results
from tests.bench.verdicts import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLERATED: Final = 1.2
"""A ratio may be so many times the recorded one."""


@unique
class Finding(StrEnum):
    """What came of one comparison."""

    FINE = "fine"
    WORSE = "WORSE"
    NOT_MEASURED = "NOT MEASURED"
    NEW = "not in the recorded run"
    LEFT_OUT = "this size is left out of a small run"


FAILURES: Final = frozenset({Finding.WORSE, Finding.NOT_MEASURED})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One ratio, then and now."""

    title: str
    recorded: float
    now: float
    finding: Finding
    why: str = ""


def compare(recorded: Results, fresh: Results) -> list[Row]:
    """Every ratio of the fresh run that is to be checked, in its order; a part that failed is one row."""
    return [row for part in fresh.parts for row in _rows(recorded.part(part.name), part)]


def failed(rows: list[Row]) -> bool:
    """Whether any ratio got worse than tolerated, or nothing was compared at all."""
    return not rows or any(row.finding in FAILURES for row in rows)


def table(rows: list[Row]) -> str:
    """All of it as text for people."""
    lines = [f"{'recorded':>8}  {'now':>8}  {'change':>8}"]
    for row in rows:
        change = row.now / row.recorded - 1
        numbers = (_number(row.recorded, ".2f"), _number(row.now, ".2f"), _number(change, "+.0%"))
        lines.append(f"{'  '.join(numbers)}  {row.finding}: {row.title}{f' ({row.why})' if row.why else ''}")
    return "\n".join(lines)


def _rows(recorded: PartResult | None, fresh: PartResult) -> Iterator[Row]:
    if fresh.error is not None:
        yield Row(title=fresh.title, recorded=math.nan, now=math.nan, finding=Finding.NOT_MEASURED, why=fresh.error)
        return
    for comparison in fresh.comparisons:
        if comparison.checked and comparison.judged is Judged.RATIO:
            yield _row(recorded, fresh, comparison)


def _row(recorded: PartResult | None, fresh: PartResult, comparison: Comparison) -> Row:
    then = math.nan if recorded is None else judge(recorded, comparison).value
    now = judge(fresh, comparison)
    if not any(series.size == comparison.size for series in fresh.series):
        finding = Finding.LEFT_OUT
    elif now.trouble:
        finding = Finding.NOT_MEASURED
    elif math.isnan(then):
        finding = Finding.NEW
    else:
        finding = Finding.WORSE if now.value > then * TOLERATED else Finding.FINE
    return Row(title=comparison.title, recorded=then, now=now.value, finding=finding, why=now.trouble)


def _number(value: float, how: str) -> str:
    return ("" if math.isnan(value) else format(value, how)).rjust(8)
