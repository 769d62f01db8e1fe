"""What the end of a Job means for the task: success by the checkpoint, never by the Job's counters.

A program whose file is saved for it has no other word than its exit code, as one that claims nothing.

A pod that exits 0 on SIGTERM during a drain makes its Job `Complete` with work left over (seen; kubernetes#141483).
"""

from __future__ import annotations

from longtask.api.longtask import DesiredState
from longtask.api.names import Reason
from longtask.core.actions import Outcome, Plan, Question
from longtask.core.interruption import idle_too_often, interrupted
from longtask.core.next_attempt import after_failure, fail, how_it_ended, quoted, replace_attempt
from longtask.core.observed import Observed, ObservedJob, ObservedPod, PodPhase
from longtask.core.status import attempt_claimed, worker_finished
from longtask.core.stop import complete


def judge_complete(o: Observed) -> Plan:
    """The work is done if the worker said so, or if it never took part and was not asked to stop.

    How the pod ended is looked up live: our copy of the pods may be behind that of the Job.
    """
    job = o.job
    if job is None or worker_finished(o):
        return complete(o, Reason.DONE)
    if o.live_pods is None:
        return Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
    succeeded = tuple(pod for pod in o.of_attempt(o.live_pods) if pod.phase is PodPhase.SUCCEEDED)
    by_itself = any(not pod.asked_to_stop for pod in succeeded)
    if attempt_claimed(o) and not o.task.keeps_file:
        if by_itself and not interrupted(o):
            words = "the worker exited with code 0 but its work is not done (no checkpoint with cause Done)"
            return _failure(o, job, Reason.FALSE_SUCCESS, words)
        words = "the worker ended when it was asked to stop"
    elif by_itself:
        keeps = "; its file is saved" if o.task.keeps_file else "; it keeps no checkpoint"
        return complete(o, Reason.EXITED_ZERO, f"the container exited with code 0{keeps}")
    else:
        words = "the container exited with code 0 only after it was asked to stop, which does not count as success"
    if not succeeded and not interrupted(o):  # a pod that was being deleted is gone as soon as it has ended
        words = "the Job is complete but its pod is gone, so nobody knows whether it had been asked to stop"
    return _interruption(o, job, words)


def judge_failed(o: Observed) -> Plan:
    """A Job that failed has used up its retries, or its worker said never to retry. Work that is done stays done.

    What has been changed meanwhile counts: a new template gets a fresh try, a raised limit the retries that are left.
    """
    job = o.job
    if job is None or worker_finished(o):
        return complete(o, Reason.DONE, "the worker failed after its work was done")
    if o.task.desired is DesiredState.RUN and o.template_changed:
        return replace_attempt(o, reason=Reason.TEMPLATE_CHANGED, message="the template was changed", fresh=True)
    if job.outcome_reason == Reason.BACKOFF_LIMIT_EXCEEDED and job.failures <= o.task.backoff_limit:
        return replace_attempt(o, reason=Reason.RETRYING, message="backoffLimit was raised")
    if o.live_pods is None:
        return Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
    return _by_its_exit_code(o, job, o.last_failed(o.live_pods))


def _by_its_exit_code(o: Observed, job: ObservedJob, last: ObservedPod | None) -> Plan:
    """What a failed Job means is said by the exit code of its last pod, where that had not been asked to stop."""
    code = None if last is None or last.asked_to_stop else last.exit_code
    if code in o.task.exit_codes.complete:
        return _exited_complete(o, job, code)
    never = code in o.task.exit_codes.never_retry
    if job.outcome_reason == Reason.POD_FAILURE_POLICY and not never:
        return _stopped_by_its_exit_code(o)
    words = f"pod {last.name} {how_it_ended(last)}{quoted(last.last_words)}" if last else job.outcome_message
    reason = Reason.NEVER_RETRY if never else job.outcome_reason or Reason.BACKOFF_LIMIT_EXCEEDED
    if reason == Reason.BACKOFF_LIMIT_EXCEEDED:
        return after_failure(o, reason=reason, message=words, failures=job.failures)
    return fail(o, reason=reason, message=words, failures=job.failures)


def _exited_complete(o: Observed, job: ObservedJob, code: int | None) -> Plan:
    """The program says that its work is done, in the way that its user has told us of; a worker has another way."""
    if attempt_claimed(o) and not o.task.keeps_file:
        words = f"the worker exited with code {code} but its work is not done (no checkpoint with cause Done)"
        return _failure(o, job, Reason.FALSE_SUCCESS, words)
    return complete(o, Reason.EXITED_COMPLETE, f"the container exited with code {code}, one of completeExitCodes")


def _stopped_by_its_exit_code(o: Observed) -> Plan:
    """The Job failed for good by the exit code of a pod that was told to stop: that is an interruption.

    A pod that has ended by itself would still be there. One that a suspension deletes is seen by the Job's rules until
    it is gone, so a resume that comes at once may fail the Job with it (seen on 1.36).
    """
    codes = " or ".join(map(str, sorted(o.task.exit_codes.never_retry | o.task.exit_codes.complete)))
    words = f"a worker that was asked to stop ended with exit code {codes}, which its Job took for its own end"
    failures = o.task.status.failures or 0
    if idle_too_often(o):
        return fail(o, reason=Reason.NO_PROGRESS, message=_without_end(o, words), failures=failures)
    return replace_attempt(o, reason=Reason.INTERRUPTED, message=words, failures=failures)


def _interruption(o: Observed, job: ObservedJob, message: str) -> Plan:
    """Interruptions are free, unless there is no end of them: then they count, so that they do end."""
    if idle_too_often(o):
        return _failure(o, job, Reason.NO_PROGRESS, _without_end(o, message))
    return replace_attempt(o, reason=Reason.INTERRUPTED, message=message)


def _without_end(o: Observed, message: str) -> str:
    return f"{message}; interrupted {o.task.status.idle_restarts} times before without any progress"


def _failure(o: Observed, job: ObservedJob, reason: str, message: str) -> Plan:
    """A failure that Kubernetes took for a success: it uses a retry like any other."""
    return after_failure(o, reason=reason, message=message, failures=job.failures + 1)
