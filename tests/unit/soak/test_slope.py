"""The judge of the soak: what grows is called a leak, what only trembles is not."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.soak.judge import LIMIT, judge, row
from tests.soak.run import Point
from tests.soak.slope import FEWEST, Slope, Verdict, fit
from tests.soak.subject import Sample

LIVES = 200  # between two looks


def points(*resident: float) -> list[Point]:
    """A run in which nothing but the resident memory (kB) differs from look to look."""
    return [
        Point(number * LIVES, number * 60.0, Sample(True, round(rss), 70_000, 59, 1, {}))
        for number, rss in enumerate(resident)
    ]


def noise(count: int, *, seed: int = 1, kb: float = 150.0) -> list[float]:
    """As an allocator trembles: each look near the one before, drawn back to the middle."""
    luck, level = Random(seed), 0.0  # noqa: S311  a series must be the same each time
    return [level := 0.6 * level + luck.gauss(0, kb) for _ in range(count)]


@pytest.mark.parametrize("per_thousand", [200, 400, 3000])
def test_memory_that_grows_with_every_life_is_a_leak(per_thousand: float) -> None:
    series = [70_000 + per_thousand * LIVES / 1000 * n + more for n, more in enumerate(noise(200))]

    finding = judge(points(*series))

    assert finding.leak
    assert finding.words.startswith("leak: per 1,000 lives +")


@pytest.mark.parametrize("seed", range(20))
def test_memory_that_only_trembles_is_flat_in_a_long_run(seed: int) -> None:
    finding = judge(points(*(70_000 + more for more in noise(300, seed=seed, kb=60))))

    assert not finding.leak
    assert finding.words.startswith("flat: ")


def test_memory_that_grows_while_caches_fill_and_then_stays_is_flat() -> None:
    filling = [66_000 + 200 * n for n in range(20)]

    finding = judge(points(*filling, *(70_000 + more for more in noise(80, kb=20))))

    assert finding.words.startswith("flat: ")


def test_a_run_that_is_too_noisy_to_tell_is_no_leak_and_says_that_a_longer_one_decides() -> None:
    finding = judge(points(*(70_000 + more for more in noise(12, kb=900))))

    assert not finding.leak
    assert finding.words.startswith("undecided: ")
    assert finding.words.endswith("A longer run decides.")


def test_too_few_looks_are_no_verdict() -> None:
    with pytest.raises(ValueError, match=f"at least {FEWEST} are needed. Run for longer"):
        judge(points(*[70_000] * FEWEST))


def test_too_few_lives_are_no_verdict_however_often_they_were_looked_at() -> None:
    few = [replace(point, lives=point.lives // 10) for point in points(*range(70_000, 70_030))]

    with pytest.raises(ValueError, match=r"lives after the warm-up: 1000 are needed. Run for longer"):
        judge(few)


def test_a_line_without_noise_has_its_slope_and_no_margin() -> None:
    xs = [n / 10 for n in range(FEWEST)]

    slope = fit(xs, [5 + 3 * x for x in xs])

    assert (slope.low, slope.rate, slope.high) == pytest.approx((3, 3, 3))


def test_the_bounds_hold_the_true_slope_as_often_as_they_say() -> None:
    luck, xs = Random(7), [float(n) for n in range(20)]  # noqa: S311  as above
    fits = [fit(xs, [2 * x + luck.gauss(0, 5) for x in xs]) for _ in range(400)]

    held = sum(found.low <= 2 <= found.high for found in fits) / len(fits)

    assert 0.92 <= held <= 0.99


def test_samples_that_hang_together_count_for_less() -> None:
    xs = [float(n) for n in range(40)]
    lasting, passing = [100.0 * (n // 10 % 2) for n in range(40)], [100.0 * (n % 2) for n in range(40)]

    wide, narrow = fit(xs, lasting), fit(xs, passing)

    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(LIMIT + 1, LIMIT + 9, Verdict.LEAK), (-5, LIMIT, Verdict.FLAT), (LIMIT, LIMIT + 1, Verdict.UNDECIDED)],
)
def test_only_what_is_beyond_doubt_is_called_by_its_name(low: float, high: float, verdict: Verdict) -> None:
    assert Slope((low + high) / 2, low, high).verdict(LIMIT) is verdict


def test_a_row_of_the_table() -> None:
    assert row(points(70_000, 70_100)[1]) == "| 200 | 1.0 | 70100 | 70000 | 59 |"


def test_what_is_kept_is_named() -> None:
    sample = Sample(True, 1, 1, 1, 1, {"tasks": 0, "timers": 2})

    assert sample.held == {"timers": 2}
