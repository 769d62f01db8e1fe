"""An observer of its own: every version of LongTasks and Pods of a namespace, in the order in which they were stored.

The API server numbers all writes of all kinds from one counter of etcd, and a watch shows every one of them. So the
logs of two watches, merged by resourceVersion, are what happened, exactly, whatever the operator says about it.
It must not know what ought to happen: watch_verdicts.py judges.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import urllib3

from tests.e2e.support.client import MERGE, Api, Body, wait_for

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

KINDS: Final = ("LongTask", "Pod")
MARK: Final = "tests.longtask.dev/mark"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One version of one object. `gone`: this is how it was when it was removed, in the write of that number.

    `at`: when it arrived here, in seconds since 1970; for records, never for a verdict.
    """

    revision: int
    kind: str
    gone: bool
    body: Body
    at: float = 0.0


@dataclass
class Observer:
    """Watches a namespace for the length of a `with` block; `log()` is for afterwards."""

    api: Api
    namespace: str
    kinds: tuple[str, ...] = KINDS
    _seen: list[Seen] = field(default_factory=list)
    _trouble: list[str] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _answers: list[urllib3.BaseHTTPResponse] = field(default_factory=list)
    _leaving: bool = False

    def __enter__(self) -> Self:
        """Begin to watch; nothing that happens from now on is missed."""
        for kind in self.kinds:
            listed = self.api.request("GET", self.api.path(kind, namespace=self.namespace))
            for body in listed["items"]:
                self._note(kind, body, gone=False)
            answer = self._open(kind, listed["metadata"]["resourceVersion"])
            thread = threading.Thread(target=self._follow, args=(kind, answer), daemon=True, name=f"watch-{kind}")
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See the last of what has happened until now, and stop watching."""
        if error is None:
            for name in self.kinds:
                self._catch_up(name)
        self._leaving = True
        for answer in self._answers:
            with contextlib.suppress(RuntimeError):  # it has ended already
                answer.shutdown()
        for thread in self._threads:
            thread.join(timeout=5)

    def log(self) -> list[Seen]:
        """All that happened during the block, in order. Fails if a watch was cut: then something may be missing."""
        assert self._leaving, "not complete before the end of the block"
        assert self._trouble == []
        return sorted(self._seen, key=lambda seen: seen.revision)

    def _open(self, kind: str, version: str) -> urllib3.BaseHTTPResponse:
        query = f"watch=1&resourceVersion={version}&timeoutSeconds=900"
        url = f"{self.api.server}{self.api.path(kind, namespace=self.namespace)}?{query}"
        timeout = urllib3.Timeout(connect=10, read=900)
        answer = self.api.pool.request("GET", url, preload_content=False, timeout=timeout)
        self._answers.append(answer)
        return answer

    def _follow(self, kind: str, answer: urllib3.BaseHTTPResponse) -> None:
        try:
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    self._trouble.append(f"{kind}: {event['object']}")
                    return
                self._note(kind, event["object"], gone=event["type"] == "DELETED")
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if not self._leaving:
                self._trouble.append(f"{kind}: {error!r}")
            return
        if not self._leaving:
            self._trouble.append(f"{kind}: the watch has ended")

    def _note(self, kind: str, body: Body, *, gone: bool) -> None:
        revision = int(body["metadata"]["resourceVersion"])
        self._seen.append(Seen(revision=revision, kind=kind, gone=gone, body=body, at=time.time()))

    def _catch_up(self, kind: str) -> None:
        """Wait until a write that is made now, or the end of the last object, has come through the watch."""
        bodies = self.api.list_all(kind, self.namespace)
        living = {body["metadata"]["uid"]: int(body["metadata"]["resourceVersion"]) for body in bodies}
        marked = next((body for body in bodies if "deletionTimestamp" not in body["metadata"]), None)
        if marked is not None:
            metadata = marked["metadata"]
            mark: Body = {"metadata": {"annotations": {MARK: metadata["resourceVersion"]}}}
            written = self.api.patch(kind, metadata["name"], self.namespace, mark, how=MERGE)
            living[metadata["uid"]] = int(written["metadata"]["resourceVersion"])
        wait_for(
            lambda: bool(self._trouble) or self._has_seen(kind, living),
            what=f"the watch of {kind} to show what there is",
            state=lambda: living,
        )

    def _has_seen(self, kind: str, living: dict[str, int]) -> bool:
        last = {seen.body["metadata"]["uid"]: seen for seen in list(self._seen) if seen.kind == kind}
        ended = all(seen.gone for uid, seen in last.items() if uid not in living)
        return ended and all(uid in last and last[uid].revision >= revision for uid, revision in living.items())
