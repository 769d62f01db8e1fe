"""When `make bench-check` fails: a ratio that is more than 20 % worse, or one that should be there and is not."""

from __future__ import annotations

import pytest

from tests.bench.check import Finding, compare, failed, table
from tests.bench.results import Judged
from tests.unit.bench.builders import part, ratio, results, resumes, series


@pytest.mark.parametrize(
    ("now", "finding"), [(1.0, Finding.FINE), (1.19, Finding.FINE), (1.21, Finding.WORSE), (0.2, Finding.FINE)]
)
def test_a_ratio_may_be_a_fifth_worse_and_no_more(now: float, finding: Finding) -> None:
    rows = compare(results(resumes(1, 1)), results(resumes(now, 1)))
    assert [row.finding for row in rows] == [finding]
    assert failed(rows) is (finding is Finding.WORSE)


def test_it_is_the_ratio_that_counts_and_not_the_time() -> None:
    assert not failed(compare(results(resumes(1, 1)), results(resumes(30, 30))))


def test_being_better_than_recorded_but_still_above_the_goal_is_fine() -> None:
    assert not failed(compare(results(resumes(3, 1)), results(resumes(2, 1))))


def test_a_part_that_failed_now_fails_the_check() -> None:
    rows = compare(results(resumes(1, 1)), results(resumes(1, 1, error="OSError: no cluster")))
    assert [row.finding for row in rows] == [Finding.NOT_MEASURED]
    assert failed(rows)


def test_a_part_that_could_not_even_be_imported_fails_the_check_though_the_others_are_fine() -> None:
    broken = part(name="worker", error="ImportError: x").model_copy(update={"comparisons": ()})
    rows = compare(results(resumes(1, 1)), results(resumes(1, 1), broken))
    assert [row.finding for row in rows] == [Finding.FINE, Finding.NOT_MEASURED]
    assert failed(rows)
    assert "ImportError: x" in table(rows)


def test_a_ratio_that_could_not_be_taken_now_fails_the_check() -> None:
    rows = compare(results(resumes(1, 1)), results(part(series("LongTask", [1]))))
    assert failed(rows)


def test_sizes_that_a_small_run_leaves_out_are_listed_and_do_not_fail() -> None:
    both = (ratio(), ratio(title="Resume of many", size=10_000))
    rows = compare(results(resumes(1, 1, comparisons=both)), results(resumes(1, 1, comparisons=both)))
    assert [row.finding for row in rows] == [Finding.FINE, Finding.LEFT_OUT]
    assert not failed(rows)
    assert "Resume of many" in table(rows)


def test_what_was_never_recorded_is_new_and_does_not_fail() -> None:
    rows = compare(results(), results(resumes(1, 1)))
    assert [row.finding for row in rows] == [Finding.NEW]
    assert not failed(rows)


def test_times_and_controls_are_not_compared() -> None:
    others = (ratio(judged=Judged.VALUE), ratio(checked=False))
    assert compare(results(), results(resumes(1, 1, comparisons=others))) == []


def test_comparing_nothing_at_all_is_a_failure() -> None:
    assert failed([])


def test_the_table_tells_what_got_worse_and_by_how_much() -> None:
    text = table(compare(results(resumes(1, 1)), results(resumes(1.5, 1))))
    assert "1.00" in text
    assert "1.50" in text
    assert "+50%" in text
    assert "WORSE: Resume" in text
