"""What the simulated API server does with each action of a plan. It must not know who asks, nor what he knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from longtask.core.actions import (
    CreateCleanup,
    CreateJob,
    DeleteClaim,
    DeleteJob,
    DeletePod,
    DeleteTask,
    SetFinalizer,
    SetJobSuspended,
    WriteStatus,
)
from longtask.core.observed import PodPhase
from longtask.shell.errors import Missing
from tests.model import server
from tests.model.objects import changed

if TYPE_CHECKING:
    from longtask.core.actions import Action
    from tests.model.objects import SimTask
    from tests.model.world import Setting, World


def commit(world: World, setting: Setting, task: SimTask, action: Action) -> World:
    """What the API server does with the request of an action. Raises as it answers."""
    match action:
        case WriteStatus():
            return server.patch_status(world, setting, task, action)
        case CreateJob(attempt=attempt, failures_before=before, backoff_limit=limit, start_over=over):
            return server.create_job(
                world, task, attempt=attempt, failures_before=before, backoff_limit=limit, start_over=over
            )
        case SetJobSuspended(name=name, uid=uid, resource_version=version, suspend=suspend):
            return server.set_suspend(world, setting, name, uid, version, suspend=suspend)
        case DeleteJob(name=name, uid=uid):
            return _or_nothing(lambda: server.delete_job(world, setting, name, uid), world)
        case DeletePod(uid=uid, force=force):
            grace = 0 if force else setting.grace
            return _or_nothing(lambda: _release(server.ask_pod(world, uid, grace=grace), uid, force=force), world)
        case DeleteTask() | CreateCleanup() | SetFinalizer() | DeleteClaim():
            return _commit_at_the_end(world, task, action)
        case _:
            assert_never(action)


def _commit_at_the_end(
    world: World, task: SimTask, action: DeleteTask | CreateCleanup | SetFinalizer | DeleteClaim
) -> World:
    """The same for what happens at the end of a task."""
    match action:
        case DeleteTask(uid=uid, resource_version=version):
            return _or_nothing(lambda: server.delete_task(world, uid, version), world)
        case CreateCleanup(name=name):
            return server.create_cleanup(world, task, name)
        case SetFinalizer(present=present):
            return server.set_finalizer(world, task, present=present)
        case DeleteClaim():
            return world


def _or_nothing(request: Any, world: World) -> World:  # noqa: ANN401  a call without arguments
    """What is gone need not be deleted."""
    try:
        done: World = request()
    except Missing:
        return world
    return done


def _release(world: World, uid: str, *, force: bool) -> World:
    """A pod that a finalizer keeps after it was deleted by force is told to have failed: nobody else would say so."""
    world = changed(world, truth=changed(world.truth, fenced=True)) if force else world
    pod = world.pod(uid)
    if not force or pod is None or pod.final:
        return world
    return server.put_pod(world, uid, changed(pod, phase=PodPhase.FAILED, disrupted=True))
