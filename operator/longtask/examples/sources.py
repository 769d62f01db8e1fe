"""The Python files of a folder: which there are, and what is in them. It must not know what is made of them."""

from __future__ import annotations

import hashlib
import io
import os
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

from longtask.examples.code_index import SourceFile

if TYPE_CHECKING:
    from collections.abc import Sequence


def python_files(folder: Path) -> list[Path]:
    """Return every readable `.py` file below a folder, sorted, so that a position in the list stays one.

    Links are not followed, or a file would be there twice. Neither are other file systems: below `/` that leaves the
    image, without /proc, volumes and secrets.
    """
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not os.path.ismount(os.path.join(place, name))]
        paths = (Path(place, name) for name in names if name.endswith(".py"))
        found.extend(path for path in paths if not path.is_symlink() and path.is_file() and os.access(path, os.R_OK))
    return sorted(found)


def listing_digest(files: Sequence[Path]) -> str:
    """Return 16 hex digits that tell one list of files from another, and files from their later versions."""
    digest = hashlib.sha256()
    for path in files:
        status = path.stat()
        digest.update(os.fsencode(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n"))
    return digest.hexdigest()[:16]


def read_source(path: Path) -> tuple[SourceFile, bytes]:
    """Read a file: as it goes into the index, and as it is. Raises OSError.

    The text is decoded as the file itself says. What it says wrongly becomes question marks: it can still be searched.
    """
    raw = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except SyntaxError:
        encoding = "utf-8"
    text = raw.decode(encoding, errors="replace").encode(errors="replace").decode()  # UTF-7 may hold what UTF-8 can't
    return SourceFile(str(path), hashlib.sha256(raw).hexdigest(), text, None), raw
