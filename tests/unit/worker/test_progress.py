"""How far the work is, for people."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtask.api import names
from longtask.api.status import Progress
from longtask.worker.progress import MAX_MESSAGE, Meter, check_count, describe, one_line
from tests.unit.worker.fakes import Clock

NOW = 1.8e9


@given(
    done=st.integers(0, 2**53 - 1),
    total=st.none() | st.integers(0, 2**53 - 1),
    message=st.text(),
    rate=st.none() | st.just(math.nan) | st.floats(min_value=0),
)
def test_every_progress_is_one_that_the_resource_takes(
    done: int, total: int | None, message: str, rate: float | None
) -> None:
    progress = describe(done=done, total=total, message=message, rate=rate, now=NOW)
    assert Progress.model_validate(progress).done == done


def test_the_longest_message_is_the_resources() -> None:
    assert MAX_MESSAGE == names.MAX_MESSAGE
    assert len(describe(done=0, total=None, message="x" * 5000, rate=None, now=NOW)["message"]) == names.MAX_MESSAGE


@pytest.mark.parametrize(
    ("done", "total", "percent"), [(0, 3, 0), (1, 3, 33), (999, 1000, 99), (3, 3, 100), (5, 3, 100), (0, 0, 100)]
)
def test_percent_is_rounded_down_so_that_100_means_all_of_it(done: int, total: int, percent: int) -> None:
    assert describe(done=done, total=total, message="", rate=None, now=NOW)["percent"] == percent


def test_the_estimate_is_what_is_left_at_the_present_rate() -> None:
    progress = describe(done=40, total=100, message="", rate=2.0, now=NOW)
    assert progress["estimatedCompletionTime"] == "2027-01-15T08:00:30Z"
    assert progress["rate"] == "2"


@pytest.mark.parametrize(
    ("rate", "text"), [(1234.56, "1234.6"), (12.34, "12.3"), (1.234, "1.23"), (1 / 3600, "0.000278"), (0.0, "0")]
)
def test_slow_work_has_a_rate_too(rate: float, text: str) -> None:
    assert describe(done=1, total=None, message="", rate=rate, now=NOW)["rate"] == text


@pytest.mark.parametrize("rate", [None, 0.0, 1e-12, math.nan, math.inf])
def test_without_a_usable_rate_there_is_no_estimate(rate: float | None) -> None:
    assert "estimatedCompletionTime" not in describe(done=1, total=10**9, message="", rate=rate, now=NOW)


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_a_rate_is_a_short_decimal_number(rate: float) -> None:
    text = describe(done=0, total=None, message="", rate=rate, now=NOW)["rate"]
    assert len(text) <= 32
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", text)


def test_the_rate_is_right_from_the_first_batch_on() -> None:
    clock = Clock()
    meter = Meter(clock)
    assert meter.rate() is None
    clock.now += 2
    meter.add(10)
    assert meter.rate() == pytest.approx(5.0)


def test_the_rate_follows_a_change_of_speed() -> None:
    clock = Clock()
    meter = Meter(clock)
    for speed in [10] * 60 + [1] * 180:
        clock.now += 1
        meter.add(speed)
    assert meter.rate() == pytest.approx(1.0, rel=0.5)


def test_a_clock_that_goes_back_does_no_harm() -> None:
    clock = Clock()
    meter = Meter(clock)
    clock.now -= 100
    meter.add(1)
    assert meter.rate() is None


def test_one_line_tells_all_of_it() -> None:
    assert one_line({"done": 3}) == "3"
    assert one_line({"done": 3, "total": 4, "percent": 75, "rate": "1.5", "message": "b"}) == "3 of 4 (75 %), 1.5/s, b"


@pytest.mark.parametrize("value", ["3", 3.0, None, True])
def test_a_count_is_a_whole_number(value: object) -> None:
    with pytest.raises(TypeError, match=r"count\(\) must be a whole number"):
        check_count(value, "count()")


@pytest.mark.parametrize("value", [-1, 2**53])
def test_a_count_fits_into_what_json_numbers_hold(value: int) -> None:
    with pytest.raises(ValueError, match="done must be between 0 and"):
        check_count(value, "done")
