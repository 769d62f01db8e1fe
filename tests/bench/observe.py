"""An observer by watch that notes when it sees what: the same one, at the same cost, for all contenders.

The clock is this process's monotonic one, read when a line of the watch has arrived and before it is decoded. It must
not know what is awaited.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from tests.e2e.support.client import Api, Body

T = TypeVar("T")
WATCH_SECONDS: Final = 7200
PATIENCE: Final = 60.0
"""How long anything may take that takes two seconds on a quiet machine."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One version of one object, and when it was seen, in seconds of `time.monotonic()`."""

    at: float
    kind: str
    gone: bool
    body: Body


class LateError(Exception):
    """What was awaited has not happened in time, or the watch has ended."""


@dataclass
class Observer:
    """Watches some kinds in a namespace for the length of a `with` block."""

    api: Api
    namespace: str
    kinds: Sequence[str]
    _events: list[Event] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _answers: list[urllib3.BaseHTTPResponse] = field(default_factory=list)
    _trouble: str = ""

    def __enter__(self) -> Observer:
        """Begin to watch: what is written from now on is seen."""
        for kind in self.kinds:
            path = self.api.path(kind, namespace=self.namespace)
            version = self.api.request("GET", path)["metadata"]["resourceVersion"]
            url = f"{self.api.server}{path}?watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}"
            timeout = urllib3.Timeout(connect=10, read=WATCH_SECONDS)
            answer = self.api.pool.request("GET", url, preload_content=False, timeout=timeout)
            self._answers.append(answer)
            threading.Thread(target=self._follow, args=(kind, answer), daemon=True, name=f"watch-{kind}").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching."""
        for answer in self._answers:
            with contextlib.suppress(RuntimeError):  # it has ended already
                answer.shutdown()

    def mark(self) -> int:
        """The number of events so far: a place to look from."""
        return len(self._events)

    def wait(self, what: str, look: Callable[[Sequence[Event]], T | None], *, since: int) -> T:
        """Wait until `look` makes something of the events since a mark, and return that.

        Raises LateError, with what was awaited, after PATIENCE seconds.
        """
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                found = look(self._events[since:])
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                if self._trouble or left <= 0:
                    raise LateError(f"waited for {what}" + (f": {self._trouble}" if self._trouble else ""))
                self._changed.wait(left)

    def _follow(self, kind: str, answer: urllib3.BaseHTTPResponse) -> None:
        trouble = "the watch has ended"
        try:
            for line in answer:
                at = time.monotonic()
                event = json.loads(line)
                if event["type"] == "ERROR":
                    trouble = str(event["object"])
                    break
                self._note(Event(at=at, kind=kind, gone=event["type"] == "DELETED", body=event["object"]))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            trouble = repr(error)
        with self._changed:
            self._trouble = f"{kind}: {trouble}"
            self._changed.notify_all()

    def _note(self, event: Event) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()
