"""One run from its claim to its last save: when to save, when to stop, what counts as done."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from longtask.worker import session as session_module
from longtask.worker.control import Control
from longtask.worker.envelope import longest_of, wrap
from longtask.worker.errors import DataError, NotFinishedError, RefusedError
from longtask.worker.reasons import Reason
from longtask.worker.saver import Saver
from longtask.worker.session import Session
from longtask.worker.signals import Stop
from longtask.worker.store import Cause, Claim, Wanted
from tests.unit.worker.fakes import Clock, Lines, Script, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_mock import MockerFixture


class Bench:
    """A session with a store that does as it is told. `state` is what the user would save."""

    def __init__(self, store: Script, save_every: float) -> None:
        self.store, self.stop, self.console = store, Stop(), Lines()
        self.control = Control(lambda: self.stop.requested)
        self.session = Session(store, self.stop, self.console, self.control, save_every=save_every)
        self.state: Any = None
        self.done: list[Any] = []

    def begin(self, total: int | None = None) -> None:
        """Claim and begin."""
        self.state = self.session.claim()
        self.session.begin(total, lambda: self.state)

    def work(self, batches: Iterable[Any], stop_in: object = None) -> None:
        """Do the batches; the stop request comes in the middle of the one given."""
        for batch in self.session.batches(batches, lambda _: 1):
            if batch == stop_in:
                self.stop.request()
            self.done.append(batch)
            self.state = batch

    @property
    def causes(self) -> list[Cause]:
        """Why each save was made."""
        return [snapshot.cause for snapshot, _ in self.store.asked]


@contextmanager
def a_session(store: Script | None = None, save_every: float = 3600.0) -> Iterator[Bench]:
    """Have a session for the length of a `with` block, and leave no thread behind."""
    bench = Bench(store or Script(), save_every)
    try:
        yield bench
    finally:
        bench.session.abandon()
        bench.session.close()
        bench.stop.close()


def test_a_run_to_the_end_is_done() -> None:
    with a_session() as bench:
        bench.begin(total=3)
        bench.work([1, 2, 3])
        ending = bench.session.finish()
        assert (ending.reason, ending.code, ending.line) == (Reason.DONE, 0, "done: checkpoint 1, 3 of 3 (100 %)")
        assert bench.causes == [Cause.DONE]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted.SUSPEND, Reason.SUSPENDED),
        (Wanted.TERMINATE, Reason.TERMINATED),
        (Wanted.DELETE, Reason.DELETED),
        (Wanted.RUN, Reason.INTERRUPTED),
    ],
)
def test_a_stop_ends_behind_the_batch_and_learns_its_reason_from_the_save(wanted: Wanted, reason: Reason) -> None:
    with a_session(Script(wanted=wanted)) as bench:
        bench.begin()
        bench.work([1, 2, 3], stop_in=2)
        ending = bench.session.finish()
        assert (bench.done, ending.reason, ending.code) == ([1, 2], reason, 75)
        assert bench.causes == [Cause.STOP]


def a_run_of_batches(mocker: MockerFixture, seconds: list[float], saved: str = "") -> tuple[dict[str, Any], str]:
    """Do batches that take so long; returns the progress that was told last, and what was saved."""
    clock = Clock()
    mocker.patch.object(session_module, "time", SimpleNamespace(monotonic=clock))
    with a_session(Script(claims=[Claim(2, 4, saved)])) as bench:
        bench.begin()
        for taken in bench.session.batches(seconds, lambda _: 1):
            clock.now += taken
            bench.state = taken
        bench.session.finish()
        snapshot, _ = bench.store.asked[-1]
        assert snapshot.progress is not None
        return snapshot.progress, snapshot.data


def test_the_longest_batch_is_told_in_whole_seconds_rounded_up(mocker: MockerFixture) -> None:
    progress, data = a_run_of_batches(mocker, [1.0, 11.2, 3.0])
    assert progress["longestBatchSeconds"] == 12
    assert longest_of(data) == 12


def test_the_longest_batch_of_earlier_runs_counts(mocker: MockerFixture) -> None:
    """Else the warning that rests on it would come and go with every resume."""
    _, data = a_run_of_batches(mocker, [30.0])
    progress, again = a_run_of_batches(mocker, [1.0], data)
    assert progress["longestBatchSeconds"] == longest_of(again) == 30


def test_of_batches_that_no_grace_period_would_cut_nothing_is_told(mocker: MockerFixture) -> None:
    progress, data = a_run_of_batches(mocker, [0.5, 4.0])
    assert "longestBatchSeconds" not in progress
    assert "longest" not in json.loads(data)


@pytest.mark.parametrize("found", [-1, True, "9", 2**53, None, 1.5])
def test_a_longest_batch_that_makes_no_sense_is_none(found: object) -> None:
    assert longest_of(json.dumps({"longtask": 1, "done": 0, "longest": found, "state": None})) == 0


def test_no_batch_is_taken_only_to_see_whether_there_is_one() -> None:
    """Taking a batch may move the user's own position: what is taken must be done."""
    taken = []

    def source() -> Iterator[int]:
        for number in (1, 2, 3):
            taken.append(number)
            yield number

    with a_session() as bench:
        bench.begin()
        bench.work(source(), stop_in=2)
        assert taken == bench.done == [1, 2]


