"""The class that a user's work is written as. It must not know how it is run, stopped or saved."""

from __future__ import annotations

from longtask.worker.control import Controlled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from longtask.worker.reasons import Reason


class Task(Controlled):
    """Long work that can be stopped between two batches, and goes on at the same one.

        class ImportRows(Task):
            def setup(self, saved):
                self.next = saved["next"] if saved else 0
                self.rows = open_rows()

            def batches(self):
                while self.next < len(self.rows):
                    yield self.rows[self.next : self.next + 100]

            def process(self, batch):
                insert(batch)
                self.next += len(batch)

            def save(self):
                return {"next": self.next}

    `longtask run module:ImportRows` runs it. Everything is called in the main thread, one call at a time, and `save`
    only between batches. A worker can die at any moment, and the next one begins with what was saved last: a batch
    may be processed twice, so processing it twice must do no harm. `self.epoch` helps where that is not enough.
    """

    args: Sequence[str] = ()
    """What stands behind `--` on the command line."""

    # --- What a task is made of ---

    def setup(self, saved: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Open what is needed. `saved` is what `save` returned last, through JSON; None the first time."""

    def total(self) -> int | None:
        """Return how much there is to do in all, done work included; None if unknown. Asked once, after `setup`."""
        return None

    def batches(self) -> Iterable[Any]:
        """Return or yield what is left to do, in pieces of some seconds: stopping waits for one to end."""
        raise NotImplementedError(f"{type(self).__name__} must define batches()")

    def process(self, batch: Any) -> None:  # noqa: ANN401
        """Do one batch. Never interrupted by a stop request. The position that `save` returns moves here."""
        raise NotImplementedError(f"{type(self).__name__} must define process()")

    def count(self, batch: Any) -> int:  # noqa: ANN401, ARG002 - for those who override it
        """Return how much of `total` a batch was; by default 1, so that batches are counted."""
        return 1

    def save(self) -> Any:  # noqa: ANN401
        """Return where to go on: anything that JSON can hold, up to 32 KiB. Called between batches."""
        return None

    def migrate(self, saved: Any, schema: str) -> Any:  # noqa: ANN401
        """Return in today's form what was saved under another `spec.checkpoint.schema` ("": under none).

        Called before `setup`, and only if it is defined: without it a task whose schema has changed is refused before
        anything is touched. Raise NeverRetry for a schema that it does not know.
        """
        raise NotImplementedError(f"{type(self).__name__} can't migrate from {schema!r}")

    def cleanup(self, reason: Reason) -> None:
        """Close what `setup` has opened. Called once, however it ends, if `setup` was called; see Reason."""
