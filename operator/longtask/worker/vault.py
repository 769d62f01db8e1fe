"""Versions of what was saved, as files of a volume: each whole and written through before anybody hears of it.

A file is named after the claim that wrote it and its SHA-256, and never changed. So a worker that was fenced may go on
writing: it can neither damage nor remove what the present one relies on. It must not know what the content means, nor
which versions count.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from longtask.worker.durable import NEW, replace_file, sync_folder
from longtask.worker.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_CHUNK = 2**20
_DRAFT = "draft-"
_VERSION = re.compile(r"(\d{10})-[0-9a-f]{64}")
_EPOCH_DIGITS = 10  # epochs are int32


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a vault."""

    name: str
    size: int  # bytes
    sha256: str  # hexadecimal


@dataclass(frozen=True, slots=True)
class Draft:
    """A copy that was made, and is no version yet."""

    path: Path
    size: int
    sha256: str


class Vault:
    """One task's folder of a volume. Its methods raise OSError for what the volume refuses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epoch = 0  # of the claim that writes
        self._drafts = 0
        self._pending: deque[str] = deque(maxlen=4)  # written, and perhaps not told of yet
        self._lock = threading.Lock()  # one thread writes while another removes

    def put(self, content: bytes) -> Stored:
        """Keep that content."""
        digest = hashlib.sha256(content).hexdigest()
        stored = Stored(self._name(digest), len(content), digest)
        self._await(stored.name)
        self._make_folder()
        replace_file(self.folder / stored.name, content, mode=0o666)
        return stored

    def draft(self, file: BinaryIO) -> Draft:
        """Copy a file, from where it stands to its end, in pieces: it may be larger than the memory."""
        self._make_folder()
        self._drafts += 1
        path = self.folder / f"{_DRAFT}{self.epoch}-{self._drafts}"
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("wb") as copy:
                for chunk in _chunks(file):
                    copy.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                copy.flush()
                os.fsync(copy.fileno())
        except OSError:
            discard(path)
            raise
        return Draft(path, size, digest.hexdigest())

    def place(self, draft: Draft) -> Stored:
        """Make a draft a version."""
        stored = Stored(self._name(draft.sha256), draft.size, draft.sha256)
        self._await(stored.name)
        draft.path.replace(self.folder / stored.name)
        sync_folder(self.folder)
        return stored

    def read(self, stored: Stored) -> bytes:
        """Return a version's content. Raises DamagedError if it is not what was written, or is gone."""
        return b"".join(self._checked(stored))

    def check(self, stored: Stored) -> None:
        """Raise DamagedError as `read` does, whatever the size is."""
        for _ in self._checked(stored):
            pass

    def copy_out(self, stored: Stored, path: Path, *, mode: int) -> None:
        """Replace a file by a version, as a whole. Raises DamagedError, and leaves the file as it is."""
        temporary = path.with_name(f"{path.name}{NEW}")
        try:
            with temporary.open("wb") as file:
                os.fchmod(file.fileno(), mode)
                file.writelines(self._checked(stored))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except (OSError, DamagedError):
            discard(temporary)
            raise
        sync_folder(path.parent)

    def prune(self, keep: Iterable[str]) -> None:
        """Remove all versions but those, and none of a later claim: its worker may be about to tell of them."""
        told = set(keep)
        with self._lock:
            for name in told.intersection(self._pending):
                self._pending.remove(name)
            names = told.union(self._pending)
        self._remove(lambda name: name not in names and _epoch_of(name) <= self.epoch)

    def clear(self) -> None:
        """Remove copies that were never finished, because whoever made them has ended."""
        self._remove(lambda name: name.startswith(_DRAFT) or (name.endswith(NEW) and bool(_VERSION.match(name))))

    def _await(self, name: str) -> None:
        """Spare a version that nobody has told of yet, from before it is there."""
        with self._lock:
            self._pending.append(name)

    def _remove(self, which: Callable[[str], bool]) -> None:
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if which(path.name):
                    discard(path)

    def _checked(self, stored: Stored) -> Iterator[bytes]:
        """The content in pieces. What is wrong shows at the end: nothing must be made of it before."""
        digest = hashlib.sha256()
        try:
            with (self.folder / stored.name).open("rb") as file:
                for chunk in _chunks(file):
                    digest.update(chunk)
                    yield chunk
        except FileNotFoundError:
            raise DamagedError("it is gone") from None
        except OSError as error:
            raise DamagedError(f"it can't be read: {error.strerror}") from error
        if digest.hexdigest() != stored.sha256:
            raise DamagedError("its SHA-256 is another than when it was saved")

    def _name(self, digest: str) -> str:
        return f"{self.epoch:0{_EPOCH_DIGITS}d}-{digest}"

    def _make_folder(self) -> None:
        """For everybody: the next worker may run as another user."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # somebody else's, who was faster
                self.folder.chmod(0o777)


def discard(path: Path) -> None:
    """Remove what is of no use any more."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _epoch_of(name: str) -> float:
    """Of the claim that wrote a version; of what is none, or only on its way to become one, nothing is said."""
    version = _VERSION.fullmatch(name)
    return int(version[1]) if version else math.inf


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
