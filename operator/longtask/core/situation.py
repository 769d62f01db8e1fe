"""Where the current attempt's Job stands, as one word. The decision's table is read by (desired state, situation)."""

from __future__ import annotations

from enum import StrEnum, unique

from longtask.core.observed import JobOutcome, Observed


@unique
class Situation(StrEnum):
    """Every situation a Job can be in, as far as the decision cares."""

    NO_JOB = "no Job"
    LEAVING = "Job is being deleted"
    ACTIVE = "Job is active"
    STOPPING = "Job is being suspended"
    STOPPED = "Job is suspended, no pod active"
    ENDING = "Job is about to finish"
    COMPLETE = "Job is complete"
    FAILED = "Job has failed"


def situation(o: Observed) -> Situation:
    """Name the situation.

    A Job that is complete is so even while it is being deleted. One that failed is not judged then: its deletion may
    be what has killed its pod.
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
            return Situation.ENDING
        case JobOutcome.OPEN:
            if not job.suspend:
                return Situation.ACTIVE
            proved = job.suspended is True and not o.active_pods
            return Situation.STOPPED if proved else Situation.STOPPING
