"""Single values of objects that anybody may have written: each is read as what it should be, or refused.

What raises makes its whole object unreadable; None is what nobody could count with. It must not know which object a
value is of.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from longtask.api.model import INT32_MAX

T = TypeVar("T")

_LONGEST_GRACE = timedelta(days=36500)
"""A pod may ask for more than Python can count."""

_YEARS = range(1970, 9000)
"""Times outside are none that anything of ours happened at, and too near to what Python can count to."""

_INT32_DIGITS = 10


def grace(seconds: float) -> timedelta:
    """A grace period, cut to what Python can count with."""
    return min(_LONGEST_GRACE, timedelta(seconds=min(seconds, _LONGEST_GRACE.total_seconds())))


def time(text: str | None) -> datetime | None:
    """The time, or None where there is none that we can count with."""
    try:
        return None if text is None else required_time(text)
    except ValueError:
        return None


def required_time(text: str) -> datetime:
    """The time. Raises ValueError for one without a zone, or of no year that anything of ours happened in."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or time.year not in _YEARS:
        raise ValueError(f"{text} is no time that anything of ours happened at")
    return time


def optional(value: object, kind: type[T]) -> T | None:
    """A value of that kind, or None where there is none. Raises TypeError for any other."""
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def integer(value: object) -> int:
    """A whole number. Raises TypeError for anything else."""
    found = optional(value, int)
    if found is None:
        raise TypeError("a number is missing")
    return found


def flag(value: object) -> bool:
    """True or false; what is not there is false. Raises TypeError for anything else."""
    if value not in (None, False, True):
        raise TypeError(f"{value!r} is neither true nor false")
    return bool(value)


def text(value: object) -> str:
    """A text. Raises TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def uid(value: object) -> str:
    """A reference's UID. One that is empty refers to nothing."""
    if not text(value):
        raise ValueError("an owner without a UID")
    return text(value)


def number(text: str | None) -> int | None:
    """The number that a text consists of; None for any other text."""
    return int(text) if text is not None and text.isdecimal() else None


def count(text: object) -> int | None:
    """The number in a label or an annotation, or None where there is none that fits into an int32."""
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()) or len(text) > _INT32_DIGITS:
        return None
    return int(text) if int(text) <= INT32_MAX else None
