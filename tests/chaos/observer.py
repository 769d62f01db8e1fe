"""An observer that outlives the API server: every version of LongTasks and Pods of a namespace, in order of storage.

A watch that was cut is taken up again behind the last version seen. That alone is not enough: an API server that has
just started knows nothing from before, and answers 410 (`getAllEventsSinceLocked` in k8s.io/apiserver
pkg/storage/cacher/watch_cache.go, v0.36: the oldest event it has is that of its own first list). But etcd still has
the past, for five minutes (`compactInterval` of pkg/storage/storagebackend/config.go), and the server lists it as it
was at any revision (`resourceVersionMatch=Exact`). So what happened in a gap is found by halving it, until each half
holds one write or none. What can't be found out this way is said, in `missed`.

One thing could slip through: an object that is made and removed between two looks at an unchanged world. In a gap
nobody can write but in the moments around the outage, so that would take a pod that lives for less than those.

It must not know what ought to happen: verdicts.py judges.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import urllib3

from tests.e2e.support.client import Api, ApiError, Body, UnavailableError
from tests.e2e.support.watch import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS: Final = ("LongTask", "Pod")
PAUSE: Final = 0.3  # seconds before the next try to reach the server
SILENCE: Final = 45.0  # seconds without a word, after which a connection counts as dead

World = dict[str, Body]
"""Objects of one kind by UID, as they were at some revision."""


@dataclass
class Observer:
    """Watches a namespace between `start` and `stop`; `log()` is for afterwards, `now()` for meanwhile."""

    api: Api
    namespace: str
    bridged: list[str] = field(default_factory=list)
    """Gaps that were filled from the past."""
    missed: list[str] = field(default_factory=list)
    """Gaps that were not: then a verdict that finds nothing proves nothing."""
    _seen: list[Seen] = field(default_factory=list)
    _threads: list[_Follower] = field(default_factory=list)

    def start(self) -> None:
        """Begin to watch; nothing that happens from now on is missed without being told."""
        for kind in KINDS:
            follower = _Follower(self, kind)
            follower.begin()
            self._threads.append(follower)

    def stop(self) -> None:
        """See the last of what has happened until now, and stop. The API server must be there again."""
        for follower in self._threads:
            follower.end()

    def log(self) -> list[Seen]:
        """All that happened, in order."""
        return sorted(self._seen, key=lambda seen: seen.revision)

    def now(self, kind: str) -> World:
        """What is there, as far as is known: also while the API server is away."""
        return dict(next(follower.world for follower in self._threads if follower.kind == kind))

    def note(self, seen: Seen) -> None:
        """Take note of a version; list.append needs no lock."""
        self._seen.append(seen)


class _Follower:
    """Follows one kind."""

    def __init__(self, observer: Observer, kind: str) -> None:
        self.kind = kind
        self.world: World = {}
        self._observer = observer
        self._api = observer.api
        self._revision = 0
        self._answer: urllib3.BaseHTTPResponse | None = None
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"observer-{kind}")

    def begin(self) -> None:
        self._revision, world = self._list()
        for body in world.values():
            self._take(Seen(revision=revision_of(body), kind=self.kind, gone=False, body=body))
        self._thread.start()

    def end(self) -> None:
        self._leaving.set()
        if self._answer is not None:
            with contextlib.suppress(RuntimeError, ValueError, OSError):  # it has ended already
                self._answer.shutdown()
        self._thread.join(timeout=2 * SILENCE)
        if self._thread.is_alive():
            self._observer.missed.append(f"{self.kind}: its watch does not end")
        self._bridge()

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                self._watch()
            except ApiError as error:
                if error.status == 410:
                    self._bridge_patiently()
            except (urllib3.exceptions.HTTPError, UnavailableError, OSError, ValueError):
                pass  # cut off: the next watch goes on where this one ended
            self._leaving.wait(PAUSE)

    def _watch(self) -> None:
        query = f"watch=1&allowWatchBookmarks=true&resourceVersion={self._revision}&timeoutSeconds=600"
        url = f"{self._api.server}{self._api.path(self.kind, namespace=self._observer.namespace)}?{query}"
        timeout = urllib3.Timeout(connect=5, read=SILENCE)
        self._answer = self._api.pool.request("GET", url, preload_content=False, timeout=timeout)
        if self._answer.status != 200:
            raise ApiError(self._answer.status, {"message": self._answer.data.decode(errors="replace")})
        for line in self._answer:
            event = json.loads(line)
            body = event["object"]
            if event["type"] == "ERROR":
                raise ApiError(body.get("code", 500), body)
            if event["type"] == "BOOKMARK":
                self._revision = revision_of(body)
            else:
                gone = event["type"] == "DELETED"
                self._take(Seen(revision=revision_of(body), kind=self.kind, gone=gone, body=body))

    def _bridge_patiently(self) -> None:
        """A server that has only just started refuses some things for a moment."""
        while not self._leaving.is_set():
            with contextlib.suppress(ApiError, UnavailableError):
                self._bridge()
                return
            self._leaving.wait(PAUSE)

    def _bridge(self) -> None:
        """Fill the gap between the last version seen and now; what can't be filled is told."""
        revision, world = self._list()
        since = self._revision
        try:
            found = list(between(self.kind, (since, self.world), (revision, world), lambda at: self._list(at)[1]))
        except ApiError as error:
            if error.status != 410:
                raise
            self._observer.missed.append(f"{self.kind}: between {since} and {revision}: {error.message}")
            found = differences(self.kind, revision, self.world, world)
        else:
            self._observer.bridged.append(f"{self.kind}: {len(found)} versions between {since} and {revision}")
        for seen in found:
            self._take(seen)
        self._revision = revision

    def _list(self, at: int | None = None) -> tuple[int, World]:
        """All of the kind, now or at a revision of the past, with that revision."""
        query = "" if at is None else f"?resourceVersion={at}&resourceVersionMatch=Exact"
        listed = self._api.request("GET", self._api.path(self.kind, namespace=self._observer.namespace) + query)
        return revision_of(listed), {body["metadata"]["uid"]: body for body in listed["items"]}

    def _take(self, seen: Seen) -> None:
        self._observer.note(seen)
        world, uid = dict(self.world), seen.body["metadata"]["uid"]
        world[uid] = seen.body
        if seen.gone:
            del world[uid]
        self.world = world  # as a whole: others read it from their threads
        self._revision = max(self._revision, seen.revision)


