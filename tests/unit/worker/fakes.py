"""Stand-ins for what stands around one module of the worker library: a clock, a store, a console, a task's object."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longtask.worker.api import Answer
from longtask.worker.console import Console
from longtask.worker.envelope import MAX_BYTES
from longtask.worker.settings import ClusterSettings
from longtask.worker.store import Cause, Claim, Snapshot, Wanted, anything
from tests.unit.worker.standin import NAME, NAMESPACE, UID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Object = dict[str, Any]


class Clock:
    """A clock that stands until a test, or somebody who waits, moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        """Let the time pass at once; nobody has asked to stop."""
        self.now += seconds
        return False


def who(pod: int = 1, **changes: Any) -> ClusterSettings:  # noqa: ANN401
    """Return the settings of a pod of the stand-in's task."""
    settings: Object = {
        "namespace": NAMESPACE,
        "name": NAME,
        "uid": UID,
        "attempt": 1,
        "pod_uid": f"pod-{pod}",
        "grace_seconds": 60.0,
        "schema": "",
        "wait_for_batch": False,
        "api_server": "http://127.0.0.1:1",
        "credentials": Path("/nowhere"),
        "termination_log": Path("/nowhere/log"),
    }
    return ClusterSettings(**{**settings, **changes})


def a_checkpoint(**changes: Any) -> Object:  # noqa: ANN401
    """Return a checkpoint that pod 1 holds with epoch 1."""
    made: Object = {
        "epoch": 1,
        "holder": "pod-1",
        "attempt": 1,
        "sequence": 4,
        "cause": "Interval",
        "time": "t",
        "data": "d",
    }
    return {**made, **changes}


def a_task(checkpoint: Object | None = None, *, uid: str = UID, desired: str = "Run", **status: Any) -> Object:  # noqa: ANN401
    """Return a LongTask as the API server has it."""
    made: Object = {"attempt": 1, "state": "Running", **status}
    if checkpoint is not None:
        made["checkpoint"] = checkpoint
    return {"metadata": {"name": NAME, "uid": uid}, "spec": {"desiredState": desired}, "status": made}


def found(task: Object) -> Answer:
    """Return the answer 200 with a task."""
    return Answer(200, task, "")


def refused(status: int, words: str = "because", *, name: str = "") -> Answer:
    """Return a refusal; `name`: what a 404 says is not there."""
    return Answer(status, {"kind": "Status", "message": words, "details": {"name": name} if name else {}}, words)


def a_snapshot(cause: Cause = Cause.INTERVAL, data: str = "d", **progress: int) -> Snapshot:
    """Return a position to save."""
    return Snapshot(cause, data, progress or None, "2026-01-01T00:00:00.000000Z")


class Lines(Console):
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)


@dataclass
class Script:
    """A store that answers as it is told to: by a value, by raising an error, or by calling a function for either.

    When nothing is left of a list, claims and saves succeed. What was asked of it can be awaited.
    """

    name = "the store"
    limit = MAX_BYTES
    claims: list[Any] = field(default_factory=list)
    saves: list[Any] = field(default_factory=list)
    wanted: Wanted = Wanted.RUN
    asked: list[tuple[Snapshot, int]] = field(default_factory=list)
    given_seconds: list[float] = field(default_factory=list)
    closed: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def claim(self, accept: Callable[[str], None] = anything) -> Claim:
        """Answer with the next of `claims`."""
        answer = _next(self.claims, Claim(1, 0, ""))
        assert isinstance(answer, Claim)
        accept(answer.data)
        return answer

    def save(self, snapshot: Snapshot, sequence: int, seconds: float) -> Wanted:
        """Answer with the next of `saves`."""
        with self.changed:
            self.asked.append((snapshot, sequence))
            self.given_seconds.append(seconds)
            self.changed.notify_all()
        answer = _next(self.saves, self.wanted)
        assert isinstance(answer, Wanted)
        return answer

    def now(self) -> float:
        """Always the same time of day."""
        return 1.8e9

    def close(self) -> None:
        """Keep that in mind."""
        self.closed = True

    def wait_until_asked(self, times: int, seconds: float = 20) -> None:
        """Wait until so many saves were asked for."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= times, seconds), self.asked

    @property
    def saved_data(self) -> list[str]:
        """The data of every save that was asked for."""
        return [snapshot.data for snapshot, _ in self.asked]


def _next(answers: list[Any], otherwise: object) -> object:
    answer = answers.pop(0) if answers else otherwise
    if callable(answer) and not isinstance(answer, type):
        answer = answer()
    if isinstance(answer, BaseException):
        raise answer
    return answer


class Gate:
    """Something that happens in another thread when a test lets it."""

    def __init__(self, then: object = None) -> None:
        self._then = then
        self._open = threading.Event()
        self.reached = threading.Event()

    def __call__(self) -> object:
        self.reached.set()
        assert self._open.wait(20)
        return Wanted.RUN if self._then is None else self._then

    def open(self) -> None:
        """Let it happen."""
        self._open.set()


def counted(values: Iterable[int], then: Callable[[int], None]) -> Iterator[int]:
    """Yield values and call `then` with each before it is yielded."""
    for value in values:
        then(value)
        yield value
