"""The `with` form, for code that can't be a class. It must not know more of a run than the class form does.

from longtask.worker import attempt

with attempt("import-rows", total=len(rows)) as run:
    begin = run.state["next"] if run.state else 0
    for index in run.batches(range(begin, len(rows))):
        insert(rows[index])
        run.state = {"next": index + 1}
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

from longtask.worker.connect import connect
from longtask.worker.console import Console, write_error
from longtask.worker.control import Controlled
from longtask.worker.endings import ending_of
from longtask.worker.reasons import Reason
from longtask.worker.runner import clean_up
from longtask.worker.session import SAVE_EVERY
from longtask.worker.signals import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from longtask.worker.control import Control
    from longtask.worker.session import Session

Batch = TypeVar("Batch")


def attempt(  # noqa: PLR0913 - all but the name are options
    name: str,
    *,
    total: int | None = None,
    cleanup: Callable[[Reason], None] | None = None,
    save_every: float = SAVE_EVERY,
    checkpoint: str = "",
    restart: bool = False,
    migrate: Callable[[Any, str], Any] | None = None,
) -> Attempt:
    """Return a run of long work, to be used with `with`.

    `name`: of the work, for its local file. `cleanup`: called with the reason when the block ends, however it ends.
    `migrate`: as Task.migrate.
    The rest is as for the command. A stop request is noticed from the `with` on: what takes long to import is better
    imported inside.
    """
    return Attempt(
        total,
        cleanup,
        migrate,
        lambda stop: connect(stop, name, save_every=save_every, checkpoint=checkpoint, restart=restart),
    )


class Attempt(Controlled):
    """A run of long work. The program goes on behind the block only when the work is done; else it exits there.

    `state` is where to go on: what was saved last, None the first time. Set it, inside the loop, to anything that
    JSON can hold; it is saved between batches.
    """

    def __init__(
        self,
        total: int | None,
        cleanup: Callable[[Reason], None] | None,
        migrate: Callable[[Any, str], Any] | None,
        connect: Callable[[Stop], tuple[Session, Console, Control]],
    ) -> None:
        self.state: Any = None
        self._total = total
        self._cleanup, self._migrate = cleanup, migrate
        self._connect = connect
        self._stop = Stop()
        self._session: Session | None = None  # until the `with` is entered
        self._console = Console()

    def __enter__(self) -> Attempt:
        """Claim the task. Exits if that can't be done, or if it is done already."""
        self._stop.install()
        try:
            self._session, self._console, self._control = self._connect(self._stop)
            self.state = self._session.claim(self._migrate)
            self._session.begin(self._total, lambda: self.state)
        except BaseException as error:  # noqa: BLE001 - the exit code is ours
            self._leave(error, cleanup=None)
        return self

    def batches(self, iterable: Iterable[Batch], count: Callable[[Batch], int] = lambda _: 1) -> Iterator[Batch]:
        """Yield what is left to do; ends early when the worker is asked to stop. See Task.batches and Task.count."""
        return self._need_session().batches(iterable, count)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Save for the last time. Returns when the work is done, else exits the process with the right code."""
        self._leave(error, cleanup=self._cleanup)

    def _leave(self, error: BaseException | None, *, cleanup: Callable[[Reason], None] | None) -> None:
        try:
            if error is not None:
                raise error  # noqa: TRY301 - one way for the block's errors and for those of the last save
            ending = self._need_session().finish()
        except BaseException as failure:  # noqa: BLE001 - the exit code is ours
            ending = ending_of(failure, stopped=self._stop.requested)
            if self._session is not None:
                self._session.abandon()
            write_error(ending.details)
        self._console.last_words(ending.line, ending.details)
        if cleanup is not None:
            clean_up(cleanup, ending.reason)
        if self._session is not None:
            self._session.close()
        self._stop.close()
        if ending.reason is not Reason.DONE or error is not None:
            sys.stdout.flush()
            raise SystemExit(ending.code) from None

    def _need_session(self) -> Session:
        if self._session is None:
            raise RuntimeError("an attempt is to be used with `with`")
        return self._session
