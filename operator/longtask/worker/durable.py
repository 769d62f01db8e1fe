"""Files that are the old one or the new one at any moment, power failures included. It must not know what they hold."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


NEW = ".new"
"""What the name of a file ends with while it is written."""


def replace_file(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file as a whole, written through to the disk. `mode`: its permissions, whatever the umask says.

    Raises OSError, and leaves the old file and nothing else.
    """
    temporary = path.with_name(f"{path.name}{NEW}")
    try:
        with temporary.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """A file's folder is synced too, or a power failure could bring the old name back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
