"""One run of a worker, from its claim to its last save: what the class form and the `with` form share.

It knows when to save and when to stop; it must not know whose code it drives, nor where checkpoints are kept.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from longtask.worker import envelope
from longtask.worker.claiming import claim
from longtask.worker.endings import Ending, ending_of_save
from longtask.worker.errors import NotFinishedError
from longtask.worker.parking import Parking
from longtask.worker.progress import Meter, check_count, describe, one_line
from longtask.worker.retry import jitter
from longtask.worker.saver import Saver
from longtask.worker.store import Cause, Claim, Snapshot, Wanted, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from longtask.worker.console import Console
    from longtask.worker.control import Control
    from longtask.worker.signals import Stop
    from longtask.worker.store import CheckpointStore

Batch = TypeVar("Batch")
Migrate = Callable[[Any, str], Any]

SAVE_EVERY = 10.0  # seconds
FIRST_SAVE = 2.0  # seconds; soon, so that people see that it works
LONG_BATCH = 5  # seconds
_JITTER = 0.15
_DRAIN_SECONDS = 5.0


class Session:
    """Claims, hands out batches one by one, saves between them, and ends with a last save."""

    def __init__(  # noqa: PLR0913 - all but the first four are options
        self,
        store: CheckpointStore,
        stop: Stop,
        console: Console,
        control: Control,
        *,
        save_every: float = SAVE_EVERY,
        schema: str = "",
        ask: Callable[[], Wanted] | None = None,
    ) -> None:
        """`ask`: what is wanted of the task, for a worker that is asked to stop and not told; see `parking`."""
        self._store, self._stop, self._console, self._control = store, stop, console, control
        self._save_every, self._schema = save_every, schema
        self._parking = None if ask is None else Parking(ask, stop, console)
        self._claim = Claim(0, 0, "")
        self._saver: Saver | None = None
        self._state: Callable[[], Any] | None = None
        self._total: int | None = None
        self._meter = Meter()
        self._longest = 0  # whole seconds of the longest batch, over all runs; rounded up
        self._due = 0.0
        self._exhausted = False

    def claim(self, migrate: Migrate | None = None) -> Any:  # noqa: ANN401 - whatever the user has saved
        """Claim the task and return the user's saved state, None the first time. Errors are those of `claiming`.

        `migrate` turns a state that was saved under another schema into one of this. Without it such a task is refused
        before anything is touched, with DataError, as is one that was not saved by this library.
        """
        self._claim = claim(self._store, self._stop, self._console, lambda data: self._accept(data, migrate))
        done, state = envelope.unwrap(self._claim.data)
        if migrate is not None and self._claim.data and (old := envelope.schema_of(self._claim.data)) != self._schema:
            state = migrate(state, old)
        self._control.epoch, self._control.done = self._claim.epoch, done
        self._longest = envelope.longest_of(self._claim.data)
        self._saver = Saver(self._store, self._claim, self._stop, self._console, self._console.die)
        where = (
            f"going on from checkpoint {self._claim.sequence}, {done} done" if self._claim.data else "from the start"
        )
        self._console.say(f"claimed with epoch {self._claim.epoch}: {where}")
        return state

    def _accept(self, data: str, migrate: Migrate | None) -> None:
        envelope.unwrap(data)
        if migrate is None:
            envelope.require_schema(data, self._schema)

    def begin(self, total: int | None, state: Callable[[], Any]) -> None:
        """Begin the work. `state` is called between batches, when it is time to save."""
        self._total = None if total is None else check_count(total, "total()")
        self._state = state
        self._meter = Meter()
        self._due = time.monotonic() + min(FIRST_SAVE, self._next_interval())

    def batches(self, iterable: Iterable[Batch], count: Callable[[Batch], int]) -> Iterator[Batch]:
        """Yield batch after batch until there are none, or until asked to stop. Saves in between.

        A batch that was taken is always processed: taking it may have moved the user's own position. For the same
        reason no batch is taken in advance to see whether there is one.
        """
        iterator = iter(iterable)
        while not self._stop.requested:
            try:
                batch = next(iterator)
            except StopIteration:
                # who has seen the stop request may have ended early because of it
                self._exhausted = not self._control.stop_was_seen
                return
            begun = time.monotonic()
            yield batch
            self._longest = max(self._longest, math.ceil(time.monotonic() - begun))
            self._after_batch(check_count(count(batch), "count()"))
            if self._parking is not None and self._parking.is_asked():
                self._parking.park(lambda cause: self._need_saver().finish(self._snapshot(cause)))
        # a list knows its length; anything else would have to be asked for one more batch
        self._exhausted = not self._control.stop_was_seen and operator.length_hint(iterator, 1) == 0

    def finish(self) -> Ending:
        """Save for the last time and say how it ended. Raises NotFinishedError if neither done nor asked to stop."""
        saver = self._need_saver()
        saver.check()
        if not (self._exhausted or self._stop.requested):
            raise NotFinishedError("the work was left before its batches were used up: this is not done")
        snapshot = self._snapshot(Cause.DONE if self._exhausted else Cause.STOP)
        wanted = saver.finish(snapshot)
        saver.close()
        return ending_of_save(snapshot.cause, wanted, self._summary(snapshot))

    def abandon(self) -> None:
        """Save nothing more, after an error. A snapshot that was already handed over gets a moment: it is good."""
        if self._saver is not None:
            left = self._stop.seconds_left()
            self._saver.drain(_DRAIN_SECONDS if left is None else min(_DRAIN_SECONDS, left))
            self._saver.close(seconds=1.0)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _after_batch(self, items: int) -> None:
        self._control.done = check_count(self._control.done, "done") + items
        self._meter.add(items)
        saver = self._need_saver()
        saver.check()
        if self._stop.reinstall():
            self._console.say("something has replaced the handler of SIGTERM; it is back in place")
        if time.monotonic() >= self._due and not self._stop.requested:  # else the last save follows at once
            saver.offer(self._snapshot(Cause.INTERVAL))
            self._due = time.monotonic() + self._next_interval()
        if self._console.wants_progress:
            self._console.show(self._progress(Cause.INTERVAL))

    def _snapshot(self, cause: Cause) -> Snapshot:
        """Serialise now, in the main thread: the user's objects change while a snapshot is on its way."""
        if self._state is None:  # nothing has begun: what was saved stays as it is, or is given up when starting over
            progress = None if self._claim.data else self._progress(cause)
            return Snapshot(cause, self._claim.data, progress, timestamp(self._store.now()))
        done = check_count(self._control.done, "done")
        data = envelope.wrap(done, self._state(), self._schema, self._long_batch(), limit=self._store.limit)
        return Snapshot(cause, data, self._progress(cause), timestamp(self._store.now()))

    def _progress(self, cause: Cause) -> dict[str, Any]:
        rate = self._meter.rate() if cause is Cause.INTERVAL else None  # a task that stands still has no speed
        control = self._control
        return describe(
            done=control.done,
            total=self._total,
            message=control.message,
            rate=rate,
            longest=self._long_batch(),
            now=self._store.now(),
        )

    def _long_batch(self) -> int:
        """The longest batch, if it is worth telling: no grace period is so short that others matter."""
        return self._longest if self._longest >= LONG_BATCH else 0

    def _summary(self, snapshot: Snapshot) -> str:
        sequence = self._need_saver().acknowledged_sequence
        return f"checkpoint {sequence}" + (f", {one_line(snapshot.progress)}" if snapshot.progress else "")

    def _next_interval(self) -> float:
        return jitter(self._save_every, _JITTER)

    def _need_saver(self) -> Saver:
        if self._saver is None:
            raise RuntimeError("the task is not claimed yet")
        return self._saver
