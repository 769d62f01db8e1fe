"""When to try again, and when to give up. It must not know what is tried."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from longtask.worker.errors import AwayError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_SECONDS = 0.25


def jitter(seconds: float, share: float) -> float:
    """Return `seconds`, more or less by up to that share: a thousand workers must not ask at the same moment."""
    fraction = int.from_bytes(os.urandom(4), "big") / 2**32  # `random` costs as much to import as all of this package
    return seconds * (1 - share + 2 * share * fraction)


class Retry:
    """A run of failed tries: each failure is answered with the seconds to wait, or raised when patience is over."""

    def __init__(
        self, *, longest: float, patience: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`longest`: seconds between two tries, at most. `patience`: how long failures of any kind are bearable."""
        self._longest = longest
        self._patience = patience
        self._clock = clock
        self._next = FIRST_SECONDS
        self._limited_since: float | None = None
        self.failing_since: float | None = None

    def succeeded(self) -> None:
        """Forget the failures."""
        self._next = FIRST_SECONDS
        self._limited_since = None
        self.failing_since = None

    def again_soon(self) -> None:
        """Begin with short waits again, because something has changed."""
        self._next = FIRST_SECONDS

    def wait_after(self, error: AwayError) -> float:
        """Return the seconds to wait before the next try. Raises RefusedError when patience is over."""
        now = self._clock()
        self.failing_since = now if self.failing_since is None else self.failing_since
        self._give_up(error, now)
        self._next, seconds = min(self._next * 2, self._longest), self._next
        if error.retry_after is not None:
            return max(error.retry_after, FIRST_SECONDS) + jitter(0.1, 1.0)  # never earlier than asked
        return jitter(min(seconds, self._longest), 0.25)

    def _give_up(self, error: AwayError, now: float) -> None:
        if error.patience is None:
            self._limited_since = None
        elif self._limited_since is None:
            self._limited_since = now
        elif now - self._limited_since >= error.patience:
            raise RefusedError(f"for {now - self._limited_since:.0f} s now: {error}") from error
        failing = 0.0 if self.failing_since is None else now - self.failing_since
        if self._patience is not None and failing >= self._patience:
            raise RefusedError(f"for {failing:.0f} s now: {error}") from error
