"""What happens to a task under faults: between them, the scenarios take every transition that there is.

Each is what a user (or somebody else in the cluster) does, step by step, and what must come out whatever the faults.
It must not know of any fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tests.faults.scene import PATIENCE
from tests.faults.site import HOLD, ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.faults.scene import Scene


@dataclass(frozen=True, kw_only=True)
class End:
    """How a task is in the end. `reason`: that of its `Ready` condition; `items`: how many were done, in all.

    `saved`: how many of them at least, where workers were killed and nobody goes on with the work.
    """

    state: str
    reason: str
    items: int
    saved: int | None = None
    attempt: int = 1
    failures: int | None = None
    gone: bool = False
    jobs: int = 1

    @property
    def written(self) -> list[int]:
        """What the workers must have written, each once."""
        return list(range(self.items))


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`writes`: how many of the operator's the server carries out, at most, when nothing goes wrong."""

    name: str
    steps: Callable[[Scene], None]
    end: End
    writes: int
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    redone: bool = False
    """Whether its worker is ended in the middle, so that what it had not saved is done again."""
    finalizer: bool = False
    """Whether it has a clean-up, so that the operator sets a finalizer on it."""
    stalls: bool = False
    """Whether only a person can help on the way."""


HELD: Final[Mapping[str, object]] = MappingProxyType({"HOLD": HOLD})


def _complete(scene: Scene) -> None:
    scene.until("Complete")


def _suspend_and_resume(scene: Scene) -> None:
    _suspend(scene)
    scene.want("Run")
    scene.until("Complete")


def _suspend(scene: Scene) -> None:
    scene.until_held()
    scene.want("Suspend")
    scene.until("Suspended")


def _suspend_unseen(scene: Scene) -> None:
    """Nobody waits until the operator has seen the worker."""
    scene.task.wait_for_saved(HOLD, seconds=PATIENCE)
    scene.want("Suspend")
    scene.until("Suspended")


def _suspend_while_starting(scene: Scene) -> None:
    scene.until_pod("that waits for a node", lambda pod: pod["status"]["phase"] == "Pending")
    scene.want("Suspend")
    scene.until("Suspended")


def _terminate_running(scene: Scene) -> None:
    scene.until_held()
    scene.want("Terminate")
    scene.until("Terminated")


def _terminate_suspended(scene: Scene) -> None:
    _suspend(scene)
    scene.want("Terminate")
    scene.until("Terminated")


def _terminate_after(state: str) -> Callable[[Scene], None]:
    def steps(scene: Scene) -> None:
        scene.until(state)
        scene.want("Terminate")
        scene.until("Terminated")

    return steps


def _terminate_while_suspending(scene: Scene) -> None:
    scene.until_held()
    scene.want("Suspend")
    scene.until_pod("that is stopping", lambda pod: "deletionTimestamp" in pod["metadata"])
    scene.want("Terminate")
    scene.until("Terminated")


def _delete_object(scene: Scene) -> None:
    scene.until_held()
    scene.task.delete()
    scene.task.wait_until_bare(seconds=PATIENCE)


def _retry_afresh(scene: Scene) -> None:
    scene.until("Failed")
    scene.want("Suspend")
    scene.until("Suspended")
    scene.want("Run")
    scene.until("Complete")


def _change_template(scene: Scene) -> None:
    _suspend(scene)
    body = scene.task.read()
    container: dict[str, Any] = body["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": "CHANGED", "value": "1"})
    scene.task.patch({"spec": {"template": {"spec": {"containers": [container]}}}})
    scene.want("Run")
    scene.until("Complete")


def _interrupted_by_deleting(kind: str) -> Callable[[Scene], None]:
    def steps(scene: Scene) -> None:
        scene.until_held()
        scene.delete(kind)
        scene.until("Complete")

    return steps


def _restart(scene: Scene) -> None:
    scene.until_held()
    scene.task.patch({"spec": {"restartNonce": 1}})
    scene.until("Complete")


