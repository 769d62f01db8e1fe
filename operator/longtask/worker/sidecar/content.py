"""A file's content in `checkpoint.data`, and back. It must not know where the file is, nor how the data is sent.

Text stays readable, also for whoever looks at the task with kubectl: `{"longtask":1,"done":7,"file":{"text":"…"}}`.
What is too large for that, or no text, is compressed: `{"zlib":"…"}`, in base64. `done` is what the program told of its
progress (then `told` is there, too), or else counts the versions of the file.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any, NamedTuple

from longtask.worker.envelope import MAX_BYTES, VERSION, named
from longtask.worker.errors import DataError
from longtask.worker.vault import Stored, stored_in
from longtask.worker.versions import file_data

LARGEST_FILE = 8 * 2**20
"""Bytes that are looked at. Nothing this large is ever compressed into the limit but what is nearly empty."""

_MOST = 2**53 - 1


class TooLarge(Exception):
    """The file does not fit. The text is for the task's user."""


class Position(NamedTuple):
    """What is saved of a program. `told`: it has told what is done. `content`: of its file; None: nothing yet."""

    done: int
    told: bool
    content: bytes | Stored | None


def pack(position: Position, schema: str = "") -> str:
    """Return the string to save. Raises TooLarge."""
    if isinstance(position.content, Stored):
        return file_data(_head(position, schema), position.content)
    content = position.content or b""
    text = _as_text(content)
    if text is not None and len((readable := _envelope(position, schema, {"text": text})).encode()) <= MAX_BYTES:
        return readable
    packed = _envelope(position, schema, {"zlib": base64.b64encode(zlib.compress(content, 9)).decode()})
    if len(packed) > MAX_BYTES:
        raise TooLarge(f"it has {len(content)} bytes, {len(packed)} to save when compressed; {MAX_BYTES} is the limit")
    return packed


def unpack(data: str) -> Position:
    """Return what was saved. Raises DataError."""
    if not data:
        return Position(done=0, told=False, content=None)
    try:
        return _position(json.loads(data))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error) as error:
        raise DataError(
            f"the saved data ({len(data)} characters, {data[:40]!r}…) holds no file: it was saved by a worker of "
            "another kind, or by another version of this one. For a program of another kind, create another task"
        ) from error


def _position(envelope: dict[str, Any]) -> Position:
    done = envelope["done"]
    if envelope["longtask"] != VERSION or type(done) is not int or not 0 <= done <= _MOST:
        raise ValueError("another version")
    return Position(done=done, told=envelope.get("told") is True, content=_content(envelope["file"]))


def _content(file: dict[str, Any]) -> bytes | Stored:
    if "object" in file:
        return stored_in(file["object"])
    if "text" in file:
        if not isinstance(file["text"], str):
            raise TypeError("no text")
        return file["text"].encode()
    try:
        packed = base64.b64decode(file["zlib"], validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    unzip = zlib.decompressobj()
    content = unzip.decompress(packed, LARGEST_FILE)
    if not unzip.eof or unzip.unconsumed_tail:  # cut off, or far larger than anything that was ever saved
        raise ValueError("not whole")
    return content


def _envelope(position: Position, schema: str, file: dict[str, str]) -> str:
    return json.dumps({**_head(position, schema), "file": file}, ensure_ascii=False, separators=(",", ":"))


def _head(position: Position, schema: str) -> dict[str, Any]:
    told = {"told": True} if position.told else {}
    return {"longtask": VERSION, "done": position.done, **told, **named(schema)}


def _as_text(content: bytes) -> str | None:
    try:
        return content.decode() if len(content) <= MAX_BYTES else None
    except UnicodeDecodeError:
        return None
