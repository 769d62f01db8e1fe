"""Starting, following, resuming and replacing an attempt: the steps for a task that is wanted to run.

It must not know why a Job ended; `verdict` says that.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from longtask.api.names import LABEL_KUEUE_QUEUE, ConditionType, Reason
from longtask.api.status import State
from longtask.core.actions import CreateJob, Outcome, Plan, Question, SetJobSuspended, WriteStatus
from longtask.core.conditions import is_true
from longtask.core.deadlines import (
    count_no_progress,
    next_progress_look,
    progress_mark,
    reason_to_stop,
    was_stopped_for_no_progress,
)
from longtask.core.interruption import has_got_on, idle_too_often, interrupted, was_at_work
from longtask.core.next_attempt import after_failure, how_it_ended, quoted, replace_attempt, retry_afresh
from longtask.core.observed import JobOutcome, Observed, ObservedJob, ObservedPod, PodPhase, Trouble
from longtask.core.restart import restart_asked, start_over
from longtask.core.retries import must_wait, pause_after
from longtask.core.status import at_sequence, blocked, troubled, with_state, worker_finished
from longtask.core.stop import await_end, complete, delete_jobs, prove_suspended

if TYPE_CHECKING:
    from datetime import datetime

POD_PATIENCE = timedelta(seconds=5)
"""How long an active Job may be without a pod before its events are asked why."""

CONTROLLER_PATIENCE = timedelta(minutes=1)
"""How long the Job controller may leave a new Job alone before the task says so."""

TROUBLE_INTERVAL = timedelta(seconds=15)
"""How often they are asked again."""

REFUSAL_INTERVAL = timedelta(seconds=15)
"""How soon a refused request is tried again without any change of the task."""


def start(o: Observed) -> Plan:
    """Create the Job, once nothing of another attempt is left; first leave `Suspended`.

    A Job that was recorded as created and is gone was deleted by somebody: the next attempt takes its place.
    """
    status = o.task.status
    if o.active_pods:
        return await_end(o)
    if worker_finished(o):
        return complete(o, Reason.DONE)
    if restart_asked(o):
        return retry_afresh(o)
    if was_stopped_for_no_progress(o):
        return count_no_progress(o)
    if status.job_name == o.task.job_name:
        return replace_attempt(o, reason=Reason.JOB_LOST, message="the Job was deleted by somebody else")
    if must_wait(o):
        return Plan(outcome=Outcome.WAIT, wake_at=status.next_try_time)
    create = CreateJob(
        name=o.task.job_name,
        attempt=status.attempt,
        failures_before=status.failures or 0,
        backoff_limit=max(0, o.task.backoff_limit - (status.failures or 0)),
        start_over=start_over(o),
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
    if restart_asked(o):
        return retry_afresh(o)
    if o.template_changed:
        return replace_attempt(o, reason=Reason.TEMPLATE_CHANGED, message="the template was changed", fresh=True)
    if job.outcome is not JobOutcome.OPEN:
        words = "the Job can't go on, because of how its pod ended when it was suspended"
        return replace_attempt(o, reason=Reason.INTERRUPTED, message=words)
    unsuspend = SetJobSuspended(name=job.name, uid=job.uid, resource_version=job.resource_version, suspend=False)
    if o.task.status.state is State.INIT:
        return Plan(outcome=Outcome.RESUME, actions=(unsuspend,))
    leave = with_state(o, State.INIT, reason=Reason.STARTING, message=f"going on {at_sequence(o)}")
    return Plan(outcome=Outcome.RESUME, actions=(WriteStatus(status=leave), unsuspend))


def follow(o: Observed) -> Plan:
    """Say how an active Job is doing; replace it at once after an interruption, or for a changed template.

    A worker at work is never stopped for a new template: that is the user's decision.
    """
    job = _job(o)
    if job.suspended is True:
        return Plan(outcome=Outcome.WAIT)  # the Job controller has not seen the resume yet
    if any(pod.active and pod.worker_started for pod in o.attempt_pods):
        return reason_to_stop(o) or _record_running(o)
    if _is_ending(o, job):
        return Plan(outcome=Outcome.WAIT)
    if _has_failed_with_all_done(o):
        return Plan(outcome=Outcome.FINISH, actions=delete_jobs(o.jobs))
    if restart_asked(o):
        return retry_afresh(o)
    if o.template_changed:
        return replace_attempt(o, reason=Reason.TEMPLATE_CHANGED, message="the template was changed", fresh=True)
    return _follow_pending(o, o.active_pods[0]) if o.active_pods else _follow_ended(o, job)


def _follow_ended(o: Observed, job: ObservedJob) -> Plan:
    """No pod is active. How the last one ended may call for another Job, which comes without this one's counts."""
    if o.task.keeps_file and was_at_work(o) and o.live_pods is None:
        return Plan(outcome=Outcome.ASK, question=Question.LIVE_PODS)
    if interrupted(o) and not idle_too_often(o):
        return replace_attempt(o, reason=Reason.INTERRUPTED, message="interrupted after saving; going on")
    if job.failed and has_got_on(o) and o.task.backoff_limit:
        return _retry_anew(o, job)
    return _follow_podless(o)


