"""Starting, following, resuming and replacing an attempt: the steps for a task that is wanted to run.

It must not know why a Job ended; `verdict` says that.
"""

from __future__ import annotations

from datetime import timedelta

from longtask.api.longtask import CheckpointCause, State
from longtask.api.names import Reason
from longtask.core.actions import CreateJob, DeleteJob, Outcome, Plan, Question, SetJobSuspended, WriteStatus
from longtask.core.observed import Observed, ObservedJob, ObservedPod, PodPhase, Trouble
from longtask.core.status import (
    at_sequence,
    attempt_claimed,
    troubled,
    unchanged_state,
    with_state,
    worker_finished,
)
from longtask.core.stop import prove_suspended

POD_PATIENCE = timedelta(seconds=5)
"""How long an active Job may be without a pod before its events are asked why."""

TROUBLE_INTERVAL = timedelta(seconds=15)
"""How often they are asked again."""

REFUSAL_INTERVAL = timedelta(seconds=30)
"""How soon a refused request is tried again without any change of the task."""

IDLE_RESTARTS_LIMIT = 5
"""Interruptions in a row without progress before the next attempt is left to the Job controller's slow backoff."""

_EXIT_INTERRUPTED = 75


def start(o: Observed) -> Plan:
    """Create the Job, once nothing of another attempt is left; first leave `Suspended`.

    A Job that was recorded as created and is gone was deleted by somebody: the next attempt takes its place.
    """
    status = o.task.status
    if status.job_name == o.task.job_name:
        return replace_attempt(o, reason=Reason.JOB_LOST, message="the Job was deleted by somebody else")
    if o.active_pods:
        return Plan(outcome=Outcome.WAIT)
    create = CreateJob(
        name=o.task.job_name,
        attempt=status.attempt,
        failures_before=status.failures or 0,
        backoff_limit=max(0, o.task.backoff_limit - (status.failures or 0)),
    )
    if status.state is State.INIT:
        return Plan(outcome=Outcome.START, actions=(create,))
    leave = with_state(o, State.INIT, reason=Reason.STARTING, message=f"starting {at_sequence(o)}")
    return Plan(outcome=Outcome.START, actions=(WriteStatus(status=leave), create))


def resume(o: Observed) -> Plan:
    """Go on with the suspended Job if it is fit for that; otherwise replace it. First leave `Suspended`."""
    job = _job(o)
    if worker_finished(o):
        return prove_suspended(o)
    if job.template_hash != o.task.template_hash:
        return replace_attempt(o, reason=Reason.TEMPLATE_CHANGED, message="the template was changed", fresh=True)
    unsuspend = SetJobSuspended(name=job.name, uid=job.uid, resource_version=job.resource_version, suspend=False)
    if o.task.status.state is State.INIT:
        return Plan(outcome=Outcome.RESUME, actions=(unsuspend,))
    leave = with_state(o, State.INIT, reason=Reason.STARTING, message=f"going on {at_sequence(o)}")
    return Plan(outcome=Outcome.RESUME, actions=(WriteStatus(status=leave), unsuspend))


def follow(o: Observed) -> Plan:
    """Say how an active Job is doing; replace it at once after an interruption with progress."""
    at_work = next((pod for pod in o.attempt_pods if pod.active and pod.worker_started), None)
    if at_work is not None:
        return _record_running(o)
    pending = next((pod for pod in o.active_pods), None)
    if pending is not None:
        return _follow_pending(o, pending)
    if interrupted(o) and (o.task.status.idle_restarts or 0) < IDLE_RESTARTS_LIMIT:
        return replace_attempt(o, reason=Reason.INTERRUPTED, message="interrupted after saving; going on")
    return _follow_podless(o)


def replace_attempt(
    o: Observed, *, reason: str, message: str, failures: int | None = None, fresh: bool = False
) -> Plan:
    """Record the next attempt in the status first; only then delete the old Job.

    `fresh` forgets the failures so far; otherwise `failures` (by default those of the old Job) are carried on.
    """
    status = o.task.status
    job = o.job
    if failures is None:
        failures = status.failures or 0 if job is None else job.failures
    idle = status.idle_restarts or 0
    done = 0 if status.progress is None else status.progress.done
    progressed = fresh or done > (status.done_at_start or 0)
    record = with_state(
        o,
        State.INIT,
        reason=reason,
        message=f"{message}: attempt {status.attempt + 1} follows {at_sequence(o)}",
        attempt=status.attempt + 1,
        job_name=None,
        failures=0 if fresh else failures,
        idle_restarts=None if progressed else idle + 1,
        done_at_start=done,
    )
    delete = () if job is None or job.deleting else (DeleteJob(name=job.name, uid=job.uid),)
    return Plan(outcome=Outcome.REPLACE, actions=(WriteStatus(status=record, judged=True), *delete))


