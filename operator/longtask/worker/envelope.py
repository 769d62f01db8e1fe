"""What stands in `checkpoint.data`: the user's state in an envelope of ours. It must not know how it is sent.

The envelope carries the count of what is done, so that progress goes on across resumes without the user doing
anything: `{"longtask":1,"done":1200,"state":…}`; the longest batch so far, for the same reason; and the name of the
state's schema where the task has one. Data in another envelope is refused: starting from zero over somebody's saved
work would be the worst answer of all.
"""

from __future__ import annotations

import json
from typing import Any

from longtask.worker.errors import DataError

DEEPEST = 100  # levels of the state: far fewer than any version of Python can read back
_MOST = 2**53 - 1  # as in `progress.check_count`
MAX_BYTES = 32_768  # of the whole string as UTF-8; the API server's own limit is this many characters
VERSION = 1  # of the envelope


def wrap(
    done: int,
    state: Any,  # noqa: ANN401 - whatever JSON can hold
    schema: str = "",
    longest: int = 0,
    *,
    limit: int = MAX_BYTES,
) -> str:
    """Return the string to save. Raises DataError, naming size and limit or the part that is no JSON.

    `longest`: seconds of the longest batch; 0 leaves it out. `limit`: bytes of the whole.
    """
    slowest = {"longest": longest} if longest else {}
    envelope = {"longtask": VERSION, "done": done, **slowest, **named(schema), "state": state}
    try:
        _check(state, "state", DEEPEST)
        text = json.dumps(envelope, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:  # a lone surrogate is a ValueError too
        raise DataError(f"what save() returned can't be written as JSON: {error}") from error
    if size > limit:
        raise DataError(
            f"what save() returned is too large: {size} bytes with its envelope, and the limit is {limit}. "
            "Save where to go on, not what was made; or give the task a volume to save in, spec.checkpoint.volume"
        )
    return text


def named(schema: str) -> dict[str, str]:
    """The part of an envelope that names the schema; nothing where there is no name."""
    return {"schema": schema} if schema else {}


def longest_of(data: str) -> int:
    """Return the longest batch of what was saved, in seconds; 0 where nothing is known of it."""
    found = _envelope(data).get("longest")
    return found if type(found) is int and 0 <= found <= _MOST else 0


def schema_of(data: str) -> str:
    """Return the name of the schema under which data was saved; "" for data without one, or without an envelope."""
    found = _envelope(data).get("schema")
    return found if isinstance(found, str) else ""


def require_schema(data: str, schema: str) -> None:
    """Raise DataError, saying what to do, for data that was saved under another schema. No data is of any schema."""
    found = schema_of(data)
    if data and found != schema:
        was, is_now = (f"under the schema {name!r}" if name else "without a schema" for name in (found, schema))
        raise DataError(
            f"the checkpoint was saved {was}, and this task is to go on {is_now} (spec.checkpoint.schema). Give it "
            "the code and the schema that have saved it, or code that can migrate it, or create another task"
        )


def unwrap(data: str) -> tuple[int, Any]:
    """Return (done, state) of a saved string: (0, None) when nothing was saved yet. Raises DataError."""
    if not data:
        return 0, None
    envelope = _envelope(data)
    if "longtask" not in envelope:
        raise DataError(
            f"the saved data ({len(data)} characters, {data[:40]!r}…) was not written by this library. "
            "A task goes on with the library that has saved it; for another one, create another task"
        )
    if "file" in envelope:
        raise DataError(
            "the saved data is a program's file (spec.checkpoint.file). A task goes on with the kind of worker that "
            "has saved it; for another one, create another task"
        )
    if "kept" in envelope and "state" not in envelope:
        raise DataError(
            "what was saved is in a volume (spec.checkpoint.volume), and this worker has none: give the task its "
            "volume back"
        )
    done = envelope.get("done")
    if envelope["longtask"] != VERSION or "state" not in envelope or type(done) is not int or not 0 <= done <= _MOST:
        raise DataError(
            f"the saved data is in envelope {envelope['longtask']!r} of this library, "
            f"and this version of it reads {VERSION}: use the version that has saved it, or a newer one"
        )
    return done, envelope["state"]


def _envelope(data: str) -> dict[str, Any]:
    """The envelope of whatever it is; an empty one if it has none."""
    try:
        envelope = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _check(value: Any, where: str, levels: int) -> None:  # noqa: ANN401
    """Refuse what would not come back as it went.

    Keys that are no strings: JSON would turn them into strings without a word, and nothing would match. And what is
    nested too deeply to be read again.
    """
    if not levels:
        raise DataError(f"what save() returned can't be written as JSON: {DEEPEST} levels deep is the limit")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise DataError(
                    f"what save() returned can't be written as JSON: {where} has the key {key!r}, no string"
                )
            _check(inner, f"{where}[{key!r}]", levels - 1)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check(inner, f"{where}[{index}]", levels - 1)
