"""While the program runs and after its end: its file is saved. It must not know whose program it is.

The kubelet stops this container only when the program has ended, whatever ended it. So a stop request means: what is
there now is the last version.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from typing import TYPE_CHECKING

from longtask.worker.errors import AwayError, RefusedError
from longtask.worker.keeping import KeepingStore
from longtask.worker.progress import Meter, describe
from longtask.worker.retry import Retry, jitter
from longtask.worker.saver import Saver
from longtask.worker.session import FIRST_SAVE, SAVE_EVERY
from longtask.worker.sidecar import content, tell
from longtask.worker.store import Cause, Snapshot, Wanted, timestamp
from longtask.worker.vault import Draft, Stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeVar

    from longtask.worker.apistore import ApiStore
    from longtask.worker.console import Console
    from longtask.worker.sidecar.watched import WatchedFile
    from longtask.worker.signals import Stop

    T = TypeVar("T")

LOOK_EVERY = 0.5  # seconds; a look costs some microseconds
LONGEST_WAIT = 10.0


class Keeper:
    """Saves one file of one program, from its start to its end."""

    def __init__(
        self,
        file: WatchedFile,
        connect: Callable[[], ApiStore | KeepingStore],
        stop: Stop,
        console: Console,
        *,
        save_every: float = SAVE_EVERY,
        schema: str = "",
    ) -> None:
        """`connect`: makes a store with a connection of its own, because one is for one thread."""
        self._file, self._stop, self._console = file, stop, console
        self._store, self._questions = connect(), connect()
        self._save_every, self._schema = save_every, schema
        self._progress_path: Path = file.path.with_name(f"{file.path.name}.progress")
        self._position = content.Position(done=0, told=False, content=None)
        self._told: tell.Told | None = None
        self._data = ""
        self._problem = ""  # why the newest version is not in `_data`
        self._unsaved = False
        self._meter = Meter()

    def run(self) -> None:
        """Save until asked to stop, and then for the last time: for that, as long as it takes.

        Raises FencedError, TaskGoneError or TaskFinalError when nothing can be saved any more.
        """
        retry = Retry(longest=LONGEST_WAIT)
        while True:
            claimed = self._insist(self._store.adopt)
            self._data = self._data or claimed.data
            if self._position.content is None:
                self._position = content.unpack(claimed.data)
            self._unsaved = self._unsaved or (isinstance(self._store, KeepingStore) and bool(self._store.damage))
            saver = Saver(self._store, claimed, self._stop, self._console, self._console.die)
            try:
                self._save_until_stopped(saver)
                self._save_last(saver)
            except (AwayError, RefusedError) as error:  # who restarts us would be slower, and never for the last save
                saver.close(seconds=0)
                self._unsaved = True
                self._console.say(f"saving again soon: {error}")
                _pause(retry.wait_after(AwayError(str(error))))
            else:
                saver.close()
                return

    def _save_until_stopped(self, saver: Saver) -> None:
        due = time.monotonic() + min(FIRST_SAVE, self._save_every)
        while not self._stop.wait(LOOK_EVERY):
            saver.check()
            if not self._is_full(saver):
                self._look(self._file.look)
            if self._unsaved and time.monotonic() >= due:
                saver.offer(self._snapshot(Cause.INTERVAL))
                self._unsaved = False
                due = time.monotonic() + jitter(self._save_every, 0.15)

    def _is_full(self, saver: Saver) -> bool:
        """Whether a version in the volume is still to be told of: another would only take its room."""
        behind = self._unsaved or saver.sequence != saver.acknowledged_sequence
        return behind and isinstance(self._position.content, Stored)

    def _save_last(self, saver: Saver) -> None:
        """Save what the program has left behind. `Stop` says that nothing is missing; a suspension waits for that.

        The task may be suspended while the last save is on its way: its answer tells.
        """
        self._look(self._file.last)
        wanted = self._insist(self._questions.wanted)
        if wanted is not Wanted.SUSPEND and (self._unsaved or saver.sequence != saver.acknowledged_sequence):
            wanted = saver.finish(self._snapshot(Cause.INTERVAL))
        if wanted is Wanted.SUSPEND:
            saver.finish(self._snapshot(Cause.INTERVAL if self._problem else Cause.STOP))

    def _look(self, look: Callable[[], bytes | Draft | None]) -> None:
        """Take in a new version, and what the program tells of its progress."""
        told = tell.read(self._progress_path)
        if told is not None and told != self._told:
            if self._told is not None:
                self._meter.add(told.done - self._told.done)
            self._told, self._unsaved = told, True
            self._position = self._position._replace(done=told.done, told=True)
        try:
            found = look()
            if found is not None:
                self._take(found)
        except AwayError as error:
            self._tell_problem(f"{self._file.path} can't be saved now: {error}")
        except content.TooLarge as error:
            self._tell_problem(f"{self._file.path} is too large to be saved: {error}")
        except OSError as error:
            words = f"{self._file.path} can't be read by user {os.getuid()}: {error.strerror}"
            self._tell_problem(f"{words}. The pod's securityContext.runAsUser can make it the program's own user")

    def _take(self, found: bytes | Draft) -> None:
        if _is_same(found, self._position.content):  # nothing new; if a later one could not be saved, that is over
            self._unsaved, self._problem = self._unsaved or bool(self._problem), ""
            if isinstance(found, Draft) and isinstance(self._store, KeepingStore):
                self._store.vault.drop(found)
            return
        done = self._position.done if self._position.told else self._position.done + 1
        position = content.Position(done=done, told=self._position.told, content=None)
        self._data, position = self._packed(position, found)
        self._position, self._unsaved, self._problem = position, True, ""

    def _packed(self, position: content.Position, found: bytes | Draft) -> tuple[str, content.Position]:
        """The data to save; what is too large for it is put into the volume first, if there is one."""
        vault = self._store.vault if isinstance(self._store, KeepingStore) else None
        try:
            if not isinstance(found, Draft):
                whole = position._replace(content=found)
                return content.pack(whole, self._schema), whole
        except content.TooLarge:
            if vault is None:
                raise
        try:
            placed = None if vault is None else vault.place(found) if isinstance(found, Draft) else vault.put(found)
        except OSError as error:
            raise AwayError(f"the checkpoint's volume can't be written to: {error.strerror or error}") from error
        stored = position._replace(content=placed)
        return content.pack(stored, self._schema), stored

    def _tell_problem(self, words: str) -> None:
        """Nothing better can be done than to tell: what was saved before stays, and the program goes on."""
        if words != self._problem:
            self._problem, self._unsaved = words, True
            self._console.say(words)

    def _snapshot(self, cause: Cause) -> Snapshot:
        told = self._told
        message = self._problem or ("" if told is None else told.message)
        progress = describe(
            done=self._position.done,
            total=None if told is None else told.total,
            message=message,
            rate=self._meter.rate() if cause is Cause.INTERVAL and not self._stop.requested else None,
            now=self._store.now(),
        )
        return Snapshot(cause, self._data, progress, timestamp(self._store.now()))

    def _insist(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer, also after a stop request: whoever ends this container bounds it."""
        retry = Retry(longest=LONGEST_WAIT)
        said = ""
        while True:
            try:
                return ask()
            except AwayError as error:
                if retry.failing_since is not None and str(error) != said:  # a single failure is nobody's business
                    said = str(error)
                    self._console.say(f"waiting for {self._store.name}: {error}")
                _pause(min(LONGEST_WAIT, retry.wait_after(AwayError(str(error), retry_after=error.retry_after))))


def _is_same(found: bytes | Draft, known: bytes | Stored | None) -> bool:
    if isinstance(known, Stored):
        digest = found.sha256 if isinstance(found, Draft) else hashlib.sha256(found).hexdigest()
        return digest == known.sha256
    return found == known


def _pause(seconds: float) -> None:
    """Wait, also when the stop request is there already."""
    threading.Event().wait(seconds)
