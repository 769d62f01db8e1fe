"""One cheap watcher for all contenders of the fleets: it sees Jobs, Pods and tasks, and says when all are as awaited.

All contenders are watched by the same three watches and the same few lines, so that what watching costs on a machine
that is short of processors is the same for all. It must not know who is watched.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from longtask.api import names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from types import TracebackType

Json = dict[str, Any]

JOBS: Final = "jobs"
PODS: Final = "pods"
TASKS: Final = "longtasks"
WATCH_SECONDS: Final = 7200
QUIET_SECONDS: Final = 1.5
"""The Job controller gathers changes of pods for a second before it writes; after that long, nothing is to come."""


class Source(Protocol):
    """What is needed of a door to the API server."""

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json: ...
    def watch(self, path: str, query: Mapping[str, str], *, idle_seconds: float) -> AsyncIterator[Json]: ...


@dataclass(slots=True)
class View:
    """What has been seen of one task, or of one raw Job: they are known by the same label or name."""

    jobs: set[str] = field(default_factory=set)
    """Names of its Jobs."""
    suspended: bool = False
    """The last version of a Job of it has the condition Suspended=True."""
    pods: dict[str, str] = field(default_factory=dict)
    """Phases of its pods, by name."""
    state: str = ""
    """`status.state` of the task, at its present generation; empty while that is not there yet."""

    def take(self, kind: str, item: Json, *, gone: bool) -> None:
        """Take in a version of an object of it."""
        name, status = item["metadata"]["name"], item.get("status") or {}
        if kind == TASKS:
            generation = item["metadata"]["generation"]
            current = (status.get("observedGeneration") or generation) == generation  # 0: nobody speaks of generations
            self.state = status.get("state", "") if current and not gone else ""
        elif kind == JOBS:
            (self.jobs.discard if gone else self.jobs.add)(name)
            self.suspended = any(
                c["type"] == "Suspended" and c["status"] == "True" for c in status.get("conditions") or ()
            )
        elif gone:
            self.pods.pop(name, None)
        else:
            self.pods[name] = status.get("phase", "")


class LateError(Exception):
    """Not all came to be as awaited in time, or a watch has ended."""


class Tally:
    """Which of many tasks are as awaited, kept up to date with every event. Pure."""

    def __init__(self) -> None:
        self.views: dict[str, View] = {}
        self._test: Callable[[View], bool] = lambda _: False
        self._among: frozenset[str] | None = None
        self._done: set[str] = set()

    def expect(self, test: Callable[[View], bool], among: Iterable[str] | None = None) -> None:
        """Count those, out of all or out of some, of which this is true from now on."""
        self._test = test
        self._among = None if among is None else frozenset(among)
        self._done = {key for key, view in self.views.items() if self._counts(key) and test(view)}

    @property
    def done(self) -> int:
        """How many are as awaited."""
        return len(self._done)

    def take(self, kind: str, event: Json) -> None:
        """Take in an event of a watch."""
        item = event["object"]
        key = item["metadata"]["name"] if kind == TASKS else _task_of(item)
        view = self.views.setdefault(key, View())
        view.take(kind, item, gone=event["type"] == "DELETED")
        (self._done.add if self._counts(key) and self._test(view) else self._done.discard)(key)

    def _counts(self, key: str) -> bool:
        return self._among is None or key in self._among


def _task_of(item: Json) -> str:
    return str((item["metadata"].get("labels") or {}).get(names.LABEL_TASK_NAME, ""))


class Watcher:
    """Watches a namespace for the length of an `async with` block."""

    def __init__(self, api: Source, namespace: str, tasks_api: str) -> None:
        """`tasks_api`: group and version of the tasks' resource."""
        self._api = api
        self._paths = {
            JOBS: f"/apis/batch/v1/namespaces/{namespace}/jobs",
            PODS: f"/api/v1/namespaces/{namespace}/pods",
            TASKS: f"/apis/{tasks_api}/namespaces/{namespace}/{names.PLURAL}",
        }
        self._tally = Tally()
        self._last = 0.0
        self._awaited: tuple[int, asyncio.Future[float]] | None = None
        self._watches: list[asyncio.Task[None]] = []
        self.interruptions = 0
        """How often a watch was ended by the server."""

    async def __aenter__(self) -> Watcher:
        """Begin to watch: what is written from now on is seen."""
        for kind, path in self._paths.items():
            listed = await self._api.get(path, {"limit": "1"})
            self._watches.append(asyncio.create_task(self._follow(kind, path, listed["metadata"]["resourceVersion"])))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    def begin(self, tasks: Sequence[str], test: Callable[[View], bool]) -> None:
        """Await that the test is true of all these tasks."""
        self._awaited = len(tasks), asyncio.get_running_loop().create_future()
        self._tally.expect(test, tasks)
        self._look()

    async def end(self, seconds: float) -> float:
        """When the last of them came to be so, in seconds of `time.monotonic()`. Raises LateError."""
        if self._awaited is None:
            raise LateError("nothing is awaited")
        count, reached = self._awaited
        waiting: list[asyncio.Future[Any]] = [reached, *self._watches]
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not reached.done():
            ended = [watch for watch in self._watches if watch.done()]
            why = repr(ended[0].exception()) if ended else f"after {seconds:.0f} s"
            raise LateError(f"{self._tally.done} of {count} {why}, {self.interruptions} watches ended early")
        return reached.result()

    async def quiet(self, seconds: float) -> None:
        """Wait until nothing has happened for a while, but no longer than that."""
        deadline = time.monotonic() + seconds
        while (left := min(deadline, self._last + QUIET_SECONDS) - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)

    async def _follow(self, kind: str, path: str, version: str) -> None:
        """Follow from a version on. A watch that the server ends, as it does with slow ones, is taken up again."""
        while True:
            query = {"resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS), "allowWatchBookmarks": "true"}
            async for event in self._api.watch(path, query, idle_seconds=WATCH_SECONDS):
                if event["type"] == "ERROR":
                    raise LateError(f"watch of {kind}: {event['object']}")
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._last = time.monotonic()
                    self._tally.take(kind, event)
                    self._look()
            self.interruptions += 1
            await asyncio.sleep(0.1)

    def _look(self) -> None:
        if self._awaited is None:
            return
        count, reached = self._awaited
        if self._tally.done == count and not reached.done():
            reached.set_result(time.monotonic())
