"""Versions as objects of an object store: S3, Google Cloud Storage or Azure, by obstore, which speaks to all three.

An upload that is not finished is no object, so an object is whole when it is there. It must not know what the content
means, nor which versions count.
"""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from longtask.worker.errors import AwayError, DamagedError, UsageError
from longtask.worker.vault import PATIENCE, Draft, Reading, Spared, Stored, epoch_of, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_CHUNK = 2**20
_TRY_SECONDS = timedelta(seconds=20)
_TRIES = 2  # of obstore's own: who calls tries again anyway


class ObjectVault(Reading):
    """One task's prefix of an object store."""

    def __init__(self, url: str) -> None:
        """`url`: such as s3://bucket/prefix. Access comes from the environment, by the names of each store's own tools.

        Raises UsageError where obstore is not installed, or the address can't be meant.
        """
        self.epoch = 0
        self._spared = Spared()
        try:
            import obstore  # noqa: PLC0415 - only tasks with an object store need it
            from obstore.exceptions import BaseError  # noqa: PLC0415
            from obstore.store import from_url  # noqa: PLC0415
        except ImportError as error:
            raise UsageError("an object store needs obstore in the image: pip install longtask[objectstore]") from error
        self._obs, self._error = obstore, BaseError
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")  # as its user has written it
        try:
            self._store: Any = from_url(
                url,
                client_options={"timeout": _TRY_SECONDS, "allow_http": plain},
                retry_config={"max_retries": _TRIES, "retry_timeout": _TRY_SECONDS},
            )
        except (BaseError, ValueError) as error:
            raise UsageError(f"spec.checkpoint.objectStore can't be used: {_first_line(error)}") from error

    def probe(self) -> None:
        """See Vault. Whether it may be written to as well shows with the first save."""
        try:
            next(iter(self._obs.list(self._store)), None)
        except (self._error, FileNotFoundError) as error:
            raise AwayError(f"the object store can't be used: {_first_line(error)}", patience=PATIENCE) from error

    def put(self, content: bytes) -> Stored:
        """See Vault."""
        digest = hashlib.sha256(content).hexdigest()
        stored = Stored(name_of(self.epoch, digest), len(content), digest)
        self._spared.add(stored.name)
        self._try("written to", lambda: self._obs.put(self._store, stored.name, content))
        return stored

    def draft(self, file: BinaryIO) -> Draft:
        """See Vault. It is read twice: its name tells its content. Whoever calls looks whether it has changed since."""
        begin, digest = file.tell(), hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        size = file.tell() - begin
        file.seek(begin)
        name = name_of(self.epoch, digest.hexdigest())
        self._spared.add(name)
        self._try("written to", lambda: self._obs.put(self._store, name, file))
        return Draft(name, size, digest.hexdigest())

    def place(self, draft: Draft) -> Stored:
        """See Vault."""
        return Stored(draft.place, draft.size, draft.sha256)

    def drop(self, draft: Draft) -> None:
        """It may be a version of before, with the same content: what nobody tells of is removed with the next save."""

    def prune(self, keep: Iterable[str]) -> None:
        """See Vault. What can't be removed now is removed with the next save."""
        names = self._spared.beside(keep)
        try:
            found = [entry["path"] for chunk in self._obs.list(self._store) for entry in chunk]
            gone = [name for name in found if name not in names and epoch_of(name) <= self.epoch]
            if gone:
                self._obs.delete(self._store, gone)
        except self._error:
            return

    def clear(self) -> None:
        """An upload that was not finished is nothing: the store's own rules remove its parts."""

    def pieces(self, stored: Stored) -> Iterator[bytes]:
        """See Reading."""
        digest = hashlib.sha256()
        try:
            for chunk in self._obs.get(self._store, stored.name).stream(min_chunk_size=_CHUNK):
                digest.update(chunk)
                yield bytes(chunk)
        except FileNotFoundError:
            raise DamagedError("it is gone") from None
        except self._error as error:  # that may pass, and an older version would be work lost
            raise AwayError(f"the object store can't be read: {_first_line(error)}") from error
        if digest.hexdigest() != stored.sha256:
            raise DamagedError("its SHA-256 is another than when it was saved")

    def _try(self, what: str, request: Callable[[], object]) -> None:
        try:
            request()
        except (self._error, FileNotFoundError) as error:  # a bucket that is not there may yet be made
            raise AwayError(f"the object store can't be {what}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
