"""What the end of a Job means for the task: success by the checkpoint, never by the Job's counters.

A pod that exits 0 on SIGTERM during a drain makes its Job `Complete` with work left over (seen; kubernetes#141483).
"""

from __future__ import annotations

from longtask.api.longtask import State
from longtask.api.names import Reason
from longtask.core.actions import Outcome, Plan, WriteStatus
from longtask.core.attempts import how_it_ended, interrupted, quoted, replace_attempt
from longtask.core.observed import Observed, ObservedJob, ObservedPod, PodPhase
from longtask.core.status import attempt_claimed, with_state, worker_finished
from longtask.core.stop import complete

_EXIT_NEVER_RETRY = 78


def judge_complete(o: Observed) -> Plan:
    """The work is done if the worker said so, or if it never took part and was not asked to stop."""
    job = o.job
    if job is None or worker_finished(o):
        return complete(o, Reason.DONE)
    succeeded = tuple(pod for pod in o.attempt_pods if pod.phase is PodPhase.SUCCEEDED)
    by_itself = any(not pod.asked_to_stop for pod in succeeded)
    if attempt_claimed(o):
        if interrupted(o) or (succeeded and not by_itself):
            return replace_attempt(o, reason=Reason.INTERRUPTED, message="the worker ended when it was asked to stop")
        return _failure(
            o, job, "the worker exited with code 0 but its work is not done (no checkpoint with cause Done)"
        )
    if by_itself:
        return complete(o, Reason.EXITED_ZERO, "the container exited with code 0; it keeps no checkpoint")
    return replace_attempt(
        o,
        reason=Reason.INTERRUPTED,
        message="the container exited with code 0 only after it was asked to stop, which does not count as success"
        if succeeded
        else "the Job is complete but the pod that ended is gone, so nobody knows whether it had been asked to stop",
    )


def judge_failed(o: Observed) -> Plan:
    """A Job that failed has used up its retries, or its worker said never to retry. Work that is done stays done."""
    job = o.job
    if job is None or worker_finished(o):
        return complete(o, Reason.DONE, "the worker failed after its work was done")
    last = _last_failed(o)
    never = last is not None and last.exit_code == _EXIT_NEVER_RETRY and not last.asked_to_stop
    words = f"pod {last.name} {how_it_ended(last)}{quoted(last.last_words)}" if last else job.outcome_message
    return _failed(
        o,
        Reason.NEVER_RETRY if never else job.outcome_reason or Reason.BACKOFF_LIMIT_EXCEEDED,
        words,
        job.failures,
    )


def _failure(o: Observed, job: ObservedJob, message: str) -> Plan:
    """A failure that Kubernetes took for a success: it uses a retry like any other."""
    failures = job.failures + 1
    if failures > o.task.backoff_limit:
        return _failed(o, Reason.FALSE_SUCCESS, message, failures)
    return replace_attempt(o, reason=Reason.RETRYING, message=message, failures=failures)


def _failed(o: Observed, reason: str, words: str, failures: int) -> Plan:
    advice = "suspend the task and run it again, or change its spec, to try with fresh retries"
    record = with_state(
        o,
        State.FAILED,
        reason=reason,
        message=f"{words}\n{advice}",
        stalled=True,
        failures=failures,
    )
    return Plan(outcome=Outcome.FAILED, actions=(WriteStatus(status=record, judged=True),))


def _last_failed(o: Observed) -> ObservedPod | None:
    failed = [pod for pod in o.attempt_pods if pod.phase is PodPhase.FAILED]
    return max(failed, key=lambda pod: pod.ended or o.now, default=None)
