"""What must be true of a world in which nothing happens any more: each task has come to what is desired of it.

It must not know how the world came there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType
from longtask.api.status import CheckpointCause, State
from tests.model.invariants import pods_of
from tests.model.world import NODE

if TYPE_CHECKING:
    from tests.model.objects import SimPod, SimTask
    from tests.model.world import World


def unreached(world: World) -> str:
    """What is not as desired in a world in which nothing happens any more; empty if all is. This is liveness."""
    known = {task.uid for task in world.tasks}
    left = [thing.name for thing in world.jobs if thing.owner not in (None, *known)]
    left += [pod.name for pod in world.pods if pod.task_uid not in known and pod.owner is not None]
    if left and not _kept_by_a_lost_node(world):
        return f"left of a task that is gone: {', '.join(left)}"
    kept = [job.name for job in world.cleanups if job.task_uid not in known or job.ended is not None]
    if kept and not world.truth.meddled:
        return f"left of a clean-up: {', '.join(kept)}"
    return next((words for task in world.tasks if (words := _not_as_desired(world, task))), "")


def _not_as_desired(world: World, task: SimTask) -> str:
    status = task.ours.status
    if _kept_by_a_lost_node(world) and task.deleting:
        return ""
    if task.deleting and task.has_finalizer:
        return f"it is kept: {task.ours!r}"
    if status.observed_generation != task.generation:
        return f"generation {task.generation} is not answered: {task.ours!r}"
    active = [pod.name for pod in pods_of(world, task) if not pod.final]
    jobs = [job.name for job in world.jobs if job.owner == task.uid]
    if task.desired is DesiredState.TERMINATE:
        return (
            f"not gone: {task.ours!r} {jobs} {active}" if status.state is not State.TERMINATED or jobs or active else ""
        )
    if status.state is State.COMPLETE:
        return ""
    if _finished(task):
        failed_before = status.state is State.FAILED and world.truth.meddled
        return "" if failed_before else f"the work is done, and not Complete: {task.ours!r}"
    if task.desired is DesiredState.SUSPEND:
        return f"not suspended: {task.ours!r} {active}" if status.state is not State.SUSPENDED or active else ""
    stalled = any(c.type == ConditionType.STALLED and c.status == "True" for c in status.conditions)
    return "" if stalled else f"neither Complete nor Stalled: {task.ours!r}"


def _kept_by_a_lost_node(world: World) -> bool:
    """Whether a pod stays because its kubelet is lost, and its task is gone: the operator leaves that to Kubernetes.

    Nobody but a kubelet that is back, or the pod collector once the node is gone, removes it; with it stays its Job.
    """
    return world.node_lost and any(
        pod.node == NODE and pod.asked is not None and _leaves(world, pod) for pod in world.pods
    )


def _leaves(world: World, pod: SimPod) -> bool:
    task = world.task(pod.task_uid)
    return task is None or task.deleting


def _finished(task: SimTask) -> bool:
    return task.checkpoint is not None and task.checkpoint.cause is CheckpointCause.DONE
