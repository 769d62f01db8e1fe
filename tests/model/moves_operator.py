"""Moves of the operators and of the network between them and the API server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from longtask.api.status import CheckpointCause
from longtask.shell.errors import ApiError
from tests.model.commit import commit
from tests.model.objects import Ours, changed
from tests.model.operate import act, awake, crash, look
from tests.model.world import Actor, Fault, same, with_operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from longtask.core.actions import Action
    from tests.model.objects import SimTask
    from tests.model.world import Setting, SimOperator, World

Step = tuple[str, Actor, "World"]

_QUIET = (CheckpointCause.CLAIM, CheckpointCause.INTERVAL)


def operator_moves(world: World, setting: Setting) -> Iterator[Step]:
    """Look, act, hear of changes; die or lose a request, as long as that is granted; late requests arrive."""
    for number, operator in enumerate(world.operators):
        name = "the operator" if len(world.operators) == 1 else f"operator {number + 1}"
        if operator.flight is not None:
            yield from _act(world, setting, number, name)
        else:
            for uid in operator.awake:
                yield from _look(world, setting, number, uid, name)
        yield from _deliveries(world, number, name)
        if world.faults and Fault.CRASH in setting.faults:
            yield f"{name} dies and starts anew", Actor.NETWORK, crash(_one_fault_less(world), number)
    for flight in world.late:
        yield _arrive(world, setting, flight)


def deliver(operator: SimOperator, world: World, kind: str) -> SimOperator:
    """A watch brings the operator up to date with one kind of object, and wakes it for what has changed."""
    match kind:
        case "tasks":
            news = [new.uid for new in world.tasks if _worth_a_look(_known(operator, new.uid), new)]
            operator = changed(operator, tasks=world.tasks)
        case "Jobs":
            news = [job.owner or "" for job in {*world.jobs} ^ {*operator.jobs}]
            operator = changed(operator, jobs=world.jobs)
        case _:
            news = [pod.task_uid for pod in {*world.pods} ^ {*operator.pods}]
            operator = changed(operator, pods=world.pods)
    for uid in news:
        operator = awake(operator, uid)
    known = {task.uid for task in operator.tasks}
    return changed(operator, awake=tuple(uid for uid in operator.awake if uid in known))


def kinds(world: World, operator: SimOperator) -> tuple[tuple[str, tuple[object, ...], tuple[object, ...]], ...]:
    """What an operator follows: the kind, what is stored, and its copies."""
    return (
        ("tasks", world.tasks, operator.tasks),
        ("Jobs", world.jobs, operator.jobs),
        ("pods", world.pods, operator.pods),
    )


def _known(operator: SimOperator, uid: str) -> SimTask | None:
    return next((task for task in operator.tasks if task.uid == uid), None)


def _worth_a_look(old: SimTask | None, new: SimTask) -> bool:
    """`_only_the_worker_wrote` in longtask.shell.tasks: claims and regular saves decide nothing."""
    if old is None:
        return True
    loud = new.checkpoint is not None and new.checkpoint.cause not in _QUIET and new.checkpoint != old.checkpoint
    return loud or changed(old, version=0, checkpoint=None) != changed(new, version=0, checkpoint=None)


def _deliveries(world: World, number: int, name: str) -> Iterator[Step]:
    operator = world.operators[number]
    for kind, stored, copies in kinds(world, operator):
        if not same(stored, copies):
            after = with_operator(world, number, deliver(operator, world, kind))
            yield f"{name} hears of the {kind}", Actor.NETWORK, after


def _look(world: World, setting: Setting, number: int, uid: str, name: str) -> Iterator[Step]:
    """Look, and take the first action at once unless it rests on a live answer.

    Nothing is lost by that: what happens between a look at copies and the action might as well have happened before
    the look, without the copies knowing yet.
    """
    looked, live = look(world, setting, number, uid)
    if looked.operators[number].flight is None:
        yield f"{name} looks and has nothing to do", Actor.OPERATOR, looked
    elif live:
        yield f"{name} looks, with live answers, and plans: {planned(looked, number)}", Actor.OPERATOR, looked
    else:
        yield from _act(looked, setting, number, f"{name} looks and")


def _act(world: World, setting: Setting, number: int, name: str) -> Iterator[Step]:
    does = planned(world, number)
    yield f"{name} does {does}", Actor.OPERATOR, act(world, setting, number)
    if not world.faults:
        return
    for fault in setting.faults:
        if fault is not Fault.CRASH:
            after = act(_one_fault_less(world), setting, number, fault)
            yield f"{name} tries {does}: {fault}", Actor.OPERATOR, after


def _arrive(world: World, setting: Setting, flight: object) -> Step:
    index = next(i for i, late in enumerate(world.late) if late is flight)
    late = world.late[index]
    rest = changed(world, late=(*world.late[:index], *world.late[index + 1 :]))
    rest = changed(rest, truth=changed(rest.truth, meddled=True))
    with contextlib.suppress(ApiError):  # refused, and nobody hears of it
        rest = commit(rest, setting, late.task, late.actions[0])
    return f"a request of long ago arrives: {words(late.actions[0])}", Actor.NETWORK, rest


def planned(world: World, number: int) -> str:
    """The plan in flight, in words."""
    flight = world.operators[number].flight
    return "nothing" if flight is None else ", then ".join(words(action) for action in flight.actions)


def words(action: Action) -> str:
    """An action, short enough for a counterexample."""
    name = type(action).__name__
    status = getattr(action, "status", None)
    if status is not None:
        return f"{name} {Ours.of(status)!r}"
    rest = {key: getattr(action, key) for key in ("name", "suspend", "force") if hasattr(action, key)}
    return f"{name} {rest}"


def _one_fault_less(world: World) -> World:
    return changed(world, faults=world.faults - 1)
