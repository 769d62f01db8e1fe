"""The thread that saves while the work goes on."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

from longtask.worker import saver as saver_module
from longtask.worker.errors import AwayError, FencedError, NotSavedError, RefusedError, TaskGoneError
from longtask.worker.retry import Retry
from longtask.worker.saver import REQUEST_SECONDS, Saver
from longtask.worker.signals import Stop
from longtask.worker.store import Cause, Claim, Wanted
from tests.unit.worker.fakes import Gate, Lines, Script, a_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mock import MockerFixture

AWAY = AwayError("connection refused")


class Bench:
    """A saver between a store that does as it is told and a main thread, which is the test."""

    def __init__(self, store: Script, sequence: int = 0) -> None:
        self.store, self.stop, self.console = store, Stop(), Lines()
        self.deaths: list[str] = []
        self.saver = Saver(store, Claim(1, sequence, ""), self.stop, self.console, self._die)

    def _die(self, words: str) -> NoReturn:  # type: ignore[misc]  # here only the thread ends
        self.deaths.append(words)

    def end(self) -> None:
        """Leave no thread behind."""
        self.saver.close(5)
        assert not self.saver._thread.is_alive()
        self.stop.close()


@contextmanager
def saving(store: Script, sequence: int = 0) -> Iterator[Bench]:
    """Have a saver for the length of a `with` block."""
    bench = Bench(store, sequence)
    try:
        yield bench
    finally:
        bench.end()


def slow_retries(mocker: MockerFixture) -> None:
    """Let every wait between two tries be an hour."""
    mocker.patch.object(Retry, "wait_after", return_value=3600.0)


def test_every_save_has_the_next_sequence() -> None:
    with saving(Script(), sequence=7) as bench:
        for number in (8, 9):
            bench.saver.offer(a_snapshot(data=f"at {number}"))
            bench.store.wait_until_asked(number - 7)
        assert [sequence for _, sequence in bench.store.asked] == [8, 9]


def test_the_work_never_waits_and_only_the_newest_position_matters() -> None:
    gate = Gate()
    with saving(Script(saves=[gate])) as bench:
        bench.saver.offer(a_snapshot(data="a"))
        assert gate.reached.wait(20)
        for data in ("b", "c", "d"):
            bench.saver.offer(a_snapshot(data=data))
        gate.open()
        bench.store.wait_until_asked(2)
        assert bench.store.saved_data == ["a", "d"]
        assert [sequence for _, sequence in bench.store.asked] == [1, 2]


def test_what_is_not_acknowledged_is_sent_again_just_as_it_was() -> None:
    with saving(Script(saves=[AWAY, AWAY])) as bench:
        assert bench.saver.finish(a_snapshot(Cause.STOP)) is Wanted.RUN
        assert len(bench.store.asked) == 3
        assert len({(id(snapshot), sequence) for snapshot, sequence in bench.store.asked}) == 1
        assert bench.saver.acknowledged_sequence == 1


def test_a_newer_position_takes_the_place_of_one_that_waits_under_another_sequence() -> None:
    gate = Gate(AWAY)
    with saving(Script(saves=[gate])) as bench:
        bench.saver.offer(a_snapshot(data="old"))
        assert gate.reached.wait(20)
        bench.saver.offer(a_snapshot(data="new"))
        gate.open()
        bench.store.wait_until_asked(2)
        assert [(snapshot.data, sequence) for snapshot, sequence in bench.store.asked] == [("old", 1), ("new", 2)]


def test_the_last_save_ends_a_long_wait_between_two_tries(mocker: MockerFixture) -> None:
    slow_retries(mocker)
    with saving(Script(saves=[AWAY], wanted=Wanted.SUSPEND)) as bench:
        bench.saver.offer(a_snapshot(data="old"))
        bench.store.wait_until_asked(1)
        assert bench.saver.finish(a_snapshot(Cause.STOP, "last")) is Wanted.SUSPEND
        assert bench.store.saved_data == ["old", "last"]


def test_a_server_that_asks_to_wait_still_gets_a_last_try_before_the_time_is_up(mocker: MockerFixture) -> None:
    slow_retries(mocker)
    busy = AwayError("429: busy", retry_after=3600.0)
    with saving(Script(saves=[busy], wanted=Wanted.SUSPEND)) as bench:
        bench.saver.offer(a_snapshot(data="old"))
        bench.store.wait_until_asked(1)
        bench.stop.seconds_to_live = 2.5
        bench.stop.request()
        assert bench.saver.finish(a_snapshot(Cause.STOP, "last")) is Wanted.SUSPEND


def test_an_earlier_acknowledgement_is_none_of_the_last_save() -> None:
    gate = Gate(Wanted.SUSPEND)
    with saving(Script(saves=[Wanted.RUN, gate])) as bench:
        bench.saver.offer(a_snapshot(data="early"))
        bench.store.wait_until_asked(1)
        gate.open()
        assert bench.saver.finish(a_snapshot(Cause.STOP, "early")) is Wanted.SUSPEND
        assert gate.reached.is_set()


def test_a_last_save_that_is_not_acknowledged_in_time_does_not_count(mocker: MockerFixture) -> None:
    mocker.patch.object(saver_module, "LEAST_SECONDS_FOR_LAST", 0.3)
    with saving(Script(saves=[AWAY] * 1000)) as bench:
        bench.stop.seconds_to_live = 0.0
        bench.stop.request()
        with pytest.raises(NotSavedError):
            bench.saver.finish(a_snapshot(Cause.STOP))
        assert bench.store.asked, "a batch that used up all the time is still worth a try"


def test_a_stop_request_during_the_last_save_sets_its_time(mocker: MockerFixture) -> None:
    mocker.patch.object(saver_module, "LEAST_SECONDS_FOR_LAST", 0.3)
    with saving(Script()) as bench:

        def asked_to_stop() -> AwayError:
            bench.stop.seconds_to_live = 0.5
            bench.stop.request()
            return AWAY

        bench.store.saves = [AWAY, asked_to_stop, *[AWAY] * 1000]
        with pytest.raises(NotSavedError):
            bench.saver.finish(a_snapshot(Cause.DONE))


def test_requests_are_short_when_the_time_to_stop_is(mocker: MockerFixture) -> None:
    mocker.patch.object(time, "monotonic", return_value=100.0)
    stop = Stop()
    saver = mocker.Mock(_stop=stop)
    given = []
    for left in (None, 300.0, 12.0, 1.0):
        stop.seconds_to_live, stop.requested_at = left, 100.0
        given.append(Saver._request_seconds(saver))
    assert given == [REQUEST_SECONDS, REQUEST_SECONDS, 4.0, 1.0]
    stop.close()


@pytest.mark.parametrize("error", [RefusedError("no"), TaskGoneError("gone"), MemoryError("too much")])
def test_what_ends_saving_is_raised_between_two_batches_and_at_the_end(error: Exception) -> None:
    with saving(Script(saves=[error])) as bench:
        bench.saver.offer(a_snapshot())
        with pytest.raises(type(error)):
            bench.saver.finish(a_snapshot(Cause.STOP))
        with pytest.raises(type(error)):
            bench.saver.check()


def test_a_permission_that_stays_away_ends_saving() -> None:
    store = Script(saves=[AwayError("forbidden", patience=0.0)] * 1000)
    with saving(store) as bench, pytest.raises(RefusedError, match="forbidden"):
        bench.saver.finish(a_snapshot(Cause.DONE))


def test_a_fenced_worker_dies_from_the_savers_own_thread() -> None:
    with saving(Script(saves=[FencedError("pod pod-2 holds the task")])) as bench:
        bench.saver.offer(a_snapshot())
        bench.saver._thread.join(20)
        assert bench.deaths == ["fenced, stopping at once: pod pod-2 holds the task"]


def test_an_outage_is_told_when_somebody_waits_and_so_is_its_end() -> None:
    with saving(Script(saves=[AWAY, AWAY])) as bench:
        bench.saver.finish(a_snapshot(Cause.STOP, done=3))
        told, end, saved = bench.console.lines
        assert told == "the store has not acknowledged the save; trying to save before leaving (connection refused)"
        assert end.startswith("saved again after")
        assert saved == "checkpoint 1: 3"


def test_a_short_outage_while_working_is_nobodys_business() -> None:
    with saving(Script(saves=[AWAY])) as bench:
        bench.saver.offer(a_snapshot(done=3))
        bench.store.wait_until_asked(2)
        bench.saver.drain(20)
        assert bench.console.lines == ["checkpoint 1: 3"]


def test_draining_waits_for_what_was_handed_over() -> None:
    gate = Gate()
    with saving(Script(saves=[gate])) as bench:
        bench.saver.offer(a_snapshot())
        gate.open()
        bench.saver.drain(20)
        assert bench.saver.acknowledged_sequence == 1


def test_draining_gives_up_in_time() -> None:
    with saving(Script(saves=[AWAY] * 1000)) as bench:
        bench.saver.offer(a_snapshot())
        bench.saver.drain(0.1)
        assert bench.saver.acknowledged_sequence == 0


def test_closing_ends_a_wait_and_sends_nothing_more(mocker: MockerFixture) -> None:
    slow_retries(mocker)
    with saving(Script(saves=[AWAY])) as bench:
        bench.saver.offer(a_snapshot())
        bench.store.wait_until_asked(1)
        bench.saver.close(20)
        bench.saver.offer(a_snapshot())
        assert not bench.saver._thread.is_alive()
        assert len(bench.store.asked) == 1
