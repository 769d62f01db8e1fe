"""A file that somebody else writes, seen as a row of whole versions. It must not know what becomes of them.

Who replaces the file (writes another and renames it) shows a whole version at every moment. Many programs write into
the file itself, though, and a look in between shows half of it. So a version counts as whole when nothing has changed
for a while, or when it was replaced: its writer was through with it. No clock is compared with the file's times, which
may come from another machine.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from longtask.worker.errors import AwayError
from longtask.worker.sidecar.content import LARGEST_FILE, TooLarge
from longtask.worker.vault import Draft

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from longtask.worker.vault import Vault

SETTLED_AFTER = 1.0
"""Seconds without a change."""


class _Mark(NamedTuple):
    """What differs between two versions, as far as the file system tells."""

    device: int
    inode: int
    size: int
    modified: int  # in ns


@dataclass(frozen=True, slots=True)
class _Seen:
    """A version that is not known to be whole. Its file is kept open, for its path may soon be another's."""

    file: BinaryIO
    mark: _Mark
    content: bytes | Draft
    since: float  # by the clock

    def is_unchanged(self) -> bool:
        return _mark_of(self.file) == self.mark


class WatchedFile:
    """One path, looked at again and again."""

    def __init__(self, path: Path, *, vault: Vault | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`vault`: where a file is copied to that is too large to be read as a whole; None: it is refused."""
        self.path = path
        self._vault = vault
        self._clock = clock
        self._seen: _Seen | None = None
        self._known: _Mark | None = None

    def look(self) -> bytes | Draft | None:
        """Return a version that is whole and was not returned before; None if there is none, or no file.

        Raises OSError and TooLarge; a look later may be luckier.
        """
        mark, seen = self._mark(), self._seen
        if seen is None:
            self._seen = None if mark in (None, self._known) else self._read()
            return None
        replaced = mark is None or mark.inode != seen.mark.inode
        if not seen.is_unchanged():
            self.forget()
            return None
        if replaced:
            return self._take(seen)
        if self._clock() - seen.since < SETTLED_AFTER:
            return None
        self.forget()
        self._seen = self._read()  # again, for what was written within the same tick of the file's clock
        return self._take(self._seen) if self._seen is not None and self._seen.mark == seen.mark else None

    def last(self) -> bytes | Draft | None:
        """Return what is there, whoever wrote it having ended. None if that is nothing new.

        Raises OSError and TooLarge.
        """
        self.forget()
        if self._mark() in (None, self._known):
            return None
        seen = self._read()
        return None if seen is None else self._take(seen)

    def forget(self) -> None:
        """Let go of a version that was not returned."""
        if self._seen is not None:
            self._seen.file.close()
            self._drop(self._seen.content)
            self._seen = None

    def _take(self, seen: _Seen) -> bytes | Draft:
        self._known = seen.mark
        seen.file.close()
        self._seen = None
        return seen.content

    def _mark(self) -> _Mark | None:
        try:
            return _mark_of(self.path)
        except FileNotFoundError:
            return None

    def _read(self) -> _Seen | None:
        """Read it; None if it changes meanwhile or is gone."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return None
        try:
            mark = _mark_of(file)
            content = self._content(file, mark)
            seen = _Seen(file, mark, content, self._clock())
            if seen.is_unchanged() and _size(content) == mark.size:
                return seen
        except BaseException:
            file.close()
            raise
        file.close()
        self._drop(content)
        return None

    def _drop(self, content: bytes | Draft) -> None:
        if isinstance(content, Draft) and self._vault is not None:
            self._vault.drop(content)

    def _content(self, file: BinaryIO, mark: _Mark) -> bytes | Draft:
        """Read it, or copy it. Raises TooLarge, once for each version."""
        if mark.size <= LARGEST_FILE:
            return file.read(LARGEST_FILE + 1)
        if self._vault is not None:
            try:
                return self._vault.draft(file)
            except OSError as error:
                words = f"it can't be copied into the checkpoint's volume: {error.strerror or error}"
                raise AwayError(words) from error
        self._known = mark
        raise TooLarge(f"it has {mark.size} bytes")


def _size(content: bytes | Draft) -> int:
    return content.size if isinstance(content, Draft) else len(content)


def _mark_of(file: Path | BinaryIO) -> _Mark:
    stat = os.stat(file) if isinstance(file, os.PathLike) else os.fstat(file.fileno())
    return _Mark(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
