"""The queue of keys against a model of it: no key is lost, none is worked on twice at a time, whatever the order."""

from __future__ import annotations

import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from longtask.shell.workqueue import WorkQueue
from tests.fuzz.effort import effort

KEYS = st.sampled_from(["a", "b", "c"])
LONGEST = 16.0


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time passes only when it is told to."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def settle(self) -> None:
        """Run whatever is due now."""
        for _ in range(3):
            self.run_until_complete(asyncio.sleep(0))


class Queue(RuleBasedStateMachine):
    """`owed`: keys that must still be handed out, and by when at the latest; `held`: those handed out and not done."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Clock()
        self.queue = WorkQueue(longest_backoff=LONGEST)
        self.owed: dict[str, float] = {}
        self.held: set[str] = set()

    def teardown(self) -> None:
        self.loop.close()

    def _owe(self, key: str, when: float) -> None:
        self.owed[key] = min(when, self.owed.get(key, when))

    def _in_loop(self, call: object, *arguments: object) -> None:
        async def inside() -> None:
            call(*arguments)  # type: ignore[operator]

        self.loop.run_until_complete(inside())

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self._in_loop(self.queue.add, key)
        self._owe(key, self.loop.now)

    @rule(key=KEYS, seconds=st.floats(-1, 50))
    def add_after(self, key: str, seconds: float) -> None:
        self._in_loop(self.queue.add_after, key, seconds)
        self._owe(key, self.loop.now + max(0.0, seconds))

    @rule(key=KEYS, at_least=st.floats(0, 50))
    def fail(self, key: str, at_least: float) -> None:
        self._in_loop(self.queue.add_after_failure, key, at_least)
        self._owe(key, self.loop.now + max(LONGEST, at_least))

    @rule(key=KEYS)
    def succeed(self, key: str) -> None:
        self.queue.succeeded(key)

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        self.loop.now += seconds
        self.loop.settle()

    @precondition(lambda self: len(self.queue) > 0)
    @rule()
    def get(self) -> None:
        key = self.loop.run_until_complete(self.queue.get())
        assert key not in self.held, "one worker per key at a time"
        self.held.add(key)
        self.owed.pop(key, None)
        if key in self.queue._timers:  # asked for since it became ready: that it is not too late was checked then
            self.owed[key] = self.queue._timers[key].when()

    @precondition(lambda self: bool(self.held))
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.held.discard(key)
        self._in_loop(self.queue.done, key)

    @invariant()
    def nothing_is_lost(self) -> None:
        """What is owed waits, waits for its time, or waits for its worker; and what is due waits for nothing else."""
        self.loop.settle()
        for key, when in self.owed.items():
            ready = key in self.queue._waiting or key in self.queue._again
            assert ready or key in self.queue._timers, f"{key} is lost"
            assert ready or when > self.loop.now, f"{key} is late"

    @invariant()
    def each_waits_once(self) -> None:
        assert len(self.queue) == len(self.queue._waiting)
        assert self.queue._waiting.isdisjoint(self.held)
        assert self.queue._again <= self.held


TestQueue = Queue.TestCase
TestQueue.settings = effort(30)
