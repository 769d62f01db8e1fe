"""Waiting until the task may be claimed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from longtask.worker import claiming
from longtask.worker.errors import AlreadyDone, AwayError, RefusedError, StoppedEarly, TaskGoneError
from longtask.worker.retry import Retry
from longtask.worker.signals import Stop
from longtask.worker.store import Claim
from tests.unit.worker.fakes import Clock, Lines, Script

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

MINE = Claim(3, 7, "saved")


def claim(mocker: MockerFixture, store: Script, clock: Clock | None = None, console: Lines | None = None) -> Claim:
    """Claim, with a clock that jumps over every wait."""
    clock = clock or Clock()
    mocker.patch.object(claiming, "Retry", partial(Retry, clock=clock))
    stop = Stop()
    mocker.patch.object(stop, "wait", clock.wait)
    return claiming.claim(store, stop, console or Lines())


def test_refusals_that_pass_are_borne(mocker: MockerFixture) -> None:
    refusals = [AwayError("no permission yet", patience=30)] * 5
    assert claim(mocker, Script(claims=[*refusals, MINE])) == MINE


def test_a_refusal_that_lasts_is_raised_within_a_minute(mocker: MockerFixture) -> None:
    clock = Clock()
    with pytest.raises(RefusedError, match="no permission"):
        claim(mocker, Script(claims=[AwayError("no permission", patience=30)] * 1000), clock)
    assert 30 <= clock.now - 1000 <= 60


def test_an_outage_is_borne_for_ten_minutes(mocker: MockerFixture) -> None:
    clock = Clock()
    with pytest.raises(RefusedError, match="connection refused"):
        claim(mocker, Script(claims=[AwayError("connection refused")] * 10_000), clock)
    assert 600 <= clock.now - 1000 <= 610


def test_it_looks_again_every_second_because_a_person_is_watching(mocker: MockerFixture) -> None:
    clock, store = Clock(), Script(claims=[AwayError("away")] * 60 + [MINE])
    claim(mocker, store, clock)
    assert clock.now - 1000 < 60 * 1.25


@pytest.mark.parametrize("error", [TaskGoneError("deleted"), AlreadyDone("done")])
def test_what_no_waiting_can_change_is_raised_at_once(mocker: MockerFixture, error: Exception) -> None:
    clock = Clock()
    with pytest.raises(type(error)):
        claim(mocker, Script(claims=[error]), clock)
    assert clock.now == 1000


def test_why_it_waits_is_said_once_for_each_reason(mocker: MockerFixture) -> None:
    console = Lines()
    errors = [AwayError("a"), AwayError("a"), AwayError("b"), AwayError("b")]
    claim(mocker, Script(claims=[*errors, MINE]), console=console)
    assert console.lines == ["waiting to claim the task: a", "waiting to claim the task: b"]


def test_a_stop_request_ends_the_waiting_and_claims_nothing() -> None:
    stop, store = Stop(), Script()

    def asked_meanwhile() -> AwayError:
        stop.request()
        return AwayError("away")

    store.claims = [asked_meanwhile, MINE]
    with pytest.raises(StoppedEarly):
        claiming.claim(store, stop, Lines())
    assert store.claims == [MINE]
    stop.close()
