"""Where the current attempt's Job stands, as one word. The decision's table is read by (desired state, situation)."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

from longtask.core.observed import JobOutcome, Observed, ObservedJob

if TYPE_CHECKING:
    from typing import Self


@unique
class Situation(StrEnum):
    """Every situation a Job can be in, as far as the decision cares; `told_by` says how it is recognised."""

    told_by: str

    NO_JOB = "no Job", "there is no Job of the current attempt: none yet, or it is gone"
    LEAVING = "Job is being deleted", "the Job has a `deletionTimestamp`, and is not `Complete`"
    ACTIVE = "Job is active", "`spec.suspend` is not set"
    STOPPING = "Job is being suspended", "`spec.suspend` is set, and `Suspended` is not `True` yet"
    DRAINING = (
        "Job is suspended, pods are ending",
        "`spec.suspend` is set, `Suspended` is `True` or the Job can't finish, and a pod is active",
    )
    STOPPED = (
        "Job is suspended, no pod active",
        "`spec.suspend` is set, `Suspended` is `True` or the Job can't finish, and no pod is active",
    )
    ENDING = (
        "Job is about to finish",
        "the Job has the condition `SuccessCriteriaMet` or `FailureTarget`, and a start time or no `spec.suspend`",
    )
    COMPLETE = "Job is complete", "the Job has the condition `Complete`"
    FAILED = "Job has failed", "the Job has the condition `Failed`"

    def __new__(cls, word: str, told_by: str) -> Self:
        """Make a string that knows how its situation is recognised."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.told_by = told_by
        return member


def situation(o: Observed) -> Situation:
    """Name the situation.

    A Job that is complete is so even while it is being deleted. One that failed is not judged then: its deletion may
    be what has killed its pod.

    A Job that begins to finish while it is to be suspended and has no start time will never say `Failed` or `Complete`:
    the API server refuses that (seen on 1.36, where a suspension removes the start time). It fails so when its pod
    answers SIGTERM with the code for "never retry"; it succeeds so when its pod had been evicted or deleted before the
    suspension and still exits with 0, or when the suspension comes before the Job controller has noted the start. It
    makes no pods any more, so it is one that is suspended, and not fit to be resumed.
    """
    job = o.job
    if job is None:
        return Situation.NO_JOB
    if job.deleting and job.outcome is not JobOutcome.COMPLETE:
        return Situation.LEAVING
    match job.outcome:
        case JobOutcome.COMPLETE:
            return Situation.COMPLETE
        case JobOutcome.FAILED:
            return Situation.FAILED
        case JobOutcome.COMPLETING | JobOutcome.FAILING:
            return _stopping(o) if _can_not_finish(job) else Situation.ENDING
        case JobOutcome.OPEN:
            return _stopping(o) if job.suspend else Situation.ACTIVE


def _stopping(o: Observed) -> Situation:
    """How far a suspension is."""
    job = o.job
    makes_no_pods = job is not None and (job.suspended is True or _can_not_finish(job))
    if not makes_no_pods:
        return Situation.STOPPING
    return Situation.DRAINING if o.active_pods else Situation.STOPPED


def _can_not_finish(job: ObservedJob) -> bool:
    """Whether it has begun to finish and will never say so."""
    finishing = job.outcome in (JobOutcome.COMPLETING, JobOutcome.FAILING)
    return finishing and job.suspend and not job.started
