"""How far the work is, for people: count, share, speed and the time it will end. It must not know who is told."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_MESSAGE = 1024  # characters
_SMOOTHING_SECONDS = 60.0  # what happened this long ago weighs 1/e of what happens now
_FARTHEST_SECONDS = 10 * 365 * 86400.0  # an estimate beyond that is none


class Meter:
    """Items per second, smoothed, of this run only: how fast an earlier pod was says nothing about this one.

    Two sums decay alike, one of items and one of seconds. Their quotient needs no start value and is right from the
    first batch on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._items = 0.0
        self._seconds = 0.0

    def add(self, items: float) -> None:
        """Count what was done since the last call."""
        now = self._clock()
        passed, self._last = max(0.0, now - self._last), now
        weight = math.exp(-passed / _SMOOTHING_SECONDS)
        self._items = self._items * weight + max(0.0, items)
        self._seconds = self._seconds * weight + passed

    def rate(self) -> float | None:
        """Return items per second, or None while nothing can be said."""
        return self._items / self._seconds if self._items > 0 and self._seconds > 0 else None


def describe(
    *, done: int, total: int | None, message: str, rate: float | None, longest: int = 0, now: float
) -> dict[str, Any]:
    """Return `status.progress`. Without a rate there is neither speed nor estimate: the work is not going on.

    `longest`: whole seconds of the longest batch; 0: nothing to tell. `now`: seconds since the epoch. 100 percent means
    all of it, so that it is rounded down, and a total that turns out too small is never exceeded.
    """
    progress: dict[str, Any] = {"done": done}
    if total is not None:
        progress["total"] = total
        progress["percent"] = 100 if done >= total else done * 100 // total
    if message:
        progress["message"] = message[:MAX_MESSAGE]
    if longest:
        progress["longestBatchSeconds"] = longest
    if rate is not None and math.isfinite(rate):
        progress["rate"] = _number(rate)
        left = max(0, total - done) / rate if total is not None and rate > 0 else math.inf
        if left < _FARTHEST_SECONDS:
            progress["estimatedCompletionTime"] = _whole_second(now + left)
    return progress


def one_line(progress: dict[str, Any]) -> str:
    """Return progress as people read it in a log: `1200 of 5000 (24 %), 12.3/s`."""
    text = str(progress["done"])
    if "total" in progress:
        text += f" of {progress['total']} ({progress['percent']} %)"
    if "rate" in progress:
        text += f", {progress['rate']}/s"
    if "message" in progress:
        text += f", {progress['message']}"
    return text


def check_count(value: object, what: str, *, least: int = 0) -> int:
    """Return a count that users gave. Raises TypeError or ValueError that names where it came from."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} must be a whole number, and is {value!r}")
    if not least <= value <= 2**53 - 1:
        raise ValueError(f"{what} must be between {least} and 2**53 - 1, and is {value}")
    return value


def _number(rate: float) -> str:
    """Write a rate with some three digits, in at most the 32 characters that the API server takes."""
    if rate >= 1e12:
        return f"{rate:.3e}"
    return f"{rate:.1f}" if rate >= 10 else f"{rate:.3g}"  # one in an hour is 0.000278, and not nothing


def _whole_second(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
