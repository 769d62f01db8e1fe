"""What the API server itself does to Jobs and pods: graceful deletion, finalizers, and which status a Job may have.

Functions from one stored object to the next; None means that it is gone. It must not know who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.objects import JobCondition, changed

if TYPE_CHECKING:
    from tests.model.objects import SimJob, SimPod


def delete_pod(pod: SimPod, *, now: int, grace: int) -> SimPod | None:
    """Delete with a grace period, in seconds; 0 is at once. A pod that is not scheduled or has ended goes at once.

    CheckGracefulDelete in pkg/registry/core/pod/strategy.go, BeforeDelete in apiserver's registry/rest/delete.go: a
    second deletion can only shorten the first, which goes on counting from when it was asked for.
    """
    if pod.asked is None:
        at_once = pod.node is None or pod.final
        marked = changed(pod, asked=now, grace=0 if at_once else grace)
    elif not pod.grace:
        marked = pod
    elif grace >= pod.grace:
        return pod
    elif grace and pod.asked + grace < now:
        marked = changed(pod, asked=now - 1, grace=1)
    else:
        marked = changed(pod, asked=pod.asked if grace else now, grace=grace)
    return marked if marked.grace or marked.tracked else None


def drop_finalizer(pod: SimPod) -> SimPod | None:
    """Take the tracking finalizer off: a pod that only waited for that is gone.

    ShouldDeleteDuringUpdate in apiserver's registry/generic/registry/store.go.
    """
    return None if pod.asked is not None and pod.grace == 0 else changed(pod, tracked=False)


def job_status_refused(old: SimJob, new: SimJob) -> str:
    """Why a Job can't have that status; empty if it can.

    getStatusValidationOptions in pkg/registry/batch/job/strategy.go, validateJobStatus and ValidateJobStatusUpdate in
    pkg/apis/batch/validation/validation.go. `old` also has the spec.
    """
    ends, starts = old.finished != new.finished, old.started != new.started
    resuming = old.says(JobCondition.SUSPENDED) is True and new.says(JobCondition.SUSPENDED) is False
    rules = (
        ((ends or starts) and new.finished and new.started is None, "startTime is required for finished job"),
        ((ends or old.active != new.active) and new.finished and new.active > 0, "active>0 is invalid"),
        ((ends or old.terminating != new.terminating) and new.finished and new.terminating > 0, "terminating>0"),
        (ends and new.finished and bool(new.uncounted_failed + new.uncounted_succeeded), "uncounted pods left"),
        (starts and not resuming and old.started is not None and not old.suspend, "startTime is immutable"),
        (ends and not new.finished, "a terminal condition can't be disabled"),
        (bool(old.says(JobCondition.FAILURE_TARGET)) and not new.says(JobCondition.FAILURE_TARGET), "FailureTarget"),
        (bool(old.says(JobCondition.SUCCESS_CRITERIA_MET)) and not new.says(JobCondition.SUCCESS_CRITERIA_MET), "met"),
        (new.failed < old.failed or new.succeeded < old.succeeded, "a counter can't be decreased"),
    )
    return next((words for broken, words in rules if broken), "")
