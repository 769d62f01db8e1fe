"""Versions of what was saved, kept beside the task's status: each whole before anybody hears of it.

A version is named after the claim that wrote it and its SHA-256, and never changed. So a worker that was fenced may go
on writing: it can neither damage nor remove what the present one relies on. It must not know what the content means,
nor which versions count.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import re
import threading
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from longtask.worker.durable import NEW, replace_file, sync_folder
from longtask.worker.errors import AwayError, DamagedError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_CHUNK = 2**20
PATIENCE = 30.0  # seconds: as for a permission that is only just taking effect
_DRAFT = "draft-"
_VERSION = re.compile(r"(\d{10})-[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A version in a vault."""

    name: str
    size: int  # bytes
    sha256: str  # hexadecimal


def stored_in(entry: Mapping[str, Any]) -> Stored:
    """Read what a saved envelope says of a version. Raises DataError for what names none: any file could be meant."""
    name, size, digest = entry.get("name"), entry.get("size"), entry.get("sha256")
    if not (isinstance(name, str) and _VERSION.fullmatch(name) and type(size) is int and isinstance(digest, str)):
        raise DataError(f"the saved data names {name!r:.80} as a version, which is no file of the volume")
    return Stored(name, size, digest)


@dataclass(frozen=True, slots=True)
class Draft:
    """A copy that was made, and is no version yet. `place`: where it is."""

    place: str
    size: int
    sha256: str


class Vault(Protocol):
    """Where the versions of one task are kept. Its methods raise OSError or AwayError for what may be better later."""

    epoch: int  # of the claim that writes

    def probe(self) -> None:
        """Raise AwayError, with little patience, if nothing can be kept: better before the work than after it."""

    def put(self, content: bytes) -> Stored:
        """Keep that content."""

    def draft(self, file: BinaryIO) -> Draft:
        """Copy a file, from where it stands to its end, in pieces: it may be larger than the memory."""

    def place(self, draft: Draft) -> Stored:
        """Make a draft a version."""

    def drop(self, draft: Draft) -> None:
        """Remove a draft that is of no use."""

    def read(self, stored: Stored) -> bytes:
        """Return a version's content. Raises DamagedError if it is not what was written, or is gone."""

    def check(self, stored: Stored) -> None:
        """Raise DamagedError as `read` does, whatever the size is."""

    def copy_out(self, stored: Stored, path: Path, *, mode: int) -> None:
        """Replace a file by a version, as a whole. Raises DamagedError, and leaves the file as it is."""

    def prune(self, keep: Iterable[str]) -> None:
        """Remove all versions but those, and none of a later claim: its worker may be about to tell of them."""

    def clear(self) -> None:
        """Remove copies that were never finished, because whoever made them has ended."""


class Spared:
    """Names of versions that were written last, and that perhaps nobody has told of yet: those are not removed."""

    def __init__(self) -> None:
        self._names: deque[str] = deque(maxlen=4)
        self._lock = threading.Lock()  # one thread writes while another removes

    def add(self, name: str) -> None:
        """Spare a version, from before it is there."""
        with self._lock:
            self._names.append(name)

    def beside(self, told: Iterable[str]) -> set[str]:
        """Return those names and what is spared; what was told of need not be spared any more."""
        kept = set(told)
        with self._lock:
            for name in kept.intersection(self._names):
                self._names.remove(name)
            return kept.union(self._names)


class Reading(ABC):
    """What any vault can do once it hands out a version in pieces."""

    @abstractmethod
    def pieces(self, stored: Stored) -> Iterator[bytes]:
        """Yield the content. Raises DamagedError at the end, AwayError, or OSError: nothing is made of it before."""

    def read(self, stored: Stored) -> bytes:
        """See Vault."""
        return b"".join(self.pieces(stored))

    def check(self, stored: Stored) -> None:
        """See Vault."""
        for _ in self.pieces(stored):
            pass

    def copy_out(self, stored: Stored, path: Path, *, mode: int) -> None:
        """See Vault."""
        temporary = path.with_name(f"{path.name}{NEW}")
        try:
            with temporary.open("wb") as file:
                os.fchmod(file.fileno(), mode)
                file.writelines(self.pieces(stored))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except (OSError, DamagedError, AwayError):
            discard(temporary)
            raise
        sync_folder(path.parent)


class FolderVault(Reading):
    """A folder of a volume."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epoch = 0
        self._drafts = 0
        self._spared = Spared()

    def probe(self) -> None:
        """See Vault."""
        try:
            self._make_folder()
        except OSError as error:
            raise self._unfit(error.strerror or str(error)) from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise self._unfit(os.strerror(errno.EACCES))

    def _unfit(self, why: str) -> AwayError:
        words = f"nothing can be kept in the checkpoint's volume by user {os.getuid()}: {why}"
        return AwayError(f"{words}. The pod's securityContext.fsGroup can name a group that may", patience=PATIENCE)

    def put(self, content: bytes) -> Stored:
        """See Vault."""
        digest = hashlib.sha256(content).hexdigest()
        stored = Stored(name_of(self.epoch, digest), len(content), digest)
        self._spared.add(stored.name)
        self._make_folder()
        replace_file(self.folder / stored.name, content, mode=0o666)
        return stored

    def draft(self, file: BinaryIO) -> Draft:
        """See Vault."""
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
        return Draft(str(path), size, digest.hexdigest())

    def place(self, draft: Draft) -> Stored:
        """See Vault."""
        stored = Stored(name_of(self.epoch, draft.sha256), draft.size, draft.sha256)
        self._spared.add(stored.name)
        Path(draft.place).replace(self.folder / stored.name)
        sync_folder(self.folder)
        return stored

    def drop(self, draft: Draft) -> None:
        """See Vault."""
        discard(Path(draft.place))

    def prune(self, keep: Iterable[str]) -> None:
        """See Vault."""
        names = self._spared.beside(keep)
        self._remove(lambda name: name not in names and epoch_of(name) <= self.epoch)

    def clear(self) -> None:
        """See Vault."""
        self._remove(lambda name: name.startswith(_DRAFT) or (name.endswith(NEW) and bool(_VERSION.match(name))))

    def _remove(self, which: Callable[[str], bool]) -> None:
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if which(path.name):
                    discard(path)

    def pieces(self, stored: Stored) -> Iterator[bytes]:
        """See Reading."""
        digest = hashlib.sha256()
        try:
            with (self.folder / stored.name).open("rb") as file:
                for chunk in _chunks(file):
                    digest.update(chunk)
                    yield chunk
        except FileNotFoundError:
            raise DamagedError("it is gone") from None
        except IsADirectoryError:
            raise DamagedError("it can't be read: it is a folder") from None
        except OSError as error:  # that may pass, and an older version would be work lost
            raise AwayError(f"the checkpoint's volume can't be read: {error.strerror or error}") from error
        if digest.hexdigest() != stored.sha256:
            raise DamagedError("its SHA-256 is another than when it was saved")

    def _make_folder(self) -> None:
        """For everybody: the next worker may run as another user."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # somebody else's, who was faster
                self.folder.chmod(0o777)


def name_of(epoch: int, digest: str) -> str:
    """Return the name of a version: of the claim that wrote it, and of its content."""
    return f"{epoch:010d}-{digest}"  # epochs are int32


def discard(path: Path) -> None:
    """Remove what is of no use any more."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def epoch_of(name: str) -> float:
    """Of the claim that wrote a version; of what is none, or only on its way to become one, nothing is said."""
    version = _VERSION.fullmatch(name)
    return int(version[1]) if version else math.inf


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
