"""A worker that is asked to stop between two batches, waits there, and goes on when it is not to stop any more."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from longtask.worker.errors import AwayError, TaskGoneError
from longtask.worker.parking import ASK_EVERY, Parking
from longtask.worker.signals import Stop
from longtask.worker.store import Cause, Wanted
from tests.unit.worker.builders import pod_environment, run_worker
from tests.unit.worker.fakes import Clock, Lines
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.worker.builders import Program

RUN, SUSPEND, TERMINATE = Wanted.RUN, Wanted.SUSPEND, Wanted.TERMINATE


@pytest.fixture
def stop() -> Iterator[Stop]:
    """One that nobody asks to stop."""
    made = Stop()
    yield made
    made.close()


class Script:
    """Answers to questions and to saves, one after the other; an answer may be an error. No answer is SIGTERM."""

    def __init__(self, stop: Stop, answers: list[Wanted | Exception], saves: list[Wanted]) -> None:
        self.answers, self.saves, self.causes = answers, saves, list[Cause]()
        self._stop = stop

    def ask(self) -> Wanted:
        if not self.answers:
            self._stop.request()
            return SUSPEND
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def save(self, cause: Cause) -> Wanted:
        self.causes.append(cause)
        return self.saves.pop(0)


def park(stop: Stop, answers: list[Wanted | Exception], saves: list[Wanted]) -> list[Cause]:
    """Park until it ends; returns why each save was made."""
    script = Script(stop, answers, saves)
    quick = pytest.MonkeyPatch()
    quick.setattr("longtask.worker.parking.LOOK_EVERY", 0.01)
    try:
        Parking(script.ask, stop, Lines()).park(script.save)
    finally:
        quick.undo()
    return script.causes


def test_it_saves_and_waits_until_it_is_stopped(stop: Stop) -> None:
    assert park(stop, [SUSPEND, SUSPEND], [SUSPEND]) == [Cause.STOP]
    assert stop.requested


def test_it_goes_on_when_the_task_is_to_run_and_takes_its_answer_back_first(stop: Stop) -> None:
    assert park(stop, [SUSPEND, RUN], [SUSPEND, RUN]) == [Cause.STOP, Cause.INTERVAL]
    assert not stop.requested


def test_it_goes_on_at_once_when_the_answer_to_its_save_says_so(stop: Stop) -> None:
    assert park(stop, [], [RUN, RUN]) == [Cause.STOP, Cause.INTERVAL]


def test_a_suspension_that_comes_again_before_it_goes_on_is_answered_again(stop: Stop) -> None:
    assert park(stop, [RUN, SUSPEND], [SUSPEND, SUSPEND, SUSPEND]) == [Cause.STOP, Cause.INTERVAL, Cause.STOP]


def test_a_task_that_is_to_be_terminated_is_waited_for_its_end(stop: Stop) -> None:
    assert park(stop, [TERMINATE, TERMINATE], [SUSPEND]) == [Cause.STOP]


def test_nobody_who_answers_is_no_reason_to_go_on(stop: Stop) -> None:
    assert park(stop, [AwayError("away"), AwayError("away")], [SUSPEND, RUN]) == [Cause.STOP]
    assert stop.requested


def test_a_task_that_is_gone_ends_the_waiting(stop: Stop) -> None:
    with pytest.raises(TaskGoneError):
        park(stop, [TaskGoneError("deleted")], [SUSPEND])


def test_the_question_is_asked_every_few_seconds_and_not_after_a_stop_request(stop: Stop) -> None:
    clock, asked = Clock(), list[float]()

    def ask() -> Wanted:
        asked.append(clock.now)
        return SUSPEND

    parking = Parking(ask, stop, Lines(), clock=clock)
    answers = []
    for _ in range(10):
        answers.append(parking.is_asked())
        clock.now += ASK_EVERY / 2
    stop.request()
    assert not parking.is_asked()
    assert [b - a for a, b in pairwise(asked)] == [ASK_EVERY] * (len(asked) - 1)
    assert answers.count(True) == len(asked) == 4


# --- the command ---

SLOW = """
import sys, time
from longtask import Task

class Slow(Task):
    def setup(self, saved):
        self.next = saved["next"] if saved else 0
        print("at", self.next, flush=True)

    def batches(self):
        while self.next < 6:
            yield self.next

    def process(self, batch):
        print("begin", batch, flush=True)
        sys.stdin.readline()
        self.next += 1

    def save(self):
        return {"next": self.next}
"""


@contextmanager
def asked_in_its_first_batch(server: StandIn, folder: Path) -> Iterator[Program]:
    """Have a worker that ends its first batch while its task is to be suspended."""
    environment = pod_environment(server, folder) | {"LONGTASK_WAIT_FOR_BATCH": "1"}
    with run_worker(folder, environment, "count.py:Slow", code=SLOW) as worker:
        worker.await_line("begin 0")
        server.set("spec.desiredState", "Suspend")
        claimed = server.patches()[0].at
        server.wait_until(lambda: time.monotonic() - claimed > ASK_EVERY, "the time to ask")
        worker.step()
        yield worker


def test_a_worker_that_is_asked_waits_between_two_batches_and_the_same_one_goes_on(tmp_path: Path) -> None:
    with StandIn() as server:
        with asked_in_its_first_batch(server, tmp_path) as worker:
            server.wait_until(lambda: server.checkpoint["cause"] == "Stop", "the answer")
            assert json.loads(server.checkpoint["data"])["state"] == {"next": 1}
            assert "begin 1" not in worker.lines

            server.set("spec.desiredState", "Run")
            worker.await_line("begin 1")
            assert (server.checkpoint["cause"], server.checkpoint["epoch"]) == ("Interval", 1)

            worker.steps(5)
            assert worker.wait() == 0
        assert server.checkpoint["cause"] == "Done"


def test_a_worker_that_waits_is_stopped_with_everything_saved(tmp_path: Path) -> None:
    with StandIn() as server:
        with asked_in_its_first_batch(server, tmp_path) as worker:
            worker.await_line("asked to suspend: saved, and waiting")
            worker.signal()
            assert worker.wait() == 75
        assert (server.checkpoint["cause"], json.loads(server.checkpoint["data"])["state"]) == ("Stop", {"next": 1})


def test_a_worker_that_is_not_to_be_asked_asks_nothing(tmp_path: Path) -> None:
    with StandIn() as server, run_worker(tmp_path, pod_environment(server, tmp_path)) as worker:
        assert worker.wait() == 0
        assert [request.method for request in server.requests].count("GET") == 1
