"""Before the program starts: the task is claimed, and the saved file put into its place.

It must not know the program, nor what the file is about.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from longtask.worker.claiming import claim
from longtask.worker.durable import replace_file
from longtask.worker.envelope import require_schema
from longtask.worker.errors import DataError, NeverRetry
from longtask.worker.sidecar import content
from longtask.worker.versions import open_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from longtask.worker.console import Console
    from longtask.worker.signals import Stop
    from longtask.worker.store import CheckpointStore
    from longtask.worker.vault import Stored, Vault

_FOR_EVERYBODY = 0o666
"""The program may run as another user, and must be able to write it. Who may see it is the volume's affair."""

_WILL_NOT_PASS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG})


def restore(
    path: Path, schema: str, store: CheckpointStore, stop: Stop, console: Console, *, vault: Vault | None = None
) -> str:
    """Claim the task, write the file, and say what was done.

    A file that is there and was never saved is left alone: it is where somebody wants the program to begin. One that
    was is removed when the task starts over. Raises as
    `claiming.claim` does; DataError, before anything is touched, for data that holds no file or is of another schema
    than `schema`; NeverRetry for a place that can't be written to, and OSError if that may pass.
    """
    claimed = claim(store, stop, console, lambda data: _accept(data, schema))
    saved = content.unpack(claimed.data)
    with _places_that_will_not_do(path):
        _make_folder(path)
        if claimed.sequence and not claimed.data:
            path.unlink(missing_ok=True)
            return f"claimed with epoch {claimed.epoch}: starting over, the program begins at its beginning"
        if saved.content is None:
            found = "the file that is there stays" if path.exists() else "the program begins at its beginning"
            return f"claimed with epoch {claimed.epoch}: nothing is saved yet, {found}"
        size = _put(saved.content, path, vault)
    return f"claimed with epoch {claimed.epoch}: {path} is as in checkpoint {claimed.sequence} ({size} bytes)"


def unpack(path: Path, last: Path, *, vault: Vault | None = None) -> str:
    """Write the file of the checkpoint in the file `last`, for a clean-up; nothing is claimed. Errors are as above."""
    data = last.read_text()
    saved = content.unpack(data if vault is None else open_data(data, vault).data)
    if saved.content is None:
        return "nothing was saved"
    with _places_that_will_not_do(path):
        _make_folder(path)
        size = _put(saved.content, path, vault)
    return f"{path} is as it was saved last ({size} bytes)"


def _put(saved: bytes | Stored, path: Path, vault: Vault | None) -> int:
    """Replace the file, and return its size."""
    if isinstance(saved, bytes):
        replace_file(path, saved, mode=_FOR_EVERYBODY)
        return len(saved)
    if vault is None:
        raise DataError("the file that was saved is in a volume (spec.checkpoint.volume), and this task has none now")
    vault.copy_out(saved, path, mode=_FOR_EVERYBODY)
    return saved.size


@contextlib.contextmanager
def _places_that_will_not_do(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _WILL_NOT_PASS:
            raise NeverRetry(
                f"the file {path} can't be written by user {os.getuid()}: {error.strerror}. The pod's "
                "securityContext can name a user (runAsUser) and a group for its volumes (fsGroup) that can"
            ) from error
        raise


def _accept(data: str, schema: str) -> None:
    content.unpack(data)
    require_schema(data, schema)


def _make_folder(path: Path) -> None:
    """Make the folders that are missing, for everybody, too."""
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