def _retry_anew(o: Observed, job: ObservedJob) -> Plan:
    """A failure after progress is the first of its row; the Job would go on counting, so another takes its place."""
    last = o.last_failed(o.pods)
    words = "the worker failed" if last is None else f"pod {last.name} {how_it_ended(last)}{quoted(last.last_words)}"
    return after_failure(o, reason=Reason.BACKOFF_LIMIT_EXCEEDED, message=words, failures=job.failures)


def _has_failed_with_all_done(o: Observed) -> bool:
    """Whether the worker was killed when all was done: its Job would start another, to hear just that."""
    checkpoint = o.task.status.checkpoint
    holder = None if checkpoint is None else checkpoint.holder
    return worker_finished(o) and any(pod.uid == holder and pod.phase is PodPhase.FAILED for pod in o.attempt_pods)


def _is_ending(o: Observed, job: ObservedJob) -> bool:
    """Whether the worker has ended well, or is only just ending: its pod or its Job will say so in a moment."""
    own = (pod for pod in o.attempt_pods if pod.owner_uid == job.uid)
    return any(pod.phase is PodPhase.SUCCEEDED or (pod.active and pod.exit_code is not None) for pod in own)


def _record_running(o: Observed) -> Plan:
    job = _job(o)
    message = ""
    if o.template_changed:
        message = "at work with the earlier template: suspend the task and run it again to use the new one"
    mark = progress_mark(o)
    record = with_state(o, State.RUNNING, reason=Reason.RUNNING, message=message, job_name=job.name, last_progress=mark)
    return Plan(outcome=Outcome.RECORD, actions=(WriteStatus(status=record),), wake_at=next_progress_look(o))


def _follow_pending(o: Observed, pod: ObservedPod) -> Plan:
    if pod.trouble is not None:
        return Plan(outcome=Outcome.RECORD, actions=(WriteStatus(status=troubled(o, pod.trouble)),))
    status = o.task.status
    if status.state is State.RUNNING or is_true(status.conditions, ConditionType.STALLED):
        return _record_no_worker(o)
    return Plan(outcome=Outcome.WAIT)


def _follow_podless(o: Observed) -> Plan:
    """No pod: just created, backing off, or not allowed to create one. After a while, its events are asked.

    Not those of a Job that the Job controller has not come to yet, as when thousands are created at once: nobody has
    tried to create its pod, so they tell nothing. Its first look sets the start time, whatever comes of the pod
    (pkg/controller/job/job_controller.go, syncJob: `ready` is not in the status yet, so that is written; v1.36).
    """
    job = _job(o)
    asked_at = job.active_since + (POD_PATIENCE if job.started else CONTROLLER_PATIENCE)
    if o.now < asked_at:
        if o.task.status.state is State.RUNNING:
            return _record_no_worker(o)
        return Plan(outcome=Outcome.WAIT, wake_at=asked_at)
    if not job.started:
        return _record_no_worker(o)
    if o.job_troubles is None:
        return Plan(outcome=Outcome.ASK, question=Question.JOB_TROUBLES)
    trouble = _latest_trouble(o)
    if trouble is None:
        return _record_no_worker(o, wake=True)
    record = WriteStatus(status=troubled(o, trouble), judged=True)
    return Plan(outcome=Outcome.STALLED, actions=(record,), wake_at=o.now + TROUBLE_INTERVAL)