def test_a_stop_in_the_last_batch_of_a_list_is_done() -> None:
    with a_session() as bench:
        bench.begin()
        bench.work([1, 2], stop_in=2)
        assert bench.session.finish().reason is Reason.DONE


def test_a_stop_in_the_last_batch_of_a_generator_leaves_it_to_the_next_run_to_find_out() -> None:
    with a_session(Script(wanted=Wanted.SUSPEND)) as bench:
        bench.begin()
        bench.work((number for number in (1, 2)), stop_in=2)
        assert bench.session.finish().reason is Reason.SUSPENDED


def test_batches_that_end_early_because_of_the_stop_are_not_done() -> None:
    with a_session(Script(wanted=Wanted.SUSPEND)) as bench:

        def source() -> Iterator[int]:
            number = 0
            while not bench.control.stopping and number < 5:
                number += 1
                yield number

        bench.begin()
        bench.work(source(), stop_in=2)
        ending = bench.session.finish()
        assert (bench.done, ending.reason, bench.causes) == ([1, 2], Reason.SUSPENDED, [Cause.STOP])


def test_batches_that_end_because_the_stop_was_seen_while_looking_for_the_next_are_not_done() -> None:
    with a_session(Script(wanted=Wanted.SUSPEND)) as bench:

        def source() -> Iterator[int]:
            yield 1
            bench.stop.request()
            if not bench.control.stopping:
                yield 2

        bench.begin()
        bench.work(source())
        assert bench.session.finish().reason is Reason.SUSPENDED


def test_a_stop_while_the_next_batch_is_awaited_still_does_that_batch() -> None:
    with a_session(Script(wanted=Wanted.SUSPEND)) as bench:

        def source() -> Iterator[int]:
            bench.stop.request()
            yield 1

        bench.begin()
        bench.work(source())
        assert bench.done == [1]
        assert bench.session.finish().reason is Reason.SUSPENDED


def test_work_that_is_left_in_the_middle_is_no_success() -> None:
    with a_session() as bench:
        bench.begin()
        for _ in bench.session.batches([1, 2, 3], lambda _: 1):
            break
        with pytest.raises(NotFinishedError):
            bench.session.finish()
        assert bench.store.asked == []


def test_a_task_without_any_batch_is_done() -> None:
    with a_session() as bench:
        bench.begin(total=0)
        bench.work([])
        assert bench.session.finish().reason is Reason.DONE


def test_it_goes_on_from_what_was_saved_and_goes_on_counting() -> None:
    with a_session(Script(claims=[Claim(5, 9, wrap(40, {"next": 4}))])) as bench:
        bench.begin(total=50)
        assert bench.state == {"next": 4}
        assert (bench.control.epoch, bench.control.done) == (5, 40)
        bench.work([1])
        bench.session.finish()
        snapshot, sequence = bench.store.asked[-1]
        assert (sequence, snapshot.progress) == (10, {"done": 41, "total": 50, "percent": 82})
        assert bench.console.lines[0] == "claimed with epoch 5: going on from checkpoint 9, 40 done"


def test_a_stop_before_anything_has_begun_keeps_what_was_saved_byte_for_byte() -> None:
    saved = wrap(40, {"next": 4}) + " "
    with a_session(Script(claims=[Claim(5, 9, saved)], wanted=Wanted.SUSPEND)) as bench:
        bench.session.claim()
        bench.stop.request()
        assert bench.session.finish().reason is Reason.SUSPENDED
        snapshot, _ = bench.store.asked[-1]
        assert (snapshot.cause, snapshot.data, snapshot.progress) == (Cause.STOP, saved, None)


