"""The queue: each key once, alone while it is worked on, later when asked, slower after failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from longtask.shell.workqueue import WorkQueue

if TYPE_CHECKING:
    from pytest_mock import MockerFixture


@pytest.fixture
def queue() -> WorkQueue:
    return WorkQueue(longest_backoff=10.0, first_backoff=1.0)


class Clock:
    """The loop's time, in the hands of a test: `call_at` is remembered, and `pass_to` calls what is due."""

    def __init__(self, mocker: MockerFixture) -> None:
        self.now = 100.0
        self.handles: list[asyncio.TimerHandle] = []
        loop = asyncio.get_running_loop()
        mocker.patch.object(loop, "time", self._time)
        self._loop = loop
        mocker.patch.object(loop, "call_at", self._call_at)

    def _time(self) -> float:
        return self.now

    def _call_at(self, when: float, callback: object, *arguments: object) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, arguments, self._loop)  # type: ignore[arg-type]
        self.handles.append(handle)
        return handle

    @property
    def pending(self) -> list[float]:
        """In how many seconds something is due."""
        return [handle.when() - self.now for handle in self.handles if not handle.cancelled()]

    def pass_to(self, when: float) -> None:
        """Let time pass."""
        self.now = when
        for handle in list(self.handles):
            if not handle.cancelled() and handle.when() <= when:
                self.handles.remove(handle)
                handle._run()


async def test_keys_come_in_the_order_in_which_they_were_added(queue: WorkQueue) -> None:
    for key in "abc":
        queue.add(key)

    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]


async def test_a_key_that_is_added_many_times_comes_once(queue: WorkQueue) -> None:
    for _ in range(100):
        queue.add("a")

    assert await queue.get() == "a"
    assert len(queue) == 0


async def test_whoever_waits_gets_the_next_key(queue: WorkQueue) -> None:
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")

    assert await waiting == "a"


async def test_no_two_work_on_one_key_and_a_hundred_changes_meanwhile_make_one_more_turn(queue: WorkQueue) -> None:
    queue.add("a")
    key = await queue.get()
    for _ in range(100):
        queue.add("a")
    assert len(queue) == 0

    queue.done(key)
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_a_key_comes_when_its_time_has_come(queue: WorkQueue, mocker: MockerFixture) -> None:
    clock = Clock(mocker)
    queue.add_after("a", 5)
    clock.pass_to(104.9)
    assert len(queue) == 0

    clock.pass_to(105.0)
    assert len(queue) == 1


async def test_the_earlier_of_two_times_holds(queue: WorkQueue, mocker: MockerFixture) -> None:
    clock = Clock(mocker)
    queue.add_after("a", 5)
    queue.add_after("a", 9)
    queue.add_after("a", 2)

    assert clock.pending == [2.0]


async def test_what_is_to_be_done_now_needs_no_timer(queue: WorkQueue, mocker: MockerFixture) -> None:
    clock = Clock(mocker)
    queue.add_after("a", 5)
    queue.add("a")

    assert clock.pending == []
    assert len(queue) == 1


async def test_failures_in_a_row_make_pauses_that_double_to_a_limit(queue: WorkQueue, mocker: MockerFixture) -> None:
    mocker.patch("longtask.shell.workqueue.random.uniform", return_value=1.0)
    clock = Clock(mocker)
    pauses = []
    for _ in range(100):
        queue.add_after_failure("a")
        pauses += clock.pending
        clock.pass_to(clock.now + 20)

    assert pauses == [1.0, 2.0, 4.0, 8.0] + [10.0] * 96, "it never gives up"


async def test_a_failure_may_ask_for_more_than_its_turn(queue: WorkQueue, mocker: MockerFixture) -> None:
    clock = Clock(mocker)
    queue.add_after_failure("a", at_least=30.0)

    assert clock.pending == [30.0]


async def test_a_success_makes_the_next_failure_the_first(queue: WorkQueue, mocker: MockerFixture) -> None:
    mocker.patch("longtask.shell.workqueue.random.uniform", return_value=1.0)
    clock = Clock(mocker)
    for _ in range(4):
        queue.add_after_failure("a")
        clock.pass_to(clock.now + 20)
    queue.succeeded("a")
    queue.add_after_failure("a")

    assert clock.pending == [1.0]


async def test_a_key_that_is_forgotten_leaves_nothing(queue: WorkQueue, mocker: MockerFixture) -> None:
    clock = Clock(mocker)
    queue.add_after_failure("a")
    queue.forget("a")

    assert clock.pending == []
    assert (queue._timers, queue._failures) == ({}, {})
