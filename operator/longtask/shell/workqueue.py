"""One queue of keys: each key once, one worker per key at a time, delays and growing back-off.

Events that come while a key is being worked on make it run once more afterwards; a hundred of them, too.
It must not know what a key stands for.
"""

from __future__ import annotations

import asyncio
import random


class WorkQueue:
    """For one event loop. `get` and `done` go in pairs."""

    def __init__(self, *, longest_backoff: float, first_backoff: float = 0.05) -> None:
        self._longest = longest_backoff
        self._first = first_backoff
        self._ready: asyncio.Queue[str] = asyncio.Queue()  # it wakes one worker for each key, not all for every one
        self._waiting: set[str] = set()  # in _ready
        self._working: set[str] = set()
        self._again: set[str] = set()  # came while being worked on
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}

    def add(self, key: str) -> None:
        """Have the key worked on as soon as possible."""
        self._cancel_timer(key)
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: str, seconds: float) -> None:
        """Have the key worked on then, unless it is already to be sooner."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, seconds)
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= when:
            return
        self._cancel_timer(key)
        self._timers[key] = loop.call_at(when, self._fire, key)

    def add_after_failure(self, key: str, at_least: float = 0.0) -> None:
        """Have the key worked on after a pause that doubles with every failure in a row, with jitter."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        pause = min(self._longest, self._first * 2 ** min(failures, 30))
        self.add_after(key, max(at_least, pause * random.uniform(0.5, 1.0)))  # noqa: S311  not a secret

    def succeeded(self, key: str) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    async def get(self) -> str:
        """The next key. It is the caller's alone until `done`."""
        key = await self._ready.get()
        self._waiting.discard(key)
        self._working.add(key)
        return key

    def done(self, key: str) -> None:
        """The caller is through with it."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def forget(self, key: str) -> None:
        """Drop timers and failures of a key that is gone for good."""
        self._cancel_timer(key)
        self._failures.pop(key, None)

    def __len__(self) -> int:
        return self._ready.qsize()

    def _fire(self, key: str) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