def between(
    kind: str, before: tuple[int, World], after: tuple[int, World], at: Callable[[int], World]
) -> Iterator[Seen]:
    """Every version between two worlds, in order: halves the time between them until it holds one write or none.

    `before` and `after` are worlds with their revisions, `at` asks for the world at a revision in between.
    """
    (since, old), (until, new) = before, after
    if versions_of(old) == versions_of(new):
        return
    if until - since <= 1:
        yield from differences(kind, until, old, new)
        return
    middle = (since + until) // 2
    half = (middle, at(middle))
    yield from between(kind, before, half, at)
    yield from between(kind, half, after, at)


def differences(kind: str, revision: int, old: World, new: World) -> list[Seen]:
    """What has changed from one world to another, as seen at `revision`."""
    gone = [Seen(revision=revision, kind=kind, gone=True, body=body) for uid, body in old.items() if uid not in new]
    changed = [
        Seen(revision=revision_of(body), kind=kind, gone=False, body=body)
        for uid, body in new.items()
        if uid not in old or revision_of(old[uid]) != revision_of(body)
    ]
    return gone + changed


def versions_of(world: World) -> dict[str, int]:
    """Which version of each object it is."""
    return {uid: revision_of(body) for uid, body in world.items()}


def revision_of(body: Any) -> int:  # noqa: ANN401 - an object or a list, as JSON
    """The revision of an object, or of a list."""
    return int(body["metadata"]["resourceVersion"])
