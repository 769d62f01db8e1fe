"""The API server's requests on the simulated world: preconditions, versions, the CRD's rules and the policy.

Every function gives the world after the request, or raises what the door to the API raises. It must not know why
somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.api.longtask import DesiredState
from longtask.api.names import job_name
from longtask.api.status import CheckpointCause, LongTaskStatus, State
from longtask.shell.errors import Conflict, Missing, Refused
from tests.model.objects import Ours, SimCheckpoint, SimCleanup, SimJob, SimPod, SimTask, changed
from tests.model.storage import delete_pod, drop_finalizer, job_status_refused
from tests.model.world import Break

if TYPE_CHECKING:
    from longtask.core.actions import StartOver, WriteStatus
    from tests.model.objects import SimProcess
    from tests.model.world import Setting, World

FINAL_STATES = frozenset({State.COMPLETE, State.TERMINATED})

_OURS = tuple(name for name in LongTaskStatus.model_fields if name not in ("progress", "checkpoint", "history"))


def put_task(world: World, task: SimTask) -> World:
    """Store another version of a task."""
    new = changed(task, version=task.version + 1)
    return changed(world, tasks=tuple(new if old.uid == new.uid else old for old in world.tasks))


def put_job(world: World, job: SimJob) -> World:
    """Store another version of a Job."""
    new = changed(job, version=job.version + 1)
    return changed(world, jobs=tuple(new if old.uid == new.uid else old for old in world.jobs))


def put_pod(world: World, uid: str, pod: SimPod | None) -> World:
    """Store another version of a pod, or remove it."""
    if pod is None:
        return changed(world, pods=tuple(old for old in world.pods if old.uid != uid))
    new = changed(pod, version=pod.version + 1)
    return changed(world, pods=tuple(new if old.uid == uid else old for old in world.pods))


def remove_job(world: World, uid: str) -> World:
    """Remove a Job; its pods stay."""
    return changed(world, jobs=tuple(job for job in world.jobs if job.uid != uid))


def patch_status(world: World, setting: Setting, seen: SimTask, action: WriteStatus) -> World:
    """The patch that `status_patch` makes of a decision on `seen`, with its tests. Raises `Conflict` if one fails.

    Only fields that the decision changed are written.
    """
    task = world.task(seen.uid)
    if task is None:
        raise Missing("the task is gone", status=404)
    old, new, now = seen.ours.status, Ours.of(action.status).status, task.ours.status
    changes = {name: getattr(new, name) for name in _OURS if getattr(new, name) != getattr(old, name)}
    empty = action.empty_checkpoint or Break.EMPTY_EVERY_TIME in setting.breaks
    if not changes and not empty:
        return world
    if Break.NO_STATUS_TESTS not in setting.breaks and (
        (task.generation, now.state, now.attempt) != (seen.generation, old.state, old.attempt)
    ):
        raise Conflict("a test of the patch fails", status=422)
    if action.judged and task.version != seen.version and not setting.breaks & {Break.NOT_JUDGED}:
        raise Conflict("a test of the patch fails: resourceVersion", status=422)
    status = now.model_copy(update=changes)
    checkpoint = task.checkpoint
    if empty and checkpoint is not None:
        checkpoint = changed(checkpoint, data="")
    _check_states(task, status, checkpoint)
    after = changed(task, ours=Ours.of(status), checkpoint=checkpoint)
    return world if after == task else put_task(world, after)


def delete_task(world: World, uid: str, version: str) -> World:
    """Delete a task of exactly that version. What it owned is left to the garbage collector."""
    task = world.task(uid)
    if task is None:
        raise Missing("the task is gone", status=404)
    if str(task.version) != version:
        raise Conflict("the task has been changed", status=409)
    return remove_task(world, task)


def remove_task(world: World, task: SimTask) -> World:
    """What a deletion does to a task: it is gone, or is to go when its finalizer is removed."""
    if task.has_finalizer:
        return world if task.deleting else put_task(world, changed(task, deleting=True, generation=task.generation + 1))
    return changed(world, tasks=tuple(other for other in world.tasks if other.uid != task.uid))


def set_finalizer(world: World, seen: SimTask, *, present: bool) -> World:
    """Set or remove the finalizer, on the task as it is; with the last one goes a task that is being deleted."""
    task = world.task(seen.uid)
    if task is None:
        raise Missing("the task is gone", status=404)
    if task.has_finalizer == present or (present and task.deleting):
        return world
    after = put_task(world, changed(task, has_finalizer=present))
    return remove_task(after, changed(task, has_finalizer=False)) if task.deleting else after


def create_cleanup(world: World, seen: SimTask, name: str) -> World:
    """Create the Job of a clean-up, for the task as it is now (`_create_cleanup` looks at it first)."""
    task = world.task(seen.uid)
    if task is None:
        raise Missing("the task is gone", status=404)
    over = task.deleting or task.desired is DesiredState.TERMINATE
    if not over or not task.has_cleanup or task.generation != seen.generation:
        raise Conflict("the task was changed", status=409)
    if any(job.name == name for job in world.cleanups):
        return world  # a Job of that name that is ours
    serial = world.serial + 1
    job = SimCleanup(name=name, uid=f"job-{serial}", task_uid=task.uid, owned=not task.deleting)
    return changed(world, cleanups=(*world.cleanups, job), serial=serial)


def _check_states(task: SimTask, status: LongTaskStatus, checkpoint: SimCheckpoint | None) -> None:
    """The rules of the CRD that speak of states: ROOT_RULES in longtask.api.rules."""
    was, state, data = task.ours.status.state, status.state, checkpoint.data if checkpoint else ""
    rules = (
        (was is State.TERMINATED and state is not State.TERMINATED, "Terminated is final"),
        (was is State.COMPLETE and state not in FINAL_STATES, "Complete is final"),
        (state is State.TERMINATED and task.desired is not DesiredState.TERMINATE, "Terminate is not desired"),
        (state is State.TERMINATED and data != "", "a Terminated task must keep no saved data"),
        (status.attempt < task.ours.status.attempt, "attempt must never go back"),
        (
            checkpoint != task.checkpoint and state is not State.TERMINATED,
            "a checkpoint must not change without a greater sequence",
        ),
    )
    for broken, words in rules:
        if broken:
            raise Refused(words, status=422, details={"causes": [{"message": words}]})


def create_job(
    world: World,
    task: SimTask,
    *,
    attempt: int,
    failures_before: int,
    backoff_limit: int,
    start_over: StartOver | None = None,
) -> World:
    """Create the Job of an attempt, from the task as it is stored. Raises `Conflict` if the name is taken."""
    name = job_name(task.name, task.uid, attempt)
    if world.job(name) is not None:
        raise Conflict(f"{name} already exists", status=409)
    serial = world.serial + 1
    job = SimJob(
        name=name,
        uid=f"job-{serial}",
        owner=task.uid,
        attempt=attempt,
        template=task.template,
        failures_before=failures_before,
        backoff_limit=backoff_limit,
        restart_nonce=task.restart_nonce,
        start_over=None if start_over is None else start_over.over,
        waits=task.waits,
    )
    return changed(world, jobs=(*world.jobs, job), serial=serial)


def set_suspend(world: World, setting: Setting, name: str, uid: str, version: str, *, suspend: bool) -> World:
    """Set `spec.suspend` of exactly that version."""
    job = world.job(name)
    if job is None:
        raise Missing("the Job is gone", status=404)
    if job.uid != uid or (str(job.version) != version and Break.NO_JOB_VERSION not in setting.breaks):
        raise Conflict("the Job has been changed", status=409)
    if job.suspend == suspend:
        return world
    return put_job(world, changed(job, suspend=suspend, generation=job.generation + 1))


def delete_job(world: World, setting: Setting, name: str, uid: str) -> World:
    """Delete a Job in the foreground. Raises `Missing`, or `Conflict` if it is another one."""
    cleanups = tuple(job for job in world.cleanups if job.uid != uid)
    if len(cleanups) < len(world.cleanups):
        return changed(world, cleanups=cleanups)
    job = world.job(name)
    if job is None:
        raise Missing("the Job is gone", status=404)
    if job.uid != uid and Break.NO_JOB_UID not in setting.breaks:
        raise Conflict("it is another Job", status=409)
    return world if job.deleting else put_job(world, changed(job, deleting=True, generation=job.generation + 1))


def ask_pod(world: World, uid: str, *, grace: int) -> World:
    """Delete a pod with that grace period. Raises `Missing`."""
    pod = world.pod(uid)
    if pod is None:
        raise Missing("the pod is gone", status=404)
    after = delete_pod(pod, now=world.now, grace=grace)
    return world if after == pod else put_pod(world, uid, after)


def free_pod(world: World, uid: str) -> World:
    """Take the tracking finalizer off a pod; nothing happens if it is gone."""
    pod = world.pod(uid)
    if pod is None or not pod.tracked:
        return world
    return put_pod(world, uid, drop_finalizer(pod))


def put_job_status(world: World, job: SimJob, version: int) -> World:
    """The Job controller's update of a status, over that version."""
    old = next((found for found in world.jobs if found.uid == job.uid), None)
    if old is None:
        raise Missing("the Job is gone", status=404)
    if old.version != version:
        raise Conflict("the Job has been changed", status=409)
    new = changed(job, version=old.version, generation=old.generation, suspend=old.suspend, deleting=old.deleting)
    words = job_status_refused(old, new)
    if words:
        raise Refused(words, status=422)
    return put_job(world, new)