def _clean_up(scene: Scene) -> None:
    scene.until_held()
    scene.task.patch({"spec": {"cleanup": {"command": ["true"]}}})
    scene.task.wait("kept", lambda body: body["metadata"].get("finalizers"), seconds=PATIENCE)
    scene.want("Terminate")
    scene.until("Terminated")
    scene.task.wait("free", lambda body: not body["metadata"].get("finalizers"), seconds=PATIENCE)


_NOWHERE: Final = {"pod": {"nodeSelector": {"longtask.dev/tests": "no-such-node"}}}
_DONE: Final = End(state="Complete", reason="Done", items=ITEMS)
_TERMINATED: Final = End(state="Terminated", reason="Terminated", items=HOLD + 1, saved=HOLD, jobs=0)

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (
            Scenario(name="complete", steps=_complete, end=_DONE, writes=4),
            Scenario(name="suspend-resume", steps=_suspend_and_resume, settings=HELD, end=_DONE, writes=9),
            Scenario(
                name="suspend",
                steps=_suspend_unseen,
                settings={**HELD, "LINGER": 1},
                end=End(state="Suspended", reason="Saved", items=HOLD + 1),
                writes=5,
            ),
            Scenario(
                name="suspend-while-starting",
                steps=_suspend_while_starting,
                settings=_NOWHERE,
                end=End(state="Suspended", reason="NotStarted", items=0),
                writes=5,
                stalls=True,
            ),
            Scenario(name="terminate-running", steps=_terminate_running, settings=HELD, end=_TERMINATED, writes=5),
            Scenario(
                name="terminate-suspended",
                steps=_terminate_suspended,
                settings=HELD,
                end=End(state="Terminated", reason="NoCleanup", items=HOLD + 1, jobs=0),
                writes=7,
            ),
            Scenario(
                name="terminate-failed",
                steps=_terminate_after("Failed"),
                settings={"CRASH": HOLD, "backoff_limit": 0},
                end=End(state="Terminated", reason="NoCleanup", items=HOLD, failures=1, jobs=0),
                writes=8,
                stalls=True,
            ),
            Scenario(
                name="terminate-complete",
                steps=_terminate_after("Complete"),
                end=End(state="Terminated", reason="Terminated", items=ITEMS, jobs=0),
                writes=6,
            ),
            Scenario(
                name="terminate-while-suspending",
                steps=_terminate_while_suspending,
                settings={**HELD, "LINGER": 2},
                end=_TERMINATED,
                writes=6,
            ),
            Scenario(
                name="delete",
                steps=_delete_object,
                settings=HELD,
                end=End(state="", reason="", items=HOLD + 1, gone=True, jobs=0),
                writes=3,
            ),
            Scenario(
                name="retry-afresh",
                steps=_retry_afresh,
                settings={"CRASH": HOLD, "backoff_limit": 0},
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2, failures=0),
                writes=13,
                stalls=True,
            ),
            Scenario(
                name="change-template",
                steps=_change_template,
                settings=HELD,
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2, failures=0),
                writes=10,
            ),
            Scenario(
                name="leave-with-work-left",
                steps=_complete,
                settings={"LEAVE": HOLD, "backoff_limit": 1},
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2, failures=1),
                writes=9,
                redone=True,
            ),
            Scenario(
                name="restart",
                steps=_restart,
                settings=HELD,
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2, failures=0),
                writes=9,
            ),
            Scenario(
                name="clean-up",
                steps=_clean_up,
                settings=HELD,
                end=End(state="Terminated", reason="Terminated", items=HOLD + 1, saved=HOLD, jobs=0),
                writes=11,
                finalizer=True,
            ),
            Scenario(
                name="pod-deleted",
                steps=_interrupted_by_deleting("Pod"),
                settings=HELD,
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2),
                writes=8,
            ),
            Scenario(
                name="job-deleted",
                steps=_interrupted_by_deleting("Job"),
                settings=HELD,
                end=End(state="Complete", reason="Done", items=ITEMS, attempt=2),
                writes=7,
            ),
        )
    }
)
