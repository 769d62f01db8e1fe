"""A program's progress, as it tells it in a file: `done total message`. It must not know who is told.

120 5000 copying the third disk
120                                (the total is unknown)
120 - looking for more             (the same, with a message)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 8192  # bytes that are looked at
_MOST = 2**53 - 1


class Told(NamedTuple):
    """What the program says. `total`: None where it is unknown."""

    done: int
    total: int | None
    message: str


def read(path: Path) -> Told | None:
    """Return what the file says; None where there is none, or none that makes sense. Never raises.

    Its last line counts, so that a program may also append to it. Half a line does no harm: the next look is right.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LONGEST))
            text = file.read(LONGEST).decode(errors="replace")
    except OSError:
        return None
    lines = [line for line in text.splitlines() if line.strip()]
    return parse(lines[-1]) if lines else None


def parse(line: str) -> Told | None:
    """Read one line; None if it does not begin with a whole number."""
    words = line.split(maxsplit=2)
    done = _count(words[0]) if words else None
    if done is None:
        return None
    if len(words) == 1:
        return Told(done, None, "")
    total = _count(words[1])
    if total is None and words[1] != "-":
        return Told(done, None, line.split(maxsplit=1)[1].strip())
    return Told(done, total, words[2].strip() if len(words) > 2 else "")


def _count(word: str) -> int | None:
    """A whole number that JSON can hold in every language; None for anything else."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 16 and int(word) <= _MOST else None
