"""What etcd keeps, for a stand-in of the API server: objects with UIDs, versions and generations, and a log of changes.

It must not know HTTP, nor what the objects are for.
"""

from __future__ import annotations

import asyncio
import copy
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from longtask.clock import utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
Key = tuple[str, str, str]  # plural, namespace, name


class NotFoundError(Exception):
    """There is no such object."""


class TakenError(Exception):
    """There is one of that name."""


@dataclass(frozen=True)
class Change:
    """One entry of the log."""

    version: int
    plural: str
    kind: str  # ADDED, MODIFIED or DELETED
    body: Json


@dataclass
class Store:
    """Bodies go in and out as copies: who has one can't change what is stored."""

    version: int = 100
    log: list[Change] = field(default_factory=list)
    _objects: dict[Key, Json] = field(default_factory=dict)
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    async def next_change(self, seconds: float) -> None:
        """Wait for the next change, or for so long if there is none."""
        try:
            async with asyncio.timeout(seconds):
                await self._change.wait()
        except TimeoutError:
            pass

    def create(self, plural: str, body: Json) -> Json:
        """Store a new object."""
        metadata = body["metadata"]
        key = (plural, metadata.get("namespace", ""), metadata["name"])
        if key in self._objects:
            raise TakenError(key)
        made = copy.deepcopy(body)
        made["metadata"] |= {
            "uid": str(uuid.uuid4()),
            "generation": 1,
            "creationTimestamp": utc(time.time()).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return self._keep(key, "ADDED", made)

    def get(self, plural: str, namespace: str, name: str) -> Json:
        """A copy of an object."""
        try:
            return copy.deepcopy(self._objects[plural, namespace, name])
        except KeyError:
            raise NotFoundError((plural, namespace, name)) from None

    def find(self, plural: str, matches: Callable[[Json], bool] = lambda _: True) -> list[Json]:
        """Copies of all objects of a kind that match."""
        return [copy.deepcopy(body) for key, body in self._objects.items() if key[0] == plural and matches(body)]

    def put(self, plural: str, body: Json) -> Json:
        """Replace an object; nothing happens if it is as it was. A change of its spec raises its generation."""
        metadata = body["metadata"]
        key = (plural, metadata.get("namespace", ""), metadata["name"])
        old = self.get(*key)
        if old == body:
            return old
        made = copy.deepcopy(body)
        if made.get("spec") != old.get("spec"):
            made["metadata"]["generation"] += 1
        return self._keep(key, "MODIFIED", made)

    def remove(self, plural: str, namespace: str, name: str) -> None:
        """Remove an object; one that is gone is fine."""
        key = (plural, namespace, name)
        body = self._objects.pop(key, None)
        if body is not None:
            self._tell("DELETED", plural, body)

    def since(self, plural: str, version: int) -> Iterator[Change]:
        """The changes of a kind after a version."""
        return (change for change in self.log if change.plural == plural and change.version > version)

    def _keep(self, key: Key, kind: str, body: Json) -> Json:
        self._objects[key] = body
        self._tell(kind, key[0], body)
        return copy.deepcopy(body)

    def _tell(self, kind: str, plural: str, body: Json) -> None:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.log.append(Change(self.version, plural, kind, copy.deepcopy(body)))
        self._change.set()
        self._change = asyncio.Event()
