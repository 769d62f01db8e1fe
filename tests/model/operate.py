"""The operator's shell, imitated: look at one task, decide with the real `reconcile`, carry out one action at a time.

It follows longtask.shell: cycle.py (questions, refusals, when to look again), execute.py (preconditions, live reads,
what an error means, unanswered writes), cluster.py and mirror.py (what answers put into the copies), patch.py (by way
of the server). It must not know what the world does meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from longtask.api.longtask import DesiredState
from longtask.api.names import Reason
from longtask.core import census
from longtask.core.actions import (
    CreateCleanup,
    CreateJob,
    DeleteClaim,
    DeleteJob,
    DeletePod,
    DeleteTask,
    Question,
    SetFinalizer,
    SetJobSuspended,
    WriteStatus,
)
from longtask.core.observed import Trouble
from longtask.shell.errors import ApiError, Conflict, Outdated, Refused
from tests.model.commit import commit
from tests.model.objects import changed
from tests.model.seen import now_of, observed, seen_pod
from tests.model.world import NODE, Break, Fault, Flight, SimOperator, with_operator

if TYPE_CHECKING:
    from datetime import datetime

    from longtask.core.actions import Action, Plan
    from longtask.core.observed import Census
    from tests.model.objects import SimCleanup, SimJob, SimPod, SimTask
    from tests.model.world import Decide, Setting, World

T = TypeVar("T", "SimTask", "SimJob", "SimPod")

_JOB_ACTIONS = (CreateJob, SetJobSuspended, DeleteJob)


def look(world: World, setting: Setting, number: int, uid: str) -> tuple[World, bool]:
    """One look at one task: the world with a plan in flight, and whether that plan rests on a live answer."""
    operator = world.operators[number]
    task = _of(operator.tasks, uid)
    if task is None:
        return with_operator(world, number, _asleep(operator, uid)), False
    if Break.NO_LOOK_AGAIN not in setting.breaks:
        operator = _look_again(world, operator, uid)
    plan, live, operator = _decide(world, setting, operator, task)
    if plan.actions:
        operator = changed(operator, flight=Flight(task=task, actions=plan.actions))
    elif plan.wake_at is None:
        operator = _asleep(operator, uid)
    return with_operator(world, number, operator), live


def act(world: World, setting: Setting, number: int, fault: Fault | None = None) -> World:
    """Carry out the next action of the plan in flight; a fault tells what becomes of the request."""
    operator = world.operators[number]
    flight = operator.flight
    if flight is None:
        message = "there is no plan in flight"
        raise ValueError(message)
    task, action = flight.task, flight.actions[0]
    try:
        if not flight.confirmed or isinstance(action, CreateJob):
            world = _read_task_first(world, setting, number, task, action)
        if fault is not None:
            return _unanswered(world, setting, number, fault)
        world, refusal = _request(world, setting, task, action)
        world = _forget_census(world, number, task.uid)
    except (ApiError, Outdated) as error:
        return _given_up(_learn(world, number, action, task, error), number)
    if Break.NO_OWN_WRITES not in setting.breaks:
        world = _learn(world, number, action, task, None)
    if refusal is not None:
        return _refused(world, setting, number, task, refusal)
    rest = flight.actions[1:]
    confirmed = isinstance(action, WriteStatus) and action.status.state is not task.ours.status.state
    left = changed(flight, actions=rest, confirmed=confirmed) if rest else None
    return with_operator(world, number, changed(world.operators[number], flight=left))


def _request(world: World, setting: Setting, task: SimTask, action: Action) -> tuple[World, Trouble | None]:
    """Send the request, and look what it means if it meets something else than was expected."""
    try:
        return commit(world, setting, task, action), None
    except Conflict:
        return world, _after_conflict(world, setting, task, action)


def crash(world: World, number: int) -> World:
    """The operator dies; another one starts, lists everything and looks at every task."""
    fresh = SimOperator(
        tasks=world.tasks, jobs=world.jobs, pods=world.pods, awake=tuple(task.uid for task in world.tasks)
    )
    return with_operator(world, number, fresh)


def awake(operator: SimOperator, uid: str) -> SimOperator:
    """Put a task into the queue."""
    known = uid in operator.awake or _of(operator.tasks, uid) is None
    return operator if known else changed(operator, awake=tuple(sorted((*operator.awake, uid))))


def _asleep(operator: SimOperator, uid: str) -> SimOperator:
    return changed(operator, awake=tuple(other for other in operator.awake if other != uid))


def _of(copies: tuple[T, ...], uid: str) -> T | None:
    return next((copy for copy in copies if copy.uid == uid), None)


def _jobs(setting: Setting, operator: SimOperator, task: SimTask) -> tuple[SimJob, ...]:
    """The Jobs that a decision on that task sees."""
    if Break.OTHERS_JOBS in setting.breaks:
        return tuple([job if job.owner else changed(job, owner=task.uid) for job in operator.jobs])
    return tuple([job for job in operator.jobs if job.owner == task.uid])


def _look_again(world: World, operator: SimOperator, uid: str) -> SimOperator:
    """Read Jobs whose last write was not answered. One that is gone leaves the copy as it is."""
    mine = [name for task, name in operator.unanswered if task == uid]
    for name in mine:
        job = world.job(name)
        if job is not None:
            operator = changed(operator, jobs=_put(operator.jobs, job))
    left = tuple(pair for pair in operator.unanswered if pair[0] != uid)
    return changed(operator, unanswered=left) if mine else operator


def _decide(world: World, setting: Setting, operator: SimOperator, task: SimTask) -> tuple[Plan, bool, SimOperator]:
    """The plan, whether it rests on live answers, and the operator, which may have counted pods."""
    jobs = _jobs(setting, operator, task)
    pods = tuple([pod for pod in operator.pods if pod.task_uid == task.uid])
    source = operator.pods if Break.STALE_LIST in setting.breaks else world.pods
    live = tuple([pod for pod in source if pod.task_uid == task.uid])
    lost = frozenset((NODE,) if world.node_lost else ())
    copies = (task, jobs, pods, world.cleanups)
    counted = dict(operator.censuses).get(task.uid)
    plan, asked, taken = _decided(setting.decide, copies, counted, now_of(world, setting), (live, lost))
    if taken is not None:
        operator = changed(operator, censuses=_with_census(operator, task.uid, taken))
    return plan, asked, operator


def _with_census(operator: SimOperator, uid: str, taken: Census | None) -> tuple[tuple[str, Census], ...]:
    others = tuple(pair for pair in operator.censuses if pair[0] != uid)
    return others if taken is None else (*others, (uid, taken))


def _forget_census(world: World, number: int, uid: str) -> World:
    """Something was done: whatever the pods were counted for is over."""
    operator = world.operators[number]
    if not operator.censuses:
        return world
    return with_operator(world, number, changed(operator, censuses=_with_census(operator, uid, None)))


@lru_cache(maxsize=200_000)
def _decided(
    decide: Decide,
    copies: tuple[SimTask, tuple[SimJob, ...], tuple[SimPod, ...], tuple[SimCleanup, ...]],
    counted: Census | None,
    now: datetime,
    answers: tuple[tuple[SimPod, ...], frozenset[str]],
) -> tuple[Plan, bool, Census | None]:
    (task, jobs, pods, cleanups), (live, lost) = copies, answers
    seen, asked, taken = replace(observed(task, jobs, pods, now, cleanups), census=counted), False, None
    plan = decide(seen)
    for _ in Question:
        match plan.question:
            case None:
                break
            case Question.LIVE_PODS:
                seen, asked = replace(seen, live_pods=tuple(seen_pod(pod) for pod in live)), True
                taken = census.take(seen)
            case Question.JOB_TROUBLES:
                seen = replace(seen, job_troubles=())
            case Question.LOST_NODES:
                seen, asked = replace(seen, lost_nodes=lost), True
        plan = decide(seen)
    return plan, asked, taken


def _read_task_first(world: World, setting: Setting, number: int, task: SimTask, action: Action) -> World:
    """`_still_wanted`: before anything is started, the task is read live."""
    starts = isinstance(action, CreateJob) or (isinstance(action, SetJobSuspended) and not action.suspend)
    if not starts or Break.NO_LIVE_READ in setting.breaks:
        return world
    live = world.task(task.uid)
    world = _refresh_task(world, number, task.uid)
    if live is None:
        raise Outdated("the task is gone")
    if live.deleting or live.desired is not DesiredState.RUN:
        raise Outdated("the task is not to run any more")
    if live.generation != task.generation or live.ours.status.attempt != task.ours.status.attempt:
        raise Outdated("the task was changed")
    return world


def _after_conflict(world: World, setting: Setting, task: SimTask, action: Action) -> Trouble | None:
    """A Job of that name exists: ours, or one that is left alone. Any other conflict means to look again."""
    if not isinstance(action, CreateJob):
        raise Outdated("the object is not as expected")
    namesake = world.job(action.name)
    if namesake is not None and (namesake.owner == task.uid or Break.OTHERS_JOBS in setting.breaks):
        return None
    message = f"Job {action.name} exists and does not belong to this task: delete it if it is not needed"
    return Trouble(reason=Reason.NAME_TAKEN, message=message, only_a_person_can_help=True)


def _unanswered(world: World, setting: Setting, number: int, fault: Fault) -> World:
    """The request may have been carried out; nothing of it is known here."""
    flight = world.operators[number].flight
    if flight is None:
        return world
    task, action = flight.task, flight.actions[0]
    if fault is Fault.LOST_ANSWER:
        try:
            world = commit(world, setting, task, action)
        except ApiError:
            fault = Fault.LOST_REQUEST  # refused: that answer is lost, too
    elif fault is Fault.LATE_REQUEST:
        world = changed(world, late=(*world.late, Flight(task=task, actions=(action,))))
    operator = world.operators[number]
    if isinstance(action, _JOB_ACTIONS):
        others = tuple(pair for pair in operator.unanswered if pair[0] != task.uid)
        operator = changed(operator, unanswered=(*others, (task.uid, action.name)))
    return with_operator(world, number, awake(changed(operator, flight=None), task.uid))


def _given_up(world: World, number: int) -> World:
    """The rest of the plan is dropped, and the task is looked at again."""
    operator = world.operators[number]
    uid = operator.flight.task.uid if operator.flight else ""
    return with_operator(world, number, awake(changed(operator, flight=None), uid))


def _refused(world: World, setting: Setting, number: int, task: SimTask, refusal: Trouble) -> World:
    """Decide once more, with what was refused, and carry that out."""
    operator = world.operators[number]
    fresh = _of(operator.tasks, task.uid) or task
    seen = observed(fresh, _jobs(setting, operator, fresh), operator.pods, now_of(world, setting), world.cleanups)
    seen = replace(seen, refusal=refusal)
    actions = setting.decide(seen).actions
    flight = Flight(task=fresh, actions=actions) if actions else None
    return with_operator(world, number, changed(operator, flight=flight))


def _learn(world: World, number: int, action: Action, task: SimTask, error: Exception | None) -> World:
    """Put into the copies what the answers to an action showed: the object as it is now, or that it is gone."""
    operator = world.operators[number]
    match action:
        case WriteStatus() | DeleteTask() | SetFinalizer() | DeleteClaim():
            return _refresh_task(world, number, task.uid)
        case CreateCleanup():
            return world
        case CreateJob(name=name) | SetJobSuspended(name=name) | DeleteJob(name=name):
            live = world.job(name)
            if live is not None:
                operator = changed(operator, jobs=_put(operator.jobs, live))
            elif isinstance(action, DeleteJob):
                operator = changed(operator, jobs=tuple(job for job in operator.jobs if job.uid != action.uid))
        case DeletePod(uid=uid):
            pod = world.pod(uid)
            gone = tuple(copy for copy in operator.pods if copy.uid != uid)
            operator = changed(operator, pods=gone if pod is None else _put(operator.pods, pod))
    if isinstance(error, Refused):
        world = _refresh_task(world, number, task.uid)
    return with_operator(world, number, operator)


def _refresh_task(world: World, number: int, uid: str) -> World:
    operator, live = world.operators[number], world.task(uid)
    if live is None:
        return with_operator(world, number, changed(operator, tasks=tuple(t for t in operator.tasks if t.uid != uid)))
    if _of(operator.tasks, uid) is None:
        return world
    return with_operator(world, number, changed(operator, tasks=_put(operator.tasks, live)))


def _put(copies: tuple[T, ...], new: T) -> tuple[T, ...]:
    if any(copy.uid == new.uid for copy in copies):
        return tuple(new if copy.uid == new.uid else copy for copy in copies)
    kept = [copy for copy in copies if copy.name != new.name]
    kept.append(new)
    return tuple(kept)