def interrupted(o: Observed) -> bool:
    """Whether the worker that was at work has saved because it was asked to stop, and has ended.

    The save of an earlier suspend looks the same. So a worker must have been seen since (`Running`), and no other pod
    may have ended by itself after that save.
    """
    status = o.task.status
    checkpoint = status.checkpoint
    if checkpoint is None or checkpoint.cause is not CheckpointCause.STOP or not attempt_claimed(o):
        return False
    last = _last_ended(o)
    crashed_since = last is not None and last.uid != checkpoint.holder and (last.ended or o.now) > checkpoint.time
    return status.state is State.RUNNING and not crashed_since


def _record_running(o: Observed) -> Plan:
    job = _job(o)
    message = ""
    if job.template_hash != o.task.template_hash:
        message = "at work with the earlier template: suspend the task and run it again to use the new one"
    record = with_state(
        o, State.RUNNING, reason=Reason.RUNNING, message=message, job_name=job.name, failures=job.failures
    )
    return Plan(outcome=Outcome.RECORD, actions=(WriteStatus(status=record),))


def _follow_pending(o: Observed, pod: ObservedPod) -> Plan:
    if pod.trouble is not None:
        return Plan(outcome=Outcome.RECORD, actions=(WriteStatus(status=troubled(o, pod.trouble)),))
    if o.task.status.state is State.RUNNING and not pod.worker_started:
        return _record_no_worker(o)
    return Plan(outcome=Outcome.WAIT)


def _follow_podless(o: Observed) -> Plan:
    """No pod: just created, backing off, or not allowed to create one. After a while, its events are asked."""
    asked_at = _job(o).active_since + POD_PATIENCE
    if o.now < asked_at:
        if o.task.status.state is State.RUNNING:
            return _record_no_worker(o)
        return Plan(outcome=Outcome.WAIT, wake_at=asked_at)
    if o.job_troubles is None:
        return Plan(outcome=Outcome.ASK, question=Question.JOB_TROUBLES)
    again = o.now + TROUBLE_INTERVAL
    if o.job_troubles and _last_ended(o) is None:
        record = WriteStatus(status=troubled(o, o.job_troubles[-1]))
        return Plan(outcome=Outcome.STALLED, actions=(record,), wake_at=again)
    return _record_no_worker(o, wake=True)


def _record_no_worker(o: Observed, *, wake: bool = False) -> Plan:
    """Say what the last pod died of, and that a retry follows."""
    job = _job(o)
    record = troubled(o, _retrying(o, job)).model_copy(update={"failures": job.failures})
    return Plan(
        outcome=Outcome.RECORD,
        actions=(WriteStatus(status=record),),
        wake_at=o.now + TROUBLE_INTERVAL if wake else None,
    )


def _retrying(o: Observed, job: ObservedJob) -> Trouble:
    last = _last_ended(o)
    idle = o.task.status.idle_restarts or 0
    if idle >= IDLE_RESTARTS_LIMIT:
        return Trouble(
            reason=Reason.NO_PROGRESS,
            message=f"interrupted {idle} times in a row without progress;"
            " the next attempt comes after a growing pause: look why its pods are stopped",
            only_a_person_can_help=True,
        )
    if last is None:
        return Trouble(reason=Reason.STARTING, message="the last pod is gone; the Job makes a new one")
    if last.exit_code == _EXIT_INTERRUPTED or last.disrupted:
        return Trouble(reason=Reason.INTERRUPTED, message=f"pod {last.name} was interrupted; the Job makes a new one")
    used = f"{job.failures} of {o.task.backoff_limit} retries used"
    return Trouble(
        reason=Reason.RETRYING,
        message=f"pod {last.name} {how_it_ended(last)}; {used}{quoted(last.last_words)}",
    )


def how_it_ended(pod: ObservedPod) -> str:
    """A few words on the end of a pod."""
    return "failed" if pod.exit_code is None else f"exited with code {pod.exit_code}"


def quoted(words: str) -> str:
    """A pod's last words, to be put behind a sentence."""
    return f"\n{words.strip()}" if words.strip() else ""


def _last_ended(o: Observed) -> ObservedPod | None:
    ended = [pod for pod in o.attempt_pods if pod.phase is PodPhase.FAILED]
    return max(ended, key=lambda pod: pod.ended or o.now, default=None)


def _job(o: Observed) -> ObservedJob:
    job = o.job
    if job is None:
        message = "this step is for situations that have a Job"
        raise ValueError(message)
    return job


def refused(o: Observed, refusal: Trouble) -> Plan:
    """What the API server refused becomes `Stalled`, in its own words; it is tried again slowly."""
    status = (
        troubled(o, refusal)
        if o.job is None
        else unchanged_state(o, reason=refusal.reason, message=refusal.message, stalled=True)
    )
    return Plan(outcome=Outcome.STALLED, actions=(WriteStatus(status=status),), wake_at=o.now + REFUSAL_INTERVAL)