def claim(world: World, setting: Setting, process: SimProcess) -> World:
    """A worker's claim: the first writes of its epoch. Raises `Refused` or `Missing`."""
    task = _task_for(world, process)
    breaks, attempt = setting.breaks, task.ours.status.attempt
    if process.attempt != attempt and Break.ANY_ATTEMPT not in breaks:
        raise Refused("it is not a pod of the current attempt", status=403)
    if task.desired is not DesiredState.RUN and Break.ANY_CLAIM not in breaks:
        raise Refused("a claim must wait until spec.desiredState is Run", status=422)
    old = task.checkpoint
    made = SimCheckpoint(
        epoch=1 if old is None else old.epoch + 1,
        holder=process.pod,
        attempt=attempt,
        sequence=0 if old is None else old.sequence,
        cause=CheckpointCause.CLAIM,
        time=world.now,
        data="" if old is None else old.data,
    )
    return put_task(world, changed(task, checkpoint=made))


def save(world: World, setting: Setting, process: SimProcess, cause: CheckpointCause, done: int) -> World:
    """A worker's save, with the sequence after its own. Raises `Refused` for a fenced one, or `Missing`."""
    task = _task_for(world, process)
    old = task.checkpoint
    mine = old is not None and (old.epoch, old.holder) == (process.epoch, process.pod)
    if old is None or (not mine and Break.ANY_EPOCH not in setting.breaks):
        raise Refused("a save must keep epoch, holder and attempt", status=422)
    if process.attempt != task.ours.status.attempt and not setting.breaks & {Break.ANY_ATTEMPT, Break.ANY_EPOCH}:
        raise Refused("it is not a pod of the current attempt", status=403)
    sequence = process.sequence + 1
    if sequence <= old.sequence and Break.ANY_EPOCH not in setting.breaks:
        raise Refused("a save must have a greater sequence", status=422)
    made = changed(old, holder=process.pod, sequence=sequence, cause=cause, time=world.now, data=str(done))
    return put_task(world, changed(task, checkpoint=made))


def _task_for(world: World, process: SimProcess) -> SimTask:
    """What the admission policy and the patch's own test ask of every write of a worker."""
    task = world.task(process.task_uid)
    if task is None:
        raise Missing("the task is gone", status=404)
    if process.token_dead:
        raise Refused("the token is not valid any more", status=401)
    if task.ours.status.state in FINAL_STATES:
        raise Refused("the task is final", status=403)
    return task