def _latest_trouble(o: Observed) -> Trouble | None:
    """The last complaint about the pod that we wait for: none from before the Job ran, none about an earlier pod."""
    job = _job(o)
    last = o.last_failed(o.pods)
    since = job.active_since if last is None else max(job.active_since, last.ended or o.now)
    current = [trouble for trouble in o.job_troubles or () if trouble.time is None or trouble.time >= since]
    return current[-1] if current else None


def _record_no_worker(o: Observed, *, wake: bool = False) -> Plan:
    """Say what the last pod died of, and that a retry follows.

    This rests on the checkpoint: were the worker's last save not known here yet, it would have been an interruption.
    """
    trouble = _retrying(o, _job(o))
    at = _next_pod_time(o) if trouble.reason == Reason.RETRYING else None
    return Plan(
        outcome=Outcome.RECORD,
        actions=(WriteStatus(status=troubled(o, trouble, next_try_time=at), judged=True),),
        wake_at=o.now + TROUBLE_INTERVAL if wake else None,
    )


def _retrying(o: Observed, job: ObservedJob) -> Trouble:
    last = o.last_failed(o.pods)
    if idle_too_often(o):
        return Trouble(
            reason=Reason.NO_PROGRESS,
            message=f"interrupted {o.task.status.idle_restarts} times in a row without progress;"
            " the next attempt comes after a growing pause: look why its pods are stopped",
            only_a_person_can_help=True,
        )
    if last is None:
        message = "the pod is starting" if o.active_pods else "the Job has no pod yet, and makes one"
        if not job.started:
            message = "the Job controller (kube-controller-manager) has not begun with the Job yet"
        return Trouble(reason=Reason.STARTING, message=message)
    if last.exit_code in o.task.exit_codes.interrupted or last.disrupted:
        return Trouble(reason=Reason.INTERRUPTED, message=f"pod {last.name} was interrupted; the Job makes a new one")
    used = f"{job.failures} of {o.task.backoff_limit} retries used"
    return Trouble(
        reason=Reason.RETRYING,
        message=f"pod {last.name} {how_it_ended(last)}; {used}{quoted(last.last_words)}",
    )


def _next_pod_time(o: Observed) -> datetime | None:
    """When the Job controller will make the next pod. None if there is one, or nobody knows when the last ended."""
    last = o.last_failed(o.pods)
    if o.active_pods or last is None or last.ended is None:
        return None
    return last.ended + pause_after(_job(o).failed)


def _job(o: Observed) -> ObservedJob:
    job = o.job
    if job is None:
        message = "this step is for situations that have a Job"
        raise ValueError(message)
    return job


def refused(o: Observed) -> Plan:
    """What the API server refused becomes `Stalled`, in its own words; it is tried again slowly."""
    again = o.now + REFUSAL_INTERVAL
    if o.refusal is None or o.task.status.state is State.TERMINATED:
        return Plan(outcome=Outcome.WAIT, wake_at=again)
    status = troubled(o, o.refusal) if o.task.status.state is State.INIT else blocked(o, o.refusal)
    return Plan(outcome=Outcome.STALLED, actions=(WriteStatus(status=status),), wake_at=again)


def refuse_queue(o: Observed) -> Plan:
    """Kueue would resume what we suspend, so a task with its label is refused until that is supported."""
    trouble = Trouble(
        reason=Reason.KUEUE_UNSUPPORTED,
        message=f"label {LABEL_KUEUE_QUEUE}={o.task.queue}: Kueue reverts a suspend, so it is not supported yet;"
        " remove the label from the task and from its template",
        only_a_person_can_help=True,
    )
    return Plan(outcome=Outcome.STALLED, actions=(WriteStatus(status=troubled(o, trouble)),))


def clear_older(o: Observed) -> Plan:
    """One attempt at a time: Jobs of earlier ones go first, and with them their pods."""
    removals = delete_jobs(o.older_jobs)
    return Plan(outcome=Outcome.CLEAR_AWAY if removals else Outcome.WAIT, actions=removals)