def test_saves_come_at_their_interval_and_the_first_one_soon(mocker: MockerFixture) -> None:
    clock = Clock()
    mocker.patch.object(session_module, "time", SimpleNamespace(monotonic=clock))
    times: list[float] = []
    mocker.patch.object(Saver, "offer", side_effect=lambda *_: times.append(clock.now - 1000))
    with a_session(save_every=10.0) as bench:
        bench.begin()
        for _ in bench.session.batches(range(1200), lambda _: 1):
            clock.now += 0.1
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 2.0 <= times[0] <= 2.2
    assert all(8.5 <= gap <= 11.7 for gap in gaps)
    assert len({round(gap, 1) for gap in gaps}) > 1


def test_every_batch_is_saved_when_that_is_asked_for() -> None:
    with a_session(save_every=0.0) as bench:
        bench.begin()
        for count, _ in enumerate(bench.session.batches([1, 2, 3], lambda _: 1)):
            bench.store.wait_until_asked(count)
        bench.session.finish()
        assert bench.causes[:2] == [Cause.INTERVAL, Cause.INTERVAL]
        assert bench.causes[-1] is Cause.DONE  # it may have overtaken the third


def test_what_is_saved_is_the_position_between_two_batches_and_not_a_later_one() -> None:
    with a_session(save_every=0.0) as bench:
        bench.begin()
        bench.state = {"rows": [1]}
        batches = bench.session.batches([1, 2], lambda _: 1)
        next(batches)
        next(batches)
        bench.state["rows"].append(2)  # in the middle of the second batch
        bench.store.wait_until_asked(1)
        assert json.loads(bench.store.saved_data[0])["state"] == {"rows": [1]}


def test_a_state_that_can_not_be_saved_fails_that_save_and_names_its_size() -> None:
    with a_session(save_every=0.0) as bench:
        bench.begin()
        with pytest.raises(DataError, match=r"too large: 40\d\d\d bytes"):
            bench.work(["x" * 40_000, "never reached"])
        assert len(bench.done) == 1
        assert bench.store.asked == []


def test_what_ends_saving_ends_the_work_between_two_batches() -> None:
    with a_session(Script(saves=[RefusedError("no")]), save_every=0.0) as bench:
        bench.begin()
        batches = counted(range(1000), lambda number: bench.store.wait_until_asked(min(number, 1)))
        with pytest.raises(RefusedError):
            bench.work(batches)
        assert len(bench.done) < 1000


@pytest.mark.parametrize("bad", [-1, 1.5, "1", None])
def test_a_bad_count_is_named(bad: Any) -> None:  # noqa: ANN401
    with a_session() as bench:
        bench.begin()
        batches = bench.session.batches([1, 2], lambda _: bad)
        next(batches)
        with pytest.raises((TypeError, ValueError), match=r"count\(\) must be"):
            next(batches)


def test_a_bad_total_is_named() -> None:
    with a_session() as bench, pytest.raises(TypeError, match=r"total\(\) must be a whole number"):
        bench.begin(total=2.5)  # type: ignore[arg-type]


def test_progress_counts_items_and_has_message_and_rate_while_it_goes_on() -> None:
    with a_session(save_every=0.0) as bench:
        bench.begin(total=10)
        bench.control.message = "reading"
        for _ in bench.session.batches([1], lambda _: 5):
            pass
        bench.session.finish()
        bench.store.wait_until_asked(1)
        last = bench.store.asked[-1][0].progress
        assert last == {"done": 5, "total": 10, "percent": 50, "message": "reading"}


def test_a_handler_of_sigterm_that_a_library_has_replaced_is_put_back() -> None:
    with a_session() as bench:
        bench.stop.install()
        bench.begin()
        for number in bench.session.batches([1, 2, 3], lambda _: 1):
            if number == 1:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if number == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            bench.done.append(number)
        assert bench.done == [1, 2]
        assert "something has replaced the handler of SIGTERM; it is back in place" in bench.console.lines


def test_after_an_error_the_position_that_was_handed_over_is_still_saved() -> None:
    with a_session(save_every=0.0) as bench:
        bench.begin()
        batches = bench.session.batches([1, 2], lambda _: 1)
        bench.state = next(batches)
        bench.state = next(batches)  # and here the second batch fails
        bench.session.abandon()
        assert [json.loads(data)["state"] for data in bench.store.saved_data] == [1]
        assert bench.causes == [Cause.INTERVAL]
