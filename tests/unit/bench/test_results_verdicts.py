"""How numbers, spreads and verdicts come from samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.results import Judged, read, write
from tests.bench.verdicts import NotMeasuredError, judge, percentile, ratio_of
from tests.unit.bench.builders import part, ratio, results, resumes, series

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.results import Series


def test_a_ratio_is_the_median_of_one_by_the_median_of_the_other() -> None:
    made = part(series("LongTask", [1, 3, 20]), series("raw Job", [1, 2, 50]))
    assert judge(made, ratio()).value == 1.5


def test_one_pair_far_off_does_not_move_the_ratio() -> None:
    assert ratio_of([(1, 1)] * 9 + [(500, 1)]) == 1


@pytest.mark.parametrize(("ours", "met"), [(1.05, True), (1.06, False), (0.5, True)])
def test_a_goal_is_met_up_to_its_limit(ours: float, met: bool) -> None:
    assert judge(resumes(ours, 1), ratio()).met is met


def test_without_a_limit_there_is_no_verdict() -> None:
    assert judge(resumes(9, 1), ratio(limit=None)).met is None


def test_the_spread_of_three_repetitions_goes_from_the_least_to_the_greatest_ratio() -> None:
    made = part(
        *(series("LongTask", [ours], repetition=number) for number, ours in enumerate([1.2, 1.1, 1.4], 1)),
        *(series("raw Job", [1], repetition=number) for number in (1, 2, 3)),
    )
    verdict = judge(made, ratio())
    assert (verdict.value, verdict.low, verdict.high) == (1.2, 1.1, 1.4)
    assert (verdict.pairs, verdict.repetitions) == (3, 3)


def test_each_repetition_is_compared_with_itself_only() -> None:
    """A machine that was twice as slow in the second repetition changes nothing."""
    made = part(
        *(series("LongTask", [1.1 * slow], repetition=slow) for slow in (1, 2, 4)),
        *(series("raw Job", [slow], repetition=slow) for slow in (1, 2, 4)),
    )
    assert judge(made, ratio()).high == pytest.approx(1.1)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=5, max_size=30))
def test_the_bootstrap_of_one_repetition_stays_within_what_was_seen_and_is_repeatable(
    pairs: list[tuple[float, float]],
) -> None:
    made = part(series("LongTask", [ours for ours, _ in pairs]), series("raw Job", [raw for _, raw in pairs]))
    verdict = judge(made, ratio())
    assert verdict == judge(made, ratio())
    least = min(ours for ours, _ in pairs) / max(raw for _, raw in pairs)
    most = max(ours for ours, _ in pairs) / min(raw for _, raw in pairs)
    assert least <= verdict.low <= verdict.high <= most


def test_the_bootstrap_of_equal_pairs_has_no_spread() -> None:
    verdict = judge(resumes(2, 1, pairs=50), ratio())
    assert (verdict.low, verdict.value, verdict.high) == (2, 2, 2)


def test_one_pair_has_no_spread_to_show() -> None:
    verdict = judge(resumes(2, 1, pairs=1), ratio())
    assert verdict.value == 2
    assert math.isnan(verdict.low)
    assert math.isnan(verdict.high)


def test_a_p99_of_fewer_than_200_samples_is_refused() -> None:
    with pytest.raises(NotMeasuredError, match="needs 200 samples, there are 199"):
        percentile(range(199), 99)


def test_a_p99_of_200_samples_leaves_two_above_it() -> None:
    assert percentile(range(200), 99) == 197


@pytest.mark.parametrize("judged", [Judged.P99, Judged.ADDED_P99])
def test_a_goal_for_a_p99_is_missed_when_there_are_too_few_pairs(judged: Judged) -> None:
    verdict = judge(resumes(1, 1, pairs=199), ratio(judged=judged, limit=100))
    assert verdict.met is False
    assert "needs 200" in verdict.trouble


def test_the_added_p99_is_of_what_pairs_differ_by() -> None:
    made = part(series("LongTask", [1.0 + index for index in range(200)]), series("raw Job", list(range(200))))
    assert judge(made, ratio(judged=Judged.ADDED_P99, limit=1)).value == 1


def test_growth_is_the_cost_of_one_task_at_two_sizes() -> None:
    made = part(series("LongTask", [4], size=100), series("LongTask", [60], size=1000))
    verdict = judge(made, ratio(judged=Judged.GROWTH, size=1000, baseline_size=100, limit=1.25))
    assert verdict.value == 1.5
    assert verdict.met is False


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([], "not measured: resume of raw Job"),
        ([series("raw Job", [])], "not measured: resume of raw Job"),
        ([series("raw Job", [1, 2])], "more samples than the other"),
        ([series("raw Job", [1, 2, 3], repetition=2)], "same repetitions"),
        ([series("raw Job", [1, 2, 3], size=500)], "not measured: resume of raw Job at 1"),
        ([series("raw Job", [1, 2, 3]), series("raw Job", [4, 5, 6])], "two series"),
        ([series("raw Job", [0, 0, 0])], "no ratio"),
    ],
)
def test_samples_that_are_no_pairs_give_no_ratio_and_miss_the_goal(others: list[Series], words: str) -> None:
    verdict = judge(part(series("LongTask", [1, 2, 3]), *others), ratio())
    assert words in verdict.trouble
    assert verdict.met is False
    assert math.isnan(verdict.value)


def test_every_goal_of_a_part_that_failed_is_missed() -> None:
    verdict = judge(resumes(1, 1, error="OSError: no cluster"), ratio())
    assert verdict.met is False
    assert "no cluster" in verdict.trouble


def test_failed_pairs_are_counted_beside_the_number() -> None:
    made = part(series("LongTask", [1], failures=4), series("raw Job", [1], failures=4))
    assert judge(made, ratio()).failures == 4


def test_what_is_written_is_read_back_whole(tmp_path: Path) -> None:
    made = results(resumes(1.25, 1), resumes(2, 1, name="worker", error="broken"))
    write(made, tmp_path / "new" / "results.json")
    assert read(tmp_path / "new" / "results.json") == made


def test_a_series_is_one_line_of_the_file(tmp_path: Path) -> None:
    write(results(resumes(1, 1, pairs=500)), tmp_path / "results.json")
    lines = (tmp_path / "results.json").read_text().splitlines()
    assert len([line for line in lines if '"samples"' in line]) == 2
