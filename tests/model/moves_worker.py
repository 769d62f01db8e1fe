"""Moves of the workers: claim, save, finish, stop, and leave; what the library does, and what other programs do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from longtask.api.longtask import DesiredState
from longtask.api.names import EXIT_NEVER_RETRY, EXIT_SAVED
from longtask.api.status import CheckpointCause
from longtask.shell.errors import Missing, Refused
from tests.model import server
from tests.model.kubelet import KILLED
from tests.model.objects import Program, changed
from tests.model.world import Actor, Harm, tick, with_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.model.objects import SimProcess
    from tests.model.world import Setting, World

Step = tuple[str, Actor, "World"]

FENCED = 1


def worker_moves(world: World, setting: Setting) -> Iterator[Step]:
    """What each process that runs may do next."""
    for process in world.processes:
        if process.exit_code is None:
            yield from _STEPS[process.program](world, setting, process)
            yield from _harm(world, setting, process)


def _library(world: World, setting: Setting, process: SimProcess) -> Iterator[Step]:
    """longtask.worker: claim, save after every batch, and save once more at the end or when it is told to stop."""
    name = process.pod
    if process.epoch == 0:
        if process.told:
            yield f"{name} was told to stop before it had claimed, and leaves", Actor.WORKER, leave(world, process, 75)
            return
        yield _claim(world, setting, process)
    elif process.done >= setting.work:
        yield _save(world, setting, process, CheckpointCause.DONE, 0)
        if world.harms and Harm.KILL in setting.harms:
            says, actor, after = _save(world, setting, process, CheckpointCause.DONE, KILLED)
            yield f"{says}, and is killed before it leaves", actor, changed(after, harms=after.harms - 1)
    elif process.told:
        yield _save(world, setting, process, CheckpointCause.STOP, EXIT_SAVED)
    else:
        if setting.waits:
            yield from _asked(world, setting, process)
        if not process.parked:
            yield _save(world, setting, process, CheckpointCause.INTERVAL, None)


def _asked(world: World, setting: Setting, process: SimProcess) -> Iterator[Step]:
    """longtask.worker.parking: a worker that finds its task to be suspended saves and waits; to be run, goes on."""
    task = world.task(process.task_uid)
    wanted = None if task is None else task.desired
    parks = {False: (DesiredState.SUSPEND, CheckpointCause.STOP), True: (DesiredState.RUN, CheckpointCause.INTERVAL)}
    when, cause = parks[process.parked]
    if wanted is when:
        says, actor, after = _save(world, setting, process, cause, None, batches=0)
        left = after.process(process.pod)
        if left is not None and left.exit_code is None:
            after = with_process(after, changed(left, parked=not process.parked))
        yield f"{says}, and {'goes on' if process.parked else 'waits'}", actor, after


def _claim(world: World, setting: Setting, process: SimProcess) -> Step:
    world = tick(world, setting)
    task = world.task(process.task_uid)
    if task is not None and task.checkpoint is not None and task.checkpoint.cause is CheckpointCause.DONE:
        return f"{process.pod} finds the work done, and leaves", Actor.WORKER, leave(world, process, 0)
    try:
        after = server.claim(world, setting, process)
    except Missing:
        return _task_gone(world, process)
    except Refused as refused:
        return f"{process.pod} may not claim: {refused.message}", Actor.WORKER, world
    made = after.task(process.task_uid)
    if made is None or made.checkpoint is None:
        message = "a claim leaves a checkpoint"
        raise ValueError(message)
    saved = made.checkpoint
    over = process.start_over is not None and saved.sequence <= process.start_over
    mine = changed(process, epoch=saved.epoch, sequence=saved.sequence, done=0 if over else saved.done)
    return f"{process.pod} claims epoch {saved.epoch}", Actor.WORKER, with_process(after, mine)


def _save(
    world: World,
    setting: Setting,
    process: SimProcess,
    cause: CheckpointCause,
    then: int | None,
    *,
    batches: int = 1,
) -> Step:
    """Save, and leave with the code `then` if it is the last. `batches`: how many lie before a regular save."""
    world = tick(world, setting)
    done = process.done + (batches if cause is CheckpointCause.INTERVAL else 0)
    says = f"{process.pod} saves {cause}, {done} of {setting.work} batches done"
    try:
        after = server.save(world, setting, process, cause, done)
    except Missing:
        return _task_gone(world, process)
    except Refused as refused:
        return f"{process.pod} can't save: {refused.message}", Actor.WORKER, leave(world, process, FENCED)
    saved = changed(process, sequence=process.sequence + 1, done=done, said_done=cause is CheckpointCause.DONE)
    if saved.said_done:
        after = changed(after, truth=changed(after.truth, done=True))
    after = with_process(after, saved)
    if then is None:
        return says, Actor.WORKER, after
    return f"{says}, and leaves with {then}", Actor.WORKER, leave(after, saved, then)


def _task_gone(world: World, process: SimProcess) -> Step:
    code = EXIT_SAVED if process.told else EXIT_NEVER_RETRY
    return f"{process.pod} finds its task gone, and leaves with {code}", Actor.WORKER, leave(world, process, code)


def _plain(world: World, setting: Setting, process: SimProcess) -> Iterator[Step]:
    """A program without checkpoints: it works to its end, or stops when it is told to."""
    if process.told:
        for code in setting.exits_on_term:
            yield f"{process.pod} stops with {code}", Actor.WORKER, leave(world, process, code)
        return
    after = leave(world, process, 0)
    if _is_present(world, process):
        after = changed(after, truth=changed(after.truth, done=True))
    yield f"{process.pod} has done its work and leaves with 0", Actor.WORKER, after


def _filed(world: World, setting: Setting, process: SimProcess) -> Iterator[Step]:
    """A program whose file is saved for it: the claim comes before its start, and the last save after its end.

    longtask.worker.sidecar: what it has written last is saved whatever it ends with; `Stop` says that the task is to be
    suspended. Where that save is refused, the program has ended all the same.
    """
    name = process.pod
    if process.epoch == 0:
        if process.told:
            yield f"{name} was told to stop before it had claimed, and leaves", Actor.WORKER, leave(world, process, 75)
            return
        yield _claim(world, setting, process)
        return
    if process.told:
        for code in setting.exits_on_term:
            yield f"{name} stops with {code}", Actor.WORKER, leave(_saved_last(world, setting, process), process, code)
    elif process.done < setting.work:
        yield _save(world, setting, process, CheckpointCause.INTERVAL, None)
    else:
        after = leave(_saved_last(world, setting, process), process, 0)
        if _is_present(world, process):
            after = changed(after, truth=changed(after.truth, done=True))
        yield f"{name} has done its work and leaves with 0", Actor.WORKER, after


def _saved_last(world: World, setting: Setting, process: SimProcess) -> World:
    task = world.task(process.task_uid)
    if task is None or task.desired is not DesiredState.SUSPEND:
        return world
    world = tick(world, setting)
    try:
        return server.save(world, setting, process, CheckpointCause.STOP, process.done)
    except (Missing, Refused):
        return world


def _harm(world: World, setting: Setting, process: SimProcess) -> Iterator[Step]:
    """What goes wrong in a container, as long as that is granted."""
    if not world.harms:
        return
    less = changed(world, harms=world.harms - 1)
    has_another_word = process.epoch > 0 and process.program is Program.LIBRARY  # what others say with 0 is true
    codes = (
        (Harm.CRASH, 1, not process.said_done),
        (Harm.NEVER, EXIT_NEVER_RETRY, not process.told),
        (Harm.KILL, KILLED, not process.told),
        (Harm.DEAF, KILLED, process.told),
        (Harm.FALSE_ZERO, 0, has_another_word and not process.told and process.done < setting.work),
    )
    for harm, code, fits in codes:
        if fits and harm in setting.harms:
            yield f"{process.pod}: {harm}", Actor.WORKER, leave(less, process, code, by_itself=True)


def leave(world: World, process: SimProcess, code: int, *, by_itself: bool = False) -> World:
    """The process ends. What really happened is noted: a failure is one that its Job may count."""
    world = with_process(world, changed(process, exit_code=code))
    pod = world.pod(process.pod)
    failed = code not in (0, EXIT_SAVED) or by_itself
    counts = pod is not None and not pod.disrupted and (pod.tracked or not process.told)
    if not failed or not counts or not _is_present(world, process):
        return world
    truth = world.truth
    never = truth.never or (code == EXIT_NEVER_RETRY and not process.told)
    return changed(world, truth=changed(truth, failures=truth.failures + 1, never=never))


def _is_present(world: World, process: SimProcess) -> bool:
    return world.task(process.task_uid) is not None


_STEPS: Final[Mapping[Program, Callable[[World, Setting, SimProcess], Iterator[Step]]]] = {
    Program.LIBRARY: _library,
    Program.PLAIN: _plain,
    Program.FILED: _filed,
}
