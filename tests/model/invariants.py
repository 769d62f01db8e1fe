"""What must hold of every step of the world, each under the name of the guarantee that it stands for.

An invariant sees the world before and after one move, and what really happened; it gives words where it is broken. It
must not know how the operator decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from longtask.api.longtask import DesiredState
from longtask.api.names import ConditionType, Reason
from longtask.api.status import State
from longtask.core.conditions import reason_of
from tests.model.objects import changed
from tests.model.world import Actor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.model.moves import Move
    from tests.model.objects import SimPod, SimTask
    from tests.model.world import Setting, World

Invariant = Callable[["World", "Move", "Setting"], str]


_OTHER_ENDS: Final = (Reason.NO_PROGRESS, Reason.DEADLINE_EXCEEDED, Reason.PROGRESS_DEADLINE_EXCEEDED)


def one_writer_is_accepted(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """G3: whoever saves has made the last claim, and every claim fences the one before."""
    for old, new in _checkpoints(before, move.after):
        was, now = old.checkpoint, new.checkpoint
        if was is None or now is None or now == was or now.epoch != was.epoch:
            continue
        if now.holder != was.holder:
            return f"{now.holder} saved over the claim of {was.holder}"
    return ""


def no_claim_while_it_is_to_stand_still(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """G2, G4: a claim is accepted only while `Run` is desired."""
    for old, new in _checkpoints(before, move.after):
        claimed = (old.checkpoint.epoch if old.checkpoint else 0) != (new.checkpoint.epoch if new.checkpoint else 0)
        if claimed and old.desired is not DesiredState.RUN:
            return f"claimed while {old.desired} is desired"
    return ""


def a_checkpoint_never_goes_back(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """G1: an acknowledged save is never lost; only `Terminated` empties it."""
    for old, new in _checkpoints(before, move.after):
        was, now = old.checkpoint, new.checkpoint
        if was is None:
            continue
        if now is None:
            return "the checkpoint was removed"
        if now.epoch < was.epoch or now.sequence < was.sequence:
            return f"from epoch {was.epoch}, sequence {was.sequence} back to {now.epoch}, {now.sequence}"
        over = new.ours.status.start_over_sequence
        if over is not None and was.sequence <= over:
            continue  # its user gives up what was saved
        if now.done < was.done and new.ours.status.state is not State.TERMINATED:
            return f"{was.done} batches were saved, and now {now.done}"
    return ""


def what_others_own_is_not_touched(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """A Job of our name that is somebody else's stays as it is."""
    if move.actor is not Actor.OPERATOR:
        return ""
    after = {changed(job, version=0) for job in move.after.jobs}  # versions are ranks, and may be others by now
    for job in before.jobs:
        if job.owner is None and changed(job, version=0) not in after:
            return f"{job.name} of somebody else was changed"
    return ""


