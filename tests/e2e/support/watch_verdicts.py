"""Judges what an observer has seen: pure functions from a log of versions to what was wrong, if anything.

It must not ask the cluster, and it must not know what the operator thinks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.e2e.support.client import Body
    from tests.e2e.support.watch import Seen

TASK_UID: Final = "longtask.dev/task-uid"
ENDED: Final = frozenset({"Succeeded", "Failed"})


@dataclass
class Moment:
    """The world right after one write: tasks by UID, and for each task its active pods by UID."""

    revision: int = 0
    tasks: dict[str, Body] = field(default_factory=dict)
    active: dict[str, dict[str, Body]] = field(default_factory=dict)

    def take(self, seen: Seen) -> None:
        """Go on to the world after the next write."""
        self.revision = seen.revision
        metadata = seen.body["metadata"]
        if seen.kind == "LongTask":
            self.tasks[metadata["uid"]] = seen.body
            if seen.gone:
                del self.tasks[metadata["uid"]]
        elif (task := metadata.get("labels", {}).get(TASK_UID)) is not None:
            pods = self.active.setdefault(task, {})
            pods[metadata["uid"]] = seen.body
            if seen.gone or seen.body["status"].get("phase") in ENDED:
                del pods[metadata["uid"]]


def moments(log: Iterable[Seen]) -> Iterator[Moment]:
    """The world after each write. It is one object that moves on: look at it, don't keep it."""
    moment = Moment()
    for seen in log:
        moment.take(seen)
        yield moment


def claims_to_be_suspended(task: Body) -> bool:
    """Whether it says `Suspended` of its present spec."""
    status, generation = task["status"], task["metadata"]["generation"]
    return bool(status["state"] == "Suspended" and status["observedGeneration"] == generation)


def false_suspensions(log: Iterable[Seen]) -> list[str]:
    """Every moment at which a task said `Suspended`, at its current generation, while a pod of it was active."""
    return [
        f"at {moment.revision} {task['metadata']['name']} says Suspended, and active are {names(pods)}"
        for moment in moments(log)
        for uid, task in moment.tasks.items()
        if claims_to_be_suspended(task) and (pods := moment.active.get(uid))
    ]


def side_by_side(log: Iterable[Seen]) -> list[str]:
    """Every moment at which a task had more than one active pod."""
    return [
        f"at {moment.revision} {names(pods)}"
        for moment in moments(log)
        for pods in moment.active.values()
        if len(pods) > 1
    ]


def suspensions(log: Iterable[Seen]) -> int:
    """How many times any task became `Suspended` at its current generation: so that no verdict is given on nothing."""
    count, before = 0, frozenset[str]()
    for moment in moments(log):
        now = frozenset(uid for uid, task in moment.tasks.items() if claims_to_be_suspended(task))
        count += len(now - before)
        before = now
    return count


def states(log: Iterable[Seen], uid: str) -> list[str]:
    """The states that a task went through, each once per stay."""
    return changes(version["status"]["state"] for version in versions(log, uid))


def versions(log: Iterable[Seen], uid: str) -> list[Body]:
    """Every version of one object."""
    return [seen.body for seen in log if seen.body["metadata"]["uid"] == uid]


def pods_of(log: Iterable[Seen], uid: str) -> list[Body]:
    """The last version of each pod that a task ever had, in the order of their appearance."""
    last = {
        seen.body["metadata"]["uid"]: seen.body
        for seen in log
        if seen.kind == "Pod" and seen.body["metadata"].get("labels", {}).get(TASK_UID) == uid
    }
    return list(last.values())


def changes(values: Iterable[str]) -> list[str]:
    """The same without repetitions."""
    found: list[str] = []
    for value in values:
        if not found or found[-1] != value:
            found.append(value)
    return found


def names(pods: dict[str, Body]) -> str:
    """Names of pods, with their phases."""
    return ", ".join(f"{pod['metadata']['name']} ({pod['status'].get('phase')})" for pod in pods.values())
