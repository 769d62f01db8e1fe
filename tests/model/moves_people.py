"""Moves of users who change their mind and of strangers who meddle, as long as that is granted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from longtask.api.longtask import DesiredState
from longtask.api.names import job_name
from tests.model import server
from tests.model.garbage import evict
from tests.model.objects import Ours, SimJob, SimPod, SimTask, changed
from tests.model.world import Actor, Edit, Harm, first_world, tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model.world import Setting, World

A_LONG_TIME = timedelta(hours=1)

Step = tuple[str, Actor, "World"]

_WISHES = {
    Edit.RUN: DesiredState.RUN,
    Edit.SUSPEND: DesiredState.SUSPEND,
    Edit.TERMINATE: DesiredState.TERMINATE,
}


def people_moves(world: World, setting: Setting) -> Iterator[Step]:
    """What users and strangers may do next."""
    if world.edits:
        less = changed(world, edits=world.edits - 1)
        for edit in setting.edits:
            after = _edited(less, setting, edit)
            if after is not None:
                yield f"a user edits: {edit}", Actor.USER, after
    if world.harms:
        less = changed(tick(world, setting), harms=world.harms - 1)
        for says, after in _meddled(less, setting):
            yield says, Actor.STRANGER, after


def _edited(world: World, setting: Setting, edit: Edit) -> World | None:
    task = world.tasks[0] if world.tasks else None
    if edit is Edit.RECREATE:
        return _recreated(world, setting) if task is None else None
    if task is not None and task.has_cleanup and edit is Edit.NO_CLEANUP:
        gone = changed(task, has_cleanup=False, generation=task.generation + 1)
        return server.put_task(changed(world, truth=changed(world.truth, cleaned=True)), gone)
    if task is None or task.deleting or edit is Edit.NO_CLEANUP:
        return None
    if edit is Edit.DELETE:
        return server.remove_task(world, task)
    if edit is Edit.DELETE_FOREGROUND:
        return server.put_task(world, changed(task, deleting=True, foreground=True, generation=task.generation + 1))
    edited = _with_edit(task, edit)
    return None if edited is None else server.put_task(world, changed(edited, generation=task.generation + 1))


def _with_edit(task: SimTask, edit: Edit) -> SimTask | None:
    """The task with a changed spec; None where that changes nothing, or takes a Terminate back."""
    if edit is Edit.TEMPLATE:
        return changed(task, template="b" if task.template == "a" else "a")
    if edit is Edit.LIMIT:
        return changed(task, backoff_limit=task.backoff_limit + 1)
    if edit is Edit.RESTART:
        return changed(task, restart_nonce=(task.restart_nonce or 0) + 1, from_beginning=True)
    wish = _WISHES[edit]
    if task.desired in (wish, DesiredState.TERMINATE):
        return None
    return changed(task, desired=wish)


def _recreated(world: World, setting: Setting) -> World:
    serial = world.serial + 1
    task = setting.task(f"task{serial:04}")
    return changed(world, tasks=(task,), serial=serial, truth=first_world(setting).truth)


def _meddled(world: World, setting: Setting) -> Iterator[tuple[str, World]]:
    harms = setting.harms
    for pod in world.pods:
        if Harm.DELETE_POD in harms and pod.asked is None:
            yield f"somebody deletes {pod.name}", server.ask_pod(world, pod.uid, grace=setting.grace)
        if Harm.EVICT in harms and pod.asked is None and not pod.final and pod.node is not None:
            evicted = evict(pod, now=world.now, grace=setting.grace)
            yield f"{pod.name} is evicted", server.put_pod(world, pod.uid, evicted)
    if Harm.LOSE_NODE in harms and not world.node_lost and world.processes:
        lost = changed(world, node_lost=True, truth=changed(world.truth, fenced=True))
        yield "the node is lost", lost
    for job in world.jobs:
        yield from _meddled_with_job(world, setting, job)
    if Harm.TIME in harms:
        yield from ((f"a long time passes for {task.name}", _aged(world, task)) for task in world.tasks if _ages(task))
    for task in world.tasks:
        yield from _meddled_beside(world, setting, task)


def _ages(task: SimTask) -> bool:
    return task.ours.status.active_since is not None


def _aged(world: World, task: SimTask) -> World:
    """What the clock does to a task that is `Running`: all its deadlines are over."""
    status = task.ours.status
    mark, since = status.last_progress, status.active_since
    marked = None if mark is None else mark.model_copy(update={"time": mark.time - A_LONG_TIME})
    aged = {"active_since": None if since is None else since - A_LONG_TIME, "last_progress": marked}
    return server.put_task(world, changed(task, ours=Ours.of(status.model_copy(update=aged))))


def _meddled_with_job(world: World, setting: Setting, job: SimJob) -> Iterator[tuple[str, World]]:
    if job.owner is None:
        return
    if Harm.DELETE_JOB in setting.harms:
        yield f"somebody deletes {job.name}", server.remove_job(world, job.uid)
    if Harm.ORPHAN_JOB in setting.harms:
        pods = tuple(
            changed(pod, owner=None, version=pod.version + 1) if pod.owner == job.uid else pod for pod in world.pods
        )
        yield f"somebody deletes {job.name} and leaves its pods", server.remove_job(changed(world, pods=pods), job.uid)
    if Harm.RESUME_JOB in setting.harms and job.suspend:
        resumed = server.put_job(world, changed(job, suspend=False, generation=job.generation + 1))
        yield f"somebody resumes {job.name}", changed(resumed, truth=changed(resumed.truth, meddled=True))


def _meddled_beside(world: World, setting: Setting, task: SimTask) -> Iterator[tuple[str, World]]:
    attempt = task.ours.status.attempt
    serial = world.serial + 1
    if Harm.TAKE_NAME in setting.harms:
        for number in (attempt, attempt + 1):
            name = job_name(task.name, task.uid, number)
            if world.job(name) is None:
                job = SimJob(name=name, uid=f"job-{serial}", owner=None, attempt=number, suspend=True)
                yield f"somebody creates a Job named {name}", changed(world, jobs=(*world.jobs, job), serial=serial)
    if Harm.MAKE_POD in setting.harms:
        name = f"{job_name(task.name, task.uid, attempt)}-{serial:05}"
        pod = SimPod(
            name=name,
            uid=f"pod-{serial}",
            task_uid=task.uid,
            owner=None,
            attempt=attempt,
            created=world.now,
            tracked=False,
        )
        truth = changed(world.truth, meddled=True)
        yield f"somebody makes pod {name}", changed(world, pods=(*world.pods, pod), serial=serial, truth=truth)