def success_is_never_false(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """G5: `Complete` only when the work is done."""
    for old, new in _entered(before, move.after, State.COMPLETE):
        if not move.after.truth.done:
            return f"{old.ours!r} became {new.ours!r}, and the work is not done"
    return ""


def failure_is_never_false(before: World, move: Move, setting: Setting) -> str:
    """G6: `Failed` only when workers failed by themselves more often than the limit, or said never to retry."""
    truth = move.after.truth
    for _, new in _entered(before, move.after, State.FAILED):
        said = reason_of(new.ours.status.conditions, ConditionType.FAILED)
        stood_still = setting.progress_deadline is not None  # that is a failure which no worker knows of
        if truth.failures <= new.backoff_limit and not (truth.never or stood_still or said in _OTHER_ENDS):
            return f"{truth.failures} failures of {new.backoff_limit + 1}, and yet {new.ours!r}"
    return ""


def only_failures_use_retries(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """G6: no more failures are counted than there were. One that made no progress in time is a failure, too."""
    if setting.progress_deadline is not None:
        return ""
    for task in move.after.tasks:
        counted = task.ours.status.failures or 0
        if counted > move.after.truth.failures:
            return f"{counted} failures are counted, and there were {move.after.truth.failures}"
    return ""


def suspended_is_true(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """G2: `Suspended` of the present generation means that no pod is active, unless somebody meddled since."""
    after = move.after
    for task in after.tasks:
        status = task.ours.status
        if status.state is State.SUSPENDED and status.observed_generation == task.generation and not task.deleting:
            active = [pod.name for pod in pods_of(after, task) if not pod.final]
            if active and not after.truth.meddled:
                return f"it says Suspended, and active are {', '.join(active)}"
    return ""


def suspended_as_desired(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """`Suspended` is entered only when that is desired."""
    for old, _ in _entered(before, move.after, State.SUSPENDED):
        if old.desired is not DesiredState.SUSPEND:
            return f"Suspended was written while {old.desired} is desired"
    return ""


def terminated_is_final_and_leaves_nothing(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """G4: no Job, no pod, no saved data; and it stays so."""
    after = move.after
    for task in before.tasks:
        now = after.task(task.uid)
        if (
            now is not None
            and task.ours.status.state is State.TERMINATED
            and now.ours.status.state is not State.TERMINATED
        ):
            return "Terminated was left"
    for task in after.tasks:
        if task.ours.status.state is not State.TERMINATED or after.truth.meddled:
            continue
        jobs = [job.name for job in after.jobs if job.owner == task.uid]
        pods = [pod.name for pod in pods_of(after, task)]
        if jobs or pods or (task.checkpoint is not None and task.checkpoint.data):
            return f"Terminated, and left are {jobs} {pods} {task.checkpoint}"
    return ""


def an_answer_is_to_the_spec_it_has_seen(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """`observedGeneration` never claims a spec that was not decided on."""
    if move.actor is not Actor.OPERATOR:
        return ""
    for old in before.tasks:
        new = move.after.task(old.uid)
        if new is None or new.ours is old.ours:
            continue
        if new.ours.status.observed_generation > new.generation:
            return f"generation {new.ours.status.observed_generation} of {new.generation} was observed"
        if not _decided_on_present_spec(before, old):
            return f"a decision on an older spec was written: {new.ours!r}"
    return ""


def nothing_is_started_against_the_wish(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """G2, G4: no Job is created or resumed for a task that is to stand still, or is gone.

    A plan whose status has just been written is confirmed by that answer, and looks no more.
    """
    if move.actor is not Actor.OPERATOR or any(op.flight and op.flight.confirmed for op in before.operators):
        return ""
    active = {job.uid for job in before.jobs if not job.suspend}
    for job in move.after.jobs:
        task = None if job.owner is None else before.task(job.owner)
        to_run = task is not None and task.desired is DesiredState.RUN
        if job.owner is not None and not job.suspend and job.uid not in active and not to_run:
            return f"{job.name} was started, and desired is {task.desired if task else 'nothing: it is gone'}"
    return ""


def nothing_is_thrown_away_before_it_was_cleaned_up(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """A task with a clean-up ends, or goes, only after that; but for one that had not got its finalizer yet."""
    for old in before.tasks:
        new = move.after.task(old.uid)
        ended = new is None or (
            new.ours.status.state is State.TERMINATED and old.ours.status.state is not State.TERMINATED
        )
        over = old.ours.status.state is State.TERMINATED
        if ended and old.has_cleanup and old.has_finalizer and not over and not move.after.truth.cleaned:
            return f"{old!r} was not cleaned up"
    return ""


def attempts_only_rise(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """G3: an attempt's number never goes back, or the pods of an earlier one could write again."""
    for old in before.tasks:
        new = move.after.task(old.uid)
        if new is not None and new.ours.status.attempt < old.ours.status.attempt:
            return f"from attempt {old.ours.status.attempt} to {new.ours.status.attempt}"
    return ""


def workers_do_not_run_side_by_side(before: World, move: Move, setting: Setting) -> str:  # noqa: ARG001
    """One worker at a time, unless a node was lost, a pod deleted by force, or somebody made a pod or deleted a Job."""
    after = move.after
    if after.truth.meddled or after.truth.fenced:
        return ""
    for task in after.tasks:
        running = [p.pod for p in after.processes if p.task_uid == task.uid and p.exit_code is None]
        running = [pod for pod in running if pod not in after.truth.ghosts]
        if len(running) > 1:
            return f"{' and '.join(running)} run at once"
    return ""


SAFETY: Final[tuple[Invariant, ...]] = (
    one_writer_is_accepted,
    no_claim_while_it_is_to_stand_still,
    a_checkpoint_never_goes_back,
    what_others_own_is_not_touched,
    success_is_never_false,
    failure_is_never_false,
    only_failures_use_retries,
    suspended_is_true,
    suspended_as_desired,
    terminated_is_final_and_leaves_nothing,
    an_answer_is_to_the_spec_it_has_seen,
    nothing_is_started_against_the_wish,
    nothing_is_thrown_away_before_it_was_cleaned_up,
    attempts_only_rise,
    workers_do_not_run_side_by_side,
)


def broken(before: World, move: Move, setting: Setting) -> str:
    """The first invariant that a move breaks, with words; empty if none."""
    for invariant in SAFETY:
        words = invariant(before, move, setting)
        if words:
            return f"{invariant.__name__}: {words}"
    return ""


def _checkpoints(before: World, after: World) -> Iterator[tuple[SimTask, SimTask]]:
    """Tasks that are in both worlds with another checkpoint."""
    for old in before.tasks:
        new = after.task(old.uid)
        if new is not None and new.checkpoint != old.checkpoint:
            yield old, new


def _entered(before: World, after: World, state: State) -> Iterator[tuple[SimTask, SimTask]]:
    """Tasks that are in that state only since the move."""
    for old in before.tasks:
        new = after.task(old.uid)
        if new is not None and new.ours.status.state is state and old.ours.status.state is not state:
            yield old, new


def pods_of(world: World, task: SimTask) -> list[SimPod]:
    """The pods of a task, but for those that came of a deletion that the Job controller had not heard of."""
    return [pod for pod in world.pods if pod.task_uid == task.uid and pod.uid not in world.truth.ghosts]


def _decided_on_present_spec(before: World, task: SimTask) -> bool:
    """Whether an operator that took part had decided on the spec as it is: copies and flights hold what it knew."""
    for was in before.operators:
        known = was.flight.task if was.flight is not None else next((t for t in was.tasks if t.uid == task.uid), None)
        if known is not None and known.generation == task.generation:
            return True
    return False
