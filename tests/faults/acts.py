"""What is done to a task in a scenario, step by step: by its user, or by somebody else in the cluster.

It must not know of any fault, nor what must come of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.e2e.support.tasks import condition
from tests.faults.scene import PATIENCE
from tests.faults.site import HOLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.support.client import Body
    from tests.faults.scene import Scene


def complete(scene: Scene) -> None:
    scene.until("Complete")


def suspend_and_resume(scene: Scene) -> None:
    suspend(scene)
    scene.want("Run")
    scene.until("Complete")


def suspend(scene: Scene) -> None:
    scene.until_held()
    scene.want("Suspend")
    scene.until("Suspended")


def suspend_unseen(scene: Scene) -> None:
    """Nobody waits until the operator has seen the worker."""
    scene.task.wait_for_saved(HOLD, seconds=PATIENCE)
    scene.want("Suspend")
    scene.until("Suspended")


def suspend_while_starting(scene: Scene) -> None:
    scene.until_pod("that waits for a node", lambda pod: pod["status"]["phase"] == "Pending")
    scene.want("Suspend")
    scene.until("Suspended")


def terminate_running(scene: Scene) -> None:
    scene.until_held()
    scene.want("Terminate")
    scene.until("Terminated")


def terminate_suspended(scene: Scene) -> None:
    suspend(scene)
    scene.want("Terminate")
    scene.until("Terminated")


def terminate_after(state: str) -> Callable[[Scene], None]:
    def steps(scene: Scene) -> None:
        scene.until(state)
        scene.want("Terminate")
        scene.until("Terminated")

    return steps


def terminate_while_suspending(scene: Scene) -> None:
    scene.until_held()
    scene.want("Suspend")
    scene.until_pod("that is stopping", lambda pod: "deletionTimestamp" in pod["metadata"])
    scene.want("Terminate")
    scene.until("Terminated")


def delete_object(scene: Scene) -> None:
    scene.until_held()
    scene.task.delete()
    scene.task.wait_until_bare(seconds=PATIENCE)


def retry_afresh(scene: Scene) -> None:
    scene.until("Failed")
    scene.want("Suspend")
    scene.until("Suspended")
    scene.want("Run")
    scene.until("Complete")


def change_template(scene: Scene) -> None:
    suspend(scene)
    body = scene.task.read()
    container: dict[str, Any] = body["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": "CHANGED", "value": "1"})
    scene.task.patch({"spec": {"template": {"spec": {"containers": [container]}}}})
    scene.want("Run")
    scene.until("Complete")


def interrupted_by_deleting(kind: str) -> Callable[[Scene], None]:
    def steps(scene: Scene) -> None:
        scene.until_held()
        scene.delete(kind)
        scene.until("Complete")

    return steps


def restart(scene: Scene) -> None:
    scene.until_held()
    scene.task.patch({"spec": {"restartNonce": 1}})
    scene.until("Complete")


def clean_up(scene: Scene) -> None:
    scene.until_held()
    scene.task.patch({"spec": {"cleanup": {"command": ["true"]}}})
    scene.task.wait("kept", lambda body: body["metadata"].get("finalizers"), seconds=PATIENCE)
    scene.want("Terminate")
    scene.until("Terminated")
    scene.task.wait("free", lambda body: not body["metadata"].get("finalizers"), seconds=PATIENCE)


def wait_for_batch(scene: Scene) -> None:
    """Suspend, think better of it, and suspend after all, while the worker is at a batch that it is left to finish."""
    scene.until_held()
    scene.want("Suspend")
    scene.task.wait("asked", _is_asked, seconds=PATIENCE)
    scene.want("Run")
    scene.until("Running")
    scene.want("Suspend")
    scene.task.wait("asked again", _is_asked, seconds=PATIENCE)
    scene.touch("go")
    scene.until("Suspended")
    scene.want("Run")
    scene.until("Complete")


def terminate_with_a_claim(scene: Scene) -> None:
    terminate_suspended(scene)
    scene.until_no_claim()


def _is_asked(body: Body) -> bool:
    ready = condition(body, "Ready")
    seen = ready["observedGeneration"] == body["metadata"]["generation"]
    return bool(seen and ready["reason"] == "WaitingForBatch")
