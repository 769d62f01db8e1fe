"""The Job controller of Kubernetes 1.36.3, for Jobs as we make them, as a pure function.

It imitates pkg/controller/job: what one sync of one Job writes, given the Job and the pods as the controller's copies
have them. Feature gates are those of 1.36 at their defaults. For our Jobs only: parallelism and completions 1, not
indexed, podReplacementPolicy Failed, no deadline, restartPolicy Never. It must not know what happens to the writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from longtask.api.names import EXIT_NEVER_RETRY, EXIT_SAVED
from longtask.core.observed import PodPhase
from tests.model.objects import JobCondition, SimJob, SimPod, changed

if TYPE_CHECKING:
    from collections.abc import Iterable

BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
POD_FAILURE_POLICY = "PodFailurePolicy"
COMPLETIONS_REACHED = "CompletionsReached"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePod:
    """Create a pod from the Job's template, with the finalizer."""

    job: SimJob


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePod:
    """Delete a pod with its own grace period."""

    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropFinalizer:
    """Take the controller's finalizer off a pod."""

    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStatus:
    """Put the Job's status, over the version that was read or written last."""

    job: SimJob


Write = CreatePod | DeletePod | DropFinalizer | UpdateStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """How a Job ends: the interim condition, the final one, and their reason."""

    interim: JobCondition
    final: JobCondition
    reason: str


def sync(
    job: SimJob, pods: Iterable[SimPod], *, now: int, backing_off: bool = False, expecting: bool = False
) -> tuple[Write, ...]:
    """Everything that one sync writes, in order. `backing_off`: the pause after a failure is not over yet.

    syncJob in job_controller.go. It begins when the controller sees its own writes (StaleControllerConsistencyJob), but
    its own deletions: with `expecting` it has not seen the last of those. Then it counts what it sees, a pod that it
    has deleted as active, and does nothing else. Recorded: a Job that says Suspended and, for a second, active: 1.
    """
    if job.finished:
        return ()
    own = tuple(pod for pod in pods if pod.owner == job.uid)
    status = changed(job, active=len(_active(own)), terminating=len(_terminating(own)))
    if job.started is None and not job.suspend:
        status = changed(status, started=now)
    finish = _how_it_finishes(job, own)
    if finish is not None:
        writes, status = _delete_active(own, status)
        finish = None if expecting else finish
    else:
        writes, status = ([], status) if expecting else _manage(job, own, status, backing_off=backing_off)
        if _succeeded(job, own) >= 1 and status.active == 0:
            finish = _SUCCESS
        elif not job.deleting and not expecting:
            status = _told_of_suspension(status, now)
    return (*writes, *_track(job, status, own, finish))


def release_orphan(pod: SimPod, job: SimJob | None) -> DropFinalizer | None:
    """A pod whose Job is gone, has finished or is no longer its owner loses the finalizer.

    handleSingleOrphanPod in job_controller.go; `job` is the Job that its owner reference leads to, None if there is
    none.
    """
    if not pod.tracked or (job is not None and not job.finished):
        return None
    return DropFinalizer(uid=pod.uid)


def counts_as_failure(pod: SimPod) -> bool:
    """Whether a failed pod uses a retry: the first rule of our policy that fits says so.

    matchPodFailurePolicy in pod_failure_policy.go: Ignore for a disruption, Ignore for 75, FailJob for 78 (counted).
    """
    return not pod.disrupted and pod.exit_code != EXIT_SAVED


def fails_the_job(pod: SimPod) -> bool:
    """Whether a failed pod fails the Job for good. Pods without finalizer, counted long ago, are looked at, too.

    getFailJobMessage in job_controller.go.
    """
    return pod.phase is PodPhase.FAILED and not pod.disrupted and pod.exit_code == EXIT_NEVER_RETRY


_SUCCESS = Finish(interim=JobCondition.SUCCESS_CRITERIA_MET, final=JobCondition.COMPLETE, reason=COMPLETIONS_REACHED)


def _failure(reason: str) -> Finish:
    return Finish(interim=JobCondition.FAILURE_TARGET, final=JobCondition.FAILED, reason=reason)


def _how_it_finishes(job: SimJob, pods: tuple[SimPod, ...]) -> Finish | None:
    """What was said before stands; then the failure policy; then the limit. syncJob evaluates in this order."""
    if job.says(JobCondition.SUCCESS_CRITERIA_MET):
        return _SUCCESS
    if job.says(JobCondition.FAILURE_TARGET):
        return _failure(job.reason(JobCondition.FAILURE_TARGET))
    if any(fails_the_job(pod) for pod in pods):
        return _failure(POD_FAILURE_POLICY)
    fresh = [pod for pod in _fresh(job, pods) if pod.phase is PodPhase.FAILED and counts_as_failure(pod)]
    if job.failed + len(fresh) + len(job.uncounted_failed) > job.backoff_limit:
        return _failure(BACKOFF_LIMIT_EXCEEDED)
    return None


def _succeeded(job: SimJob, pods: tuple[SimPod, ...]) -> int:
    fresh = [pod for pod in _fresh(job, pods) if pod.phase is PodPhase.SUCCEEDED]
    return job.succeeded + len(fresh) + len(job.uncounted_succeeded)


def _fresh(job: SimJob, pods: tuple[SimPod, ...]) -> list[SimPod]:
    """Pods that are not accounted for in the Job's status yet. getValidPodsWithFilter."""
    known = (*job.uncounted_failed, *job.uncounted_succeeded)
    return [pod for pod in pods if pod.tracked and pod.uid not in known]


