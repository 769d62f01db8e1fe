"""The thread that saves, so that the work never waits for the API server. It must not know what it saves, nor where.

The main thread hands over snapshots that are already serialised. Only the latest one matters: while the store is away
a newer one takes the place of the one that waits. A snapshot is sent again and again, always with the identical
body, until it is acknowledged: a repeated save is harmless, an unacknowledged one does not count.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, NoReturn

from longtask.worker.errors import AwayError, FencedError, NotSavedError
from longtask.worker.retry import FIRST_SECONDS, Retry
from longtask.worker.store import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from longtask.worker.console import Console
    from longtask.worker.signals import Stop
    from longtask.worker.store import CheckpointStore, Claim, Snapshot, Wanted

LONGEST_WAIT = 30.0  # between two tries
LONGEST_LAST_WAIT = 3.0  # the same for the last snapshot: someone waits for it
REQUEST_SECONDS = 10.0
LEAST_SECONDS_FOR_LAST = 2.0  # a batch that used up all the time to stop is still worth one try
_LOOK_SECONDS = 0.25  # how often a waiting main thread looks whether it has been told to stop
_SAY_SECONDS = 60.0  # how often an outage is told of


class Saver:
    """Saves the latest snapshot in a thread of its own, and tells the main thread how it went."""

    def __init__(
        self, store: CheckpointStore, claim: Claim, stop: Stop, console: Console, die: Callable[[str], NoReturn]
    ) -> None:
        """`die` is called, from the saver's thread, when another worker holds the task; it must end the process."""
        self._store, self._stop, self._console, self._die = store, stop, console, die
        self._changed = threading.Condition()
        self._waiting: Snapshot | None = None  # handed over, not yet taken
        self._acknowledged: tuple[Snapshot, Wanted] | None = None
        self._error: BaseException | None = None
        self._closed = False
        self._last = False  # the last snapshot was handed over
        self.sequence = claim.sequence  # of the last one sent
        self.acknowledged_sequence = claim.sequence
        self._said_at = -math.inf
        self._thread = threading.Thread(target=self._run, name="longtask-saver", daemon=True)
        self._thread.start()

    def offer(self, snapshot: Snapshot) -> None:
        """Hand over a snapshot and return at once. A snapshot that still waits is dropped: this one is newer."""
        with self._changed:
            self._waiting = snapshot
            self._last = snapshot.cause in {Cause.STOP, Cause.DONE}
            self._changed.notify_all()

    def check(self) -> None:
        """Raise what has ended saving, if anything has: going on would be work that can't be saved."""
        with self._changed:
            if self._error is not None:
                raise self._error

    def finish(self, snapshot: Snapshot) -> Wanted:
        """Save the last snapshot, and return only when it is acknowledged, with what is wanted of the task.

        Takes as long as it takes; when asked to stop, until the time to stop is up: then NotSavedError.
        """
        self.offer(snapshot)
        begun = time.monotonic()
        with self._changed:
            while self._acknowledged is None or self._acknowledged[0] is not snapshot:
                if self._error is not None:
                    raise self._error
                left = self._seconds_left(begun)
                if left is not None and left <= 0:
                    raise NotSavedError("the time to stop is up, and the last save is not acknowledged")
                self._changed.wait(_LOOK_SECONDS if left is None else min(_LOOK_SECONDS, left))
            return self._acknowledged[1]

    def drain(self, seconds: float) -> None:
        """Give what was handed over so long to be saved: it was taken between two batches and is good."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._busy() and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def close(self, seconds: float = 2 * REQUEST_SECONDS) -> None:
        """Send nothing more, and wait so long for a request that is on its way."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(seconds)

    def _busy(self) -> bool:
        return self._error is None and (self._waiting is not None or self.sequence != self.acknowledged_sequence)

    def _seconds_left(self, begun: float) -> float | None:
        left = self._stop.seconds_left()
        return None if left is None else max(left, begun + LEAST_SECONDS_FOR_LAST - time.monotonic())

    def _run(self) -> None:
        try:
            while (snapshot := self._take()) is not None:
                self._save(snapshot)
        except FencedError as error:
            self._die(f"fenced, stopping at once: {error}")
        except BaseException as error:  # noqa: BLE001 - a thread must not die in silence: the main thread raises it
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _take(self) -> Snapshot | None:
        """Wait for a snapshot; None when there will be none."""
        with self._changed:
            while self._waiting is None and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            snapshot, self._waiting = self._waiting, None
            self.sequence += 1
            return snapshot

    def _save(self, snapshot: Snapshot | None) -> None:
        """Send until acknowledged, always the latest."""
        retry = Retry(longest=LONGEST_WAIT)
        while snapshot is not None:
            try:
                wanted = self._store.save(snapshot, self.sequence, self._request_seconds())
            except AwayError as error:
                seconds = self._seconds_to_wait(retry, error)
                self._tell_of_outage(retry, error)
                snapshot = self._wait_and_renew(snapshot, seconds, asked=error.retry_after is not None)
            else:
                self._acknowledge(snapshot, wanted, retry)
                return

    def _seconds_to_wait(self, retry: Retry, error: AwayError) -> float:
        """Return how long to wait: as long as asked, or as usual."""
        seconds = retry.wait_after(error)
        return min(seconds, LONGEST_LAST_WAIT) if self._last and error.retry_after is None else seconds

    def _wait_and_renew(self, snapshot: Snapshot, seconds: float, *, asked: bool) -> Snapshot | None:
        """Wait before the next try, and return what to send: the newest.

        A last snapshot ends the wait at once, unless the server has asked for it (`asked`): then it ends in time for
        one more try before the time to stop is up.
        """
        begun = time.monotonic()
        with self._changed:
            while not self._closed and (left := self._still_to_wait(begun, seconds)) > 0:
                if not asked and self._last and self._waiting is not None:
                    break
                self._changed.wait(left)
            if self._closed:
                return None
            if self._waiting is not None:
                snapshot, self._waiting = self._waiting, None
                self.sequence += 1  # the body differs, and the older one may have been carried out
            return snapshot

    def _still_to_wait(self, begun: float, seconds: float) -> float:
        now, left = time.monotonic(), self._stop.seconds_left()
        if left is None:
            return begun + seconds - now
        return min(begun + seconds - now, max(begun + FIRST_SECONDS - now, left - LEAST_SECONDS_FOR_LAST))

    def _acknowledge(self, snapshot: Snapshot, wanted: Wanted, retry: Retry) -> None:
        if retry.failing_since is not None and self._said_at > retry.failing_since:
            self._console.say(f"saved again after {time.monotonic() - retry.failing_since:.0f} s")
        self._console.saved(self.sequence, snapshot.progress)
        with self._changed:
            self._acknowledged = (snapshot, wanted)
            self.acknowledged_sequence = self.sequence
            self._changed.notify_all()

    def _tell_of_outage(self, retry: Retry, error: AwayError) -> None:
        """Tell of it when it lasts: a single failure, such as an idle connection closed, is nobody's business."""
        now = time.monotonic()
        lasting = retry.failing_since is not None and now - retry.failing_since >= 1.0
        if (lasting or self._last) and now - self._said_at >= _SAY_SECONDS:
            self._said_at = now
            doing = "trying to save before leaving" if self._last else "the work goes on meanwhile"
            self._console.say(f"{self._store.name} has not acknowledged the save; {doing} ({error})")

    def _request_seconds(self) -> float:
        left = self._stop.seconds_left()
        return REQUEST_SECONDS if left is None else min(REQUEST_SECONDS, max(1.0, left / 3))
