"""The clean-up at a task's end: run once, when no worker is left, before what it needs is thrown away.

It is bounded: one that fails for ever is given up and told of. A finalizer keeps a deleted task until then, and is
there only as long as there is something to wait for. It must not know what is cleaned up, nor how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.api.names import ConditionType, Reason
from longtask.api.status import State
from longtask.core.actions import Action, CreateCleanup, DeleteJob, Outcome, Plan, SetFinalizer, WriteStatus
from longtask.core.attempts import REFUSAL_INTERVAL
from longtask.core.conditions import Claim
from longtask.core.lost import must_release, release
from longtask.core.observed import JobOutcome
from longtask.core.status import blocked, noted
from longtask.core.stop import make_bare

if TYPE_CHECKING:
    from longtask.core.observed import Observed


# --- The finalizer ---


def finalizer_is_amiss(o: Observed) -> bool:
    """Whether the finalizer is missing, or is there for nothing. A task that is being deleted can get none any more."""
    needed = o.task.has_cleanup and o.task.status.state is not State.TERMINATED
    return needed != o.task.has_finalizer and not o.task.deleting


def mend_finalizer(o: Observed) -> Plan:
    """Set or remove it: before anything is started that would have to be cleaned up."""
    return Plan(outcome=Outcome.RECORD, actions=(SetFinalizer(present=not o.task.has_finalizer),))


def is_deleted_with_cleanup(o: Observed) -> bool:
    """Whether the task is being deleted, and our finalizer keeps it."""
    return o.task.deleting and o.task.has_finalizer


def let_go(o: Observed) -> Plan:
    """Stop all work, clean up, and remove the finalizer: the garbage collector takes the rest.

    Without a clean-up (somebody has taken it out of the spec, which is the way out) the finalizer goes at once. So it
    does in a namespace that is being deleted, where nothing can be created any more.
    """
    ended = o.task.status.state is State.TERMINATED
    if ended or not o.task.has_cleanup or (o.refusal is not None and o.refusal.reason == Reason.NAMESPACE_TERMINATING):
        return Plan(outcome=Outcome.RELEASE_TASK, actions=(*_remove_job(o), SetFinalizer(present=False)))
    if o.refusal is not None:
        record = WriteStatus(status=blocked(o, o.refusal))
        return Plan(outcome=Outcome.STALLED, actions=(record,), wake_at=o.now + REFUSAL_INTERVAL)
    if must_release(o):
        return release(o)
    return make_bare(o) or clean_up(o) or _release_task(o)


def _release_task(o: Observed) -> Plan:
    record = WriteStatus(status=noted(o, *cleaned_up(o)))
    return Plan(outcome=Outcome.RELEASE_TASK, actions=(record, *_remove_job(o), SetFinalizer(present=False)))


# --- The clean-up ---


def clean_up(o: Observed) -> Plan | None:
    """Create its Job and wait for the end of it. None: there is nothing (more) to wait for.

    Called when a live list has shown that nothing else of the task is at work.
    """
    if not o.task.has_cleanup:
        return None
    job = o.cleanup_job
    if job is not None and job.outcome in (JobOutcome.COMPLETE, JobOutcome.FAILED):
        return None
    message = "the clean-up runs: kubectl logs job/" + o.task.cleanup_job_name
    ready = Claim(type=ConditionType.READY, status=False, reason=Reason.CLEANING_UP, message=message, always=True)
    stalled = Claim(type=ConditionType.STALLED, status=False, reason=Reason.AS_DESIRED)
    record = WriteStatus(status=noted(o, ready, stalled))
    create: tuple[Action, ...] = () if job is not None else (CreateCleanup(name=o.task.cleanup_job_name),)
    return Plan(outcome=Outcome.CLEAN_UP, actions=(record, *create))


def cleaned_up(o: Observed) -> tuple[Claim, ...]:
    """What the condition says at the end; nothing where there was no clean-up."""
    job = o.cleanup_job
    if not o.task.has_cleanup or job is None:
        return ()
    if job.outcome is JobOutcome.COMPLETE:
        return (Claim(type=ConditionType.CLEANED_UP, status=True, reason=Reason.CLEANED_UP),)
    message = f"the clean-up was given up, what it should have removed may still be there: {job.outcome_message}"
    claim = Claim(
        type=ConditionType.CLEANED_UP, status=False, reason=Reason.CLEANUP_FAILED, message=message, always=True
    )
    return (claim,)


def _remove_job(o: Observed) -> tuple[Action, ...]:
    job = o.cleanup_job
    return () if job is None or job.deleting else (DeleteJob(name=job.name, uid=job.uid),)


def after_the_end(o: Observed) -> tuple[Action, ...]:
    """What goes with the record of the end, or after it: the Job of the clean-up, and the finalizer."""
    finalizer = (SetFinalizer(present=False),) if o.task.has_finalizer else ()
    return (*_remove_job(o), *finalizer)
