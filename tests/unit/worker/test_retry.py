"""When to try again, and when to give up."""

from __future__ import annotations

import pytest

from longtask.worker.errors import AwayError, RefusedError
from longtask.worker.retry import FIRST_SECONDS, Retry, jitter
from tests.unit.worker.fakes import Clock


def test_waits_double_up_to_the_longest_and_differ_a_little() -> None:
    retry = Retry(longest=4.0)
    waits = [retry.wait_after(AwayError("away")) for _ in range(8)]
    for wait, expected in zip(waits, [0.25, 0.5, 1, 2, 4, 4, 4, 4], strict=True):
        assert expected * 0.75 <= wait <= expected * 1.25
    assert len(set(waits[4:])) > 1


def test_a_success_begins_with_short_waits_again() -> None:
    retry = Retry(longest=30.0)
    for _ in range(6):
        retry.wait_after(AwayError("away"))
    retry.succeeded()
    assert retry.wait_after(AwayError("away")) <= FIRST_SECONDS * 1.25


def test_what_the_server_asks_to_wait_is_never_cut() -> None:
    retry = Retry(longest=1.0)
    assert all(retry.wait_after(AwayError("busy", retry_after=7.0)) >= 7.0 for _ in range(20))


def test_retry_after_zero_is_no_invitation_to_hammer() -> None:
    assert Retry(longest=1.0).wait_after(AwayError("busy", retry_after=0.0)) >= FIRST_SECONDS


def test_an_outage_without_a_limit_is_borne_for_ever() -> None:
    clock = Clock()
    retry = Retry(longest=30.0, clock=clock)
    for _ in range(100):
        clock.now += 3600
        retry.wait_after(AwayError("away"))


def test_a_limited_failure_is_borne_for_so_long_and_then_told_with_its_words() -> None:
    clock = Clock()
    retry = Retry(longest=1.0, clock=clock)
    retry.wait_after(AwayError("forbidden by a policy", patience=30))
    clock.now += 29
    retry.wait_after(AwayError("forbidden by a policy", patience=30))
    clock.now += 1
    with pytest.raises(RefusedError, match="for 30 s now: forbidden by a policy"):
        retry.wait_after(AwayError("forbidden by a policy", patience=30))


def test_an_outage_in_between_begins_the_limit_anew() -> None:
    clock = Clock()
    retry = Retry(longest=1.0, clock=clock)
    retry.wait_after(AwayError("forbidden", patience=30))
    clock.now += 29
    retry.wait_after(AwayError("away"))
    clock.now += 29
    retry.wait_after(AwayError("forbidden", patience=30))


def test_patience_of_the_whole_bounds_every_kind_of_failure() -> None:
    clock = Clock()
    retry = Retry(longest=1.0, patience=600, clock=clock)
    retry.wait_after(AwayError("away"))
    clock.now += 600
    with pytest.raises(RefusedError, match="for 600 s now: away"):
        retry.wait_after(AwayError("away"))


def test_jitter_stays_within_its_share() -> None:
    values = [jitter(10.0, 0.15) for _ in range(200)]
    assert all(8.5 <= value <= 11.5 for value in values)
    assert min(values) < 9.5
    assert max(values) > 10.5
