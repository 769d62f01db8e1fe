"""Counting requests in the API server's audit log: the server's word, never that of who made them.

It must not know who is judged by the counts, nor what they should be.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})

Calls = Counter[tuple[str, str, int]]
"""By verb, resource with its subresource ("longtasks/status"), and HTTP status: how many requests."""


def count(lines: Iterable[bytes], user: str) -> Calls:
    """Count the answered requests of a user. A line that is not whole yet, the last one, is left out."""
    found: Calls = Counter()
    mark = user.encode()
    for line in lines:
        if mark not in line or not line.endswith(b"\n"):
            continue
        entry = json.loads(line)
        if entry["user"]["username"] == user and entry["stage"] == "ResponseComplete":
            found[entry["verb"], _resource(entry), entry["responseStatus"].get("code", 0)] += 1
    return found


def writes(calls: Calls) -> int:
    """How many of them were writes, refused ones included: they cost the server as much."""
    return sum(number for (verb, _, _), number in calls.items() if verb in WRITES)


def reads(calls: Calls) -> int:
    """How many of them were reads of any kind."""
    return sum(number for (verb, _, _), number in calls.items() if verb not in WRITES)


def told(calls: Calls) -> str:
    """All of them in words, the most frequent first."""
    return ", ".join(
        f"{number} {verb} {resource}" + ("" if code < 400 else f" ({code})")
        for (verb, resource, code), number in calls.most_common()
    )


class Account:
    """The requests of a user from a moment on."""

    def __init__(self, log: Path, user: str) -> None:
        self._log = log
        self._user = user
        self._begun = log.stat().st_size

    def calls(self) -> Calls:
        """Those so far."""
        with self._log.open("rb") as log:
            log.seek(self._begun)
            return count(log, self._user)


def _resource(entry: dict[str, Any]) -> str:
    ref = entry.get("objectRef") or {}
    subresource = f"/{ref['subresource']}" if "subresource" in ref else ""
    return f"{ref.get('resource', entry.get('requestURI', ''))}{subresource}"
