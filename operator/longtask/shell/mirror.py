"""A copy of all objects of one kind that carry our label, kept up to date by list and watch, as slim records.

kopf's own index keeps objects that vanished during a gap for ever and starts up in quadratic time, so Jobs and Pods
are followed here. It never gives up: whatever breaks, it lists again. Our own writes enter through `apply`, so the
copy is never older than what we have done. It must not know what the records mean.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from longtask.api import names
from longtask.shell.errors import ApiError, Expired, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

_log = logging.getLogger(__name__)

_SERVER_SECONDS = 290
"""How long a watch is asked to last; a fresh one now and then spreads clients over API servers."""


class Record(Protocol):
    """What a mirror needs of a record."""

    @property
    def namespace(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def uid(self) -> str: ...  # noqa: D102
    @property
    def resource_version(self) -> str: ...  # noqa: D102
    @property
    def task_uid(self) -> str: ...  # noqa: D102


R = TypeVar("R", bound=Record)


class Source(Protocol):
    """Where a mirror reads: the two reading calls of the door to the API server."""

    def pages(self, path: str, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]: ...  # noqa: D102
    def watch(self, path: str, query: Mapping[str, str], *, idle_seconds: float) -> AsyncIterator[dict[str, Any]]: ...  # noqa: D102


def newer(left: str, right: str) -> bool:
    """Whether resource version `left` is newer than `right`: numbers, comparable within a resource (KEP-5504)."""
    if not (left.isascii() and left.isdigit() and right.isascii() and right.isdigit()):
        return left != right
    return (len(left), left) > (len(right), right)  # they have no leading zeros


class Mirror(Generic[R]):
    """Records of one resource, by task."""

    def __init__(
        self,
        source: Source,
        path: str,
        *,
        parse: Callable[[dict[str, Any]], R | None],
        changed: Callable[[str], None],
        idle_seconds: float,
        longest_backoff: float,
    ) -> None:
        """`parse` gives None for what is not ours; `changed` is told the task's UID after every change."""
        self._source = source
        self._path = path
        self._query = {"labelSelector": names.LABEL_TASK_UID}
        self._parse = parse
        self._changed = changed
        self._idle_seconds = idle_seconds
        self._longest_backoff = longest_backoff
        self._records: dict[tuple[str, str], R] = {}
        self._by_task: dict[str, dict[tuple[str, str], R]] = {}
        self._unreadable: dict[tuple[str, str], str] = {}  # UID of the task by key
        self._version = "0"
        self._failures = 0
        self.synced = asyncio.Event()

    def of_task(self, uid: str) -> tuple[R, ...]:
        """All records of a task."""
        return tuple(self._by_task.get(uid, {}).values())

    def require_readable(self, uid: str) -> None:
        """Raise `Unavailable` if there is anything of a task that can't be read: it must not pass for nothing."""
        names_of_them = [f"{namespace}/{name}" for (namespace, name), owner in self._unreadable.items() if owner == uid]
        if names_of_them:
            raise Unavailable(f"{self._path}: {', '.join(names_of_them)} can't be read: repair or delete it")

    def __len__(self) -> int:
        return len(self._records)

    def apply(self, item: dict[str, Any]) -> None:
        """Take in an object as the server answered it to a write of ours. Raises `Unavailable` if it makes no sense."""
        require_object(item)
        try:
            record = self._parse(item)
        except Exception as error:
            raise Unavailable(f"{self._path}: {object_name(item)}, as it was answered, can't be read") from error
        if record is None:
            return
        known = self._records.get((record.namespace, record.name))
        if known is None and not newer(record.resource_version, self._version):
            return  # the watch is past it already: it has come and gone
        self._put(record, tell=True)

    def forget(self, namespace: str, name: str, uid: str) -> None:
        """Drop a record of what the server says is gone, without waiting for the watch to say so."""
        known = self._records.get((namespace, name))
        if known is not None and known.uid == uid:
            self._drop(known)

    async def run(self) -> None:
        """Follow the server until cancelled."""
        while True:
            pause = 0.0
            try:
                await self._list()
                await self._watch()
            except Expired:
                _log.info("%s: watch expired, listing again", self._path)
            except ApiError as error:
                _log.warning("%s: %s; listing again", self._path, error)
                pause = error.retry_after
            except Exception:  # noqa: BLE001  an answer that makes no sense must not end the operator
                _log.exception("%s: unexpected error; listing again", self._path)
            self._failures += 1
            await self._rest(at_least=pause)

    async def _rest(self, *, at_least: float = 0.0) -> None:
        """Pause for longer and longer as long as no watch brings anything."""
        pause = min(self._longest_backoff, 0.1 * 2 ** min(self._failures, 20))
        await asyncio.sleep(max(at_least, pause * random.uniform(0.5, 1.0)))  # noqa: S311  jitter

    async def _list(self) -> None:
        """Replace everything by what is there now; what has vanished meanwhile counts as deleted."""
        seen: dict[tuple[str, str], R] = {}
        self._unreadable.clear()
        version = self._version
        async for page in self._source.pages(self._path, self._query):
            version = page["metadata"]["resourceVersion"]
            for record in self._parsed(page["items"]):
                seen[record.namespace, record.name] = record
        for key, known in list(self._records.items()):
            if key not in seen and not newer(known.resource_version, version):
                self._drop(known)
        for record in seen.values():
            self._put(record)
        self._version = version
        self.synced.set()

    async def _watch(self) -> None:
        """Follow the changes from there, over as many connections as the version stays valid."""
        while True:
            query = {
                **self._query,
                "resourceVersion": self._version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(_SERVER_SECONDS),
            }
            brought = False
            async for event in self._source.watch(self._path, query, idle_seconds=self._idle_seconds):
                self._take(event)
                brought = True
                self._failures = 0
            if not brought:  # a watch that ends at once, again and again, must not become a busy loop
                self._failures += 1
                await self._rest()

    def _take(self, event: dict[str, Any]) -> None:
        kind, item = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            message = str(item.get("message", item))
            raise Expired(message, status=410) if item.get("code") == 410 else Unavailable(message)
        version = item["metadata"]["resourceVersion"]
        if not isinstance(version, str):  # before anything is taken in that can never be compared with anything
            message = f"an event without a resource version: {object_name(item)}"
            raise Unavailable(message)
        if kind in ("ADDED", "MODIFIED", "DELETED"):
            self._take_object(item, gone=kind == "DELETED")
        elif kind != "BOOKMARK":
            message = f"an event of unknown type {kind!r}"
            raise Unavailable(message)
        self._version = version

    def _take_object(self, item: dict[str, Any], *, gone: bool) -> None:
        metadata = item["metadata"]
        known = self._records.get((metadata.get("namespace", ""), metadata["name"]))
        self._unreadable.pop((metadata.get("namespace", ""), metadata["name"]), None)
        if gone:
            if known is not None and not newer(known.resource_version, metadata["resourceVersion"]):
                self._drop(known)
            return
        record = next(iter(self._parsed([item])), None)
        if record is not None:
            self._put(record)
        elif known is not None and newer(metadata["resourceVersion"], known.resource_version):
            self._drop(known)  # ours no more: somebody took its owner or its labels away

    def _parsed(self, items: Iterable[dict[str, Any]]) -> Iterable[R]:
        """Records of what is ours. An object that can't be read is told of, and is no reason to miss the others."""
        for item in items:
            try:
                record = self._parse(item)
            except Exception:  # noqa: BLE001  whatever it is, it is this object's alone
                _log.exception("%s: unreadable object", self._path, extra={"object": object_name(item)})
                self._note_unreadable(item)
                continue
            if record is not None:
                yield record

    def _note_unreadable(self, item: object) -> None:
        """Remember whose it is, as far as its label tells."""
        metadata = _metadata(item)
        labels = metadata.get("labels")
        uid = labels.get(names.LABEL_TASK_UID) if isinstance(labels, dict) else None
        if isinstance(uid, str):
            self._unreadable[str(metadata.get("namespace", "")), str(metadata.get("name", ""))] = uid
            self._changed(uid)

    def _put(self, record: R, *, tell: bool = False) -> None:
        """Keep it, and tell of it: of one that says nothing new but its version only if that was asked for.

        Much of what Kubernetes writes to a Job or Pod is of no interest here, and nothing is decided by a version.
        """
        key = (record.namespace, record.name)
        known = self._records.get(key)
        if known is not None and not newer(record.resource_version, known.resource_version):
            return
        if known is not None and known.task_uid != record.task_uid:
            self._drop(known)
        self._records[key] = record
        self._by_task.setdefault(record.task_uid, {})[key] = record
        if tell or known is None or _says_more(record, known):
            self._changed(record.task_uid)

    def _drop(self, known: R) -> None:
        key = (known.namespace, known.name)
        del self._records[key]
        of_task = self._by_task[known.task_uid]
        del of_task[key]
        if not of_task:
            del self._by_task[known.task_uid]
        self._changed(known.task_uid)


def _metadata(item: object) -> Mapping[str, Any]:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def require_object(body: object) -> None:
    """Raise `Unavailable` for an answer that has not what every object has: it says nothing of what has happened."""
    metadata = _metadata(body)
    if not all(isinstance(metadata.get(key), str) for key in ("uid", "resourceVersion", "name")):
        raise Unavailable("the answer of the API server is no object of Kubernetes")


def _says_more(record: R, known: R) -> bool:
    return replace(known, resource_version=record.resource_version) != record  # type: ignore[type-var]


def object_name(item: object) -> str:
    """Namespace and name of whatever this is, for the log."""
    metadata = _metadata(item)
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