def _active(pods: Iterable[SimPod]) -> list[SimPod]:
    """IsPodActive in pkg/controller/controller_utils.go: a pod that is being deleted is not active here."""
    return [pod for pod in pods if not pod.final and pod.asked is None]


def _terminating(pods: Iterable[SimPod]) -> list[SimPod]:
    """IsPodTerminating in pkg/controller/controller_utils.go."""
    return [pod for pod in pods if not pod.final and pod.asked is not None]


def _delete_active(pods: tuple[SimPod, ...], status: SimJob) -> tuple[list[Write], SimJob]:
    """A finished Job ends its pods, which keep their finalizers for now. deleteActivePods."""
    deleted = _active(pods)
    left = changed(status, active=0, terminating=status.terminating + len(deleted))
    return [DeletePod(uid=pod.uid) for pod in deleted], left


def _manage(job: SimJob, pods: tuple[SimPod, ...], status: SimJob, *, backing_off: bool) -> tuple[list[Write], SimJob]:
    """Make the number of pods what it should be. manageJob and deleteJobPods.

    Pods that a suspension ends lose their finalizer first, so they are never counted.
    """
    if job.deleting:
        return [], status
    wanted = 0 if job.suspend else max(0, 1 - _succeeded(job, pods))
    surplus = _active(pods)[wanted:]
    if surplus:
        writes: list[Write] = []
        for pod in surplus:
            if pod.tracked:
                writes.append(DropFinalizer(uid=pod.uid))
            writes.append(DeletePod(uid=pod.uid))
        left = status.active - len(surplus)
        return writes, changed(status, active=left, terminating=status.terminating + len(surplus))
    if wanted - status.terminating - status.active > 0 and not backing_off:
        return [CreatePod(job=job)], changed(status, active=status.active + 1)
    return [], status


def _told_of_suspension(status: SimJob, now: int) -> SimJob:
    """`Suspended` follows `spec.suspend`, and takes the start time along (MutableSchedulingDirectivesForSuspendedJobs).

    ensureJobConditionStatus: what was never true is not made false.
    """
    said = status.says(JobCondition.SUSPENDED)
    if status.suspend and not said:
        return changed(_with_condition(status, JobCondition.SUSPENDED, "JobSuspended"), started=None)
    if not status.suspend and said:
        kept = tuple(
            (JobCondition.SUSPENDED, False, "JobResumed") if kind is JobCondition.SUSPENDED else (kind, true, reason)
            for kind, true, reason in status.conditions
        )
        return changed(status, conditions=kept, started=now)
    return status


def _with_condition(job: SimJob, kind: JobCondition, reason: str) -> SimJob:
    if job.says(kind) is None:
        return changed(job, conditions=(*job.conditions, (kind, True, reason)))
    kept = tuple((kind, True, reason) if found is kind else (found, true, why) for found, true, why in job.conditions)
    return changed(job, conditions=kept)


def _track(job: SimJob, status: SimJob, pods: tuple[SimPod, ...], finish: Finish | None) -> list[Write]:
    """Count the pods that have ended, take off their finalizers, and say so at the end.

    trackJobStatusAndRemoveFinalizers, flushUncountedAndRemoveFinalizers and enactJobFinished: the status is written
    before the finalizers go, and again after it.
    """
    before = _without_unknown(status, pods)
    removable = [pod for pod in pods if pod.tracked and (job.deleting or finish is not None or pod.final)]
    noted = _noted(before, removable, finish)
    if finish is not None and not noted.says(finish.interim):
        noted = _with_condition(noted, finish.interim, finish.reason)
    worth_writing = changed(noted, started=job.started) != job  # a start time alone is not
    writes: list[Write] = [UpdateStatus(job=noted)] if worth_writing else []
    writes += [DropFinalizer(uid=pod.uid) for pod in removable]
    gone = {pod.uid for pod in removable}
    counted = _without_unknown(noted, [pod for pod in pods if pod.uid not in gone])
    uncounted = counted.uncounted_failed or counted.uncounted_succeeded
    if finish is not None and not uncounted and counted.terminating == 0:
        counted = _with_condition(counted, finish.final, finish.reason)
    if counted != noted:
        writes.append(UpdateStatus(job=counted))
    return writes


def _noted(status: SimJob, removable: list[SimPod], finish: Finish | None) -> SimJob:
    """With the pods that are to be counted. A Job that fails counts those that still run as failed."""
    succeeded, failed = list(status.uncounted_succeeded), list(status.uncounted_failed)
    failing = finish is not None and finish is not _SUCCESS
    for pod in removable:
        if pod.phase is PodPhase.SUCCEEDED and pod.uid not in failed:
            if pod.uid not in succeeded:
                succeeded.append(pod.uid)
        elif (pod.phase is PodPhase.FAILED or failing) and pod.uid not in failed and counts_as_failure(pod):
            failed.append(pod.uid)
    return changed(status, uncounted_succeeded=tuple(succeeded), uncounted_failed=tuple(failed))


def _without_unknown(status: SimJob, pods: Iterable[SimPod]) -> SimJob:
    """Count those whose finalizer is gone. cleanUncountedPodsWithoutFinalizers."""
    tracked = {pod.uid for pod in pods if pod.tracked}
    succeeded = tuple(uid for uid in status.uncounted_succeeded if uid in tracked)
    failed = tuple(uid for uid in status.uncounted_failed if uid in tracked)
    return changed(
        status,
        uncounted_succeeded=succeeded,
        uncounted_failed=failed,
        succeeded=status.succeeded + len(status.uncounted_succeeded) - len(succeeded),
        failed=status.failed + len(status.uncounted_failed) - len(failed),
    )
