"""A worker that is asked, and not told, to stop: it finishes its batch, saves, and waits for what is wanted next.

For batches that take longer than a pod's grace period (`spec.suspend.waitForBatch`). SIGTERM comes when the save has
been seen. If the task is to run again before that, the same worker goes on. It must not know what is saved.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from longtask.worker.errors import AwayError
from longtask.worker.store import Cause, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from longtask.worker.console import Console
    from longtask.worker.signals import Stop

ASK_EVERY = 2.0  # seconds between two questions while the work goes on
LOOK_EVERY = 1.0  # the same while it waits


class Parking:
    """Asks between batches what is wanted, and waits while the task is to stand still."""

    def __init__(
        self, ask: Callable[[], Wanted], stop: Stop, console: Console, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`ask` must use a connection of its own: saves are sent meanwhile."""
        self._ask, self._stop, self._console, self._clock = ask, stop, console, clock
        self._due = clock() + ASK_EVERY

    def is_asked(self) -> bool:
        """Whether the task is to be suspended. Asked every few seconds at most. Raises TaskGoneError."""
        if self._stop.requested or self._clock() < self._due:
            return False
        self._due = self._clock() + ASK_EVERY
        return self._look() is Wanted.SUSPEND

    def park(self, save: Callable[[Cause], Wanted]) -> None:
        """Save, and return when the task is to run again or the stop request has come.

        `save` returns when it is acknowledged, with what is wanted. Before the work goes on another save takes back
        that nothing is missing: else the next suspension would take it for an answer.
        """
        while not self._stop.requested:
            wanted: Wanted | None = save(Cause.STOP)
            self._console.say("asked to suspend: saved, and waiting")
            while wanted is not Wanted.RUN and not self._stop.wait(LOOK_EVERY):
                wanted = self._look()
            if self._stop.requested:
                return
            if save(Cause.INTERVAL) is Wanted.RUN:
                self._console.say("going on")
                return

    def _look(self) -> Wanted | None:
        """What is wanted; None while nobody answers."""
        try:
            return self._ask()
        except AwayError:
            return None
