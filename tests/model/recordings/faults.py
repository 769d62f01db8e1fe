"""Ways to break the simulators, each of which some recording must notice: so that the recordings are known to bite.

A fault names a function and what takes its place, made of the real one. What could only be seen in a world of more than
one pod, or in one that never was, is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from longtask.api.names import EXIT_NEVER_RETRY, EXIT_SAVED
from longtask.core.observed import PodPhase
from tests.model import storage
from tests.model.job_controller import CreatePod, DeletePod, DropFinalizer, UpdateStatus
from tests.model.objects import JobCondition, SimJob, SimPod

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.model.job_controller import Write

Function = Callable[..., Any]
Pods = tuple[SimPod, ...]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A way to break a simulator: the function, and what takes its place, made of the real one."""

    function: str
    broken: Callable[[Function], Function]


def _fault(function: str, broken: Callable[[Function], Function]) -> Fault:
    return Fault(function=function, broken=broken)


def _without(writes: Iterable[Write], kind: type[Write]) -> list[Write]:
    return [write for write in writes if not isinstance(write, kind)]


def _first_status_left_out(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    updates = [write for write in writes if isinstance(write, UpdateStatus)]
    return tuple(write for write in writes if len(updates) < 2 or write is not updates[0])


def _on_managed(change: Callable[[list[Write]], list[Write]]) -> Callable[[Function], Function]:
    def make(real: Function) -> Function:
        def manage(*things: object, **pause: bool) -> tuple[list[Write], SimJob]:
            writes, status = real(*things, **pause)
            return change(writes), status

        return manage

    return make


def _limit_off_by(number: int) -> Callable[[Function], Function]:
    return lambda real: lambda job, pods: real(replace(job, backoff_limit=job.backoff_limit + number), pods)


def _stops_before_its_end(real: Function) -> Function:
    def manage(job: SimJob, pods: Pods, status: SimJob, **pause: bool) -> tuple[list[Write], SimJob]:
        writes, after = real(job, pods, replace(status, terminating=0), **pause)
        return writes, replace(after, terminating=status.terminating + after.terminating)

    return manage


def _graceful_though_unscheduled(real: Function) -> Function:
    def delete_pod(pod: SimPod, *, now: int, grace: int) -> SimPod | None:
        after: SimPod | None = real(replace(pod, node=pod.node or "a node"), now=now, grace=grace)
        return None if after is None else replace(after, node=pod.node)

    return delete_pod


FAULTS: Final = {
    # what counts, and what fails a Job
    "counts a pod that exits with 75": _fault("counts_as_failure", lambda _: lambda pod: not pod.disrupted),
    "counts a pod that was evicted": _fault("counts_as_failure", lambda _: lambda pod: pod.exit_code != EXIT_SAVED),
    "counts nothing": _fault("counts_as_failure", lambda _: lambda _pod: False),
    "lets 78 be tried again": _fault("fails_the_job", lambda _: lambda _pod: False),
    "fails a Job by 78 of an evicted pod": _fault(
        "fails_the_job", lambda _: lambda pod: pod.phase is PodPhase.FAILED and pod.exit_code == EXIT_NEVER_RETRY
    ),
    "looks only at pods with a finalizer for 78": _fault(
        "fails_the_job", lambda real: lambda pod: pod.tracked and real(pod)
    ),
    "grants one retry more": _fault("_how_it_finishes", _limit_off_by(1)),
    "grants one retry less": _fault("_how_it_finishes", _limit_off_by(-1)),
    "counts pods that have no finalizer": _fault("_fresh", lambda _: lambda _job, pods: list(pods)),
    # suspending and resuming
    "keeps the finalizer of a pod that a suspension ends": _fault(
        "_manage", _on_managed(lambda writes: _without(writes, DropFinalizer))
    ),
    "deletes the pod before it is free": _fault("_manage", _on_managed(lambda writes: writes[::-1])),
    "does not delete the pod of a suspended Job": _fault(
        "_manage", _on_managed(lambda writes: _without(writes, DeletePod))
    ),
    "forgets the condition Suspended": _fault("_told_of_suspension", lambda _: lambda status, _now: status),
    "says Suspended when the pods have ended": _fault(
        "_told_of_suspension", lambda real: lambda status, now: status if status.terminating else real(status, now)
    ),
    "keeps the start time of a suspended Job": _fault(
        "_told_of_suspension", lambda real: lambda status, now: replace(real(status, now), started=status.started)
    ),
    # replacing pods
    "replaces a pod before it has ended": _fault("_manage", _stops_before_its_end),
    "replaces a failed pod without a pause": _fault(
        "sync", lambda real: lambda *a, **k: real(*a, **{**k, "backing_off": False})
    ),
    "never replaces a pod": _fault("_manage", _on_managed(lambda writes: _without(writes, CreatePod))),
    "creates pods for a Job that is being deleted": _fault(
        "_manage",
        lambda real: lambda job, pods, status, **pause: real(replace(job, deleting=False), pods, status, **pause),
    ),
    # the end of a Job
    "frees pods before it has noted them": _fault(
        "_track", lambda real: lambda *things: sorted(real(*things), key=lambda w: isinstance(w, UpdateStatus))
    ),
    "finishes in one step": _fault("sync", lambda real: lambda *a, **k: _first_status_left_out(real(*a, **k))),
    "keeps finalizers when the Job is being deleted": _fault(
        "_track", lambda real: lambda job, *others: real(replace(job, deleting=False), *others)
    ),
    "leaves finalizers on pods without a Job": _fault("release_orphan", lambda _: lambda _pod, _job: None),
    "frees pods of living Jobs": _fault(
        "release_orphan", lambda _: lambda pod, _job: DropFinalizer(uid=pod.uid) if pod.tracked else None
    ),
    # the kubelet
    "takes exit code 0 for a failure": _fault(
        "report_end", lambda real: lambda *a, **k: replace(real(*a, **k), phase=PodPhase.FAILED)
    ),
    "takes exit code 3 for a success": _fault(
        "report_end", lambda real: lambda *a, **k: replace(real(*a, **k), phase=PodPhase.SUCCEEDED)
    ),
    "says nothing of a pod that was never started": _fault("report_never_started", lambda _: lambda pod, **_now: pod),
    "never says that a container runs": _fault("report_running", lambda _: lambda pod: pod),
    "removes a pod that has not ended": _fault("may_delete", lambda _: lambda pod: pod.asked is not None),
    "never removes a pod": _fault("may_delete", lambda _: lambda _pod: False),
    "removes a pod that has a finalizer": _fault("last_delete", lambda _: lambda _pod, **_now: None),
    # the collectors
    "leaves the pods of a Job that is gone": _fault(
        "collect_pod", lambda real: lambda pod, owners: real(pod, owners) if pod.owner in owners.present else None
    ),
    "leaves the pods of a Job that waits for them": _fault(
        "collect_pod", lambda real: lambda pod, owners: real(pod, replace(owners, leaving=()))
    ),
    "removes a Job before its pods": _fault(
        "collect_job", lambda real: lambda job, _pods, owners: real(job, (), owners)
    ),
    "never removes a Job that waits for its pods": _fault(
        "collect_job", lambda real: lambda job, pods, owners: None if job.deleting else real(job, pods, owners)
    ),
    "leaves the Job of a task that is gone": _fault(
        "collect_job",
        lambda real: lambda job, pods, owners: real(job, pods, owners) if job.owner in owners.present else None,
    ),
    "leaves the Job of a task that waits for it": _fault(
        "collect_job",
        lambda real: (
            lambda job, pods, owners: real(
                job, pods, replace(owners, leaving=[uid for uid in owners.leaving if uid != job.owner])
            )
        ),
    ),
    "removes a task before its Jobs": _fault("collect_task", lambda real: lambda task, _jobs: real(task, ())),
    "never removes a task that waits for its Jobs": _fault("collect_task", lambda _: lambda _task, _jobs: None),
    "evicts without saying why": _fault(
        "evict", lambda _: lambda pod, *, now, grace: storage.delete_pod(pod, now=now, grace=grace)
    ),
    "fails the pods of a gone node as if by themselves": _fault(
        "collect_from_gone_node",
        lambda real: (
            lambda pod, *, now: None if (a := real(pod, now=now)) is None else replace(a, disrupted=pod.disrupted)
        ),
    ),
    # the API server
    "gives a pod that has no node its grace period": _fault("delete_pod", _graceful_though_unscheduled),
    "lets no second deletion shorten the first": _fault(
        "delete_pod",
        lambda real: lambda pod, *, now, grace: real(pod, now=now, grace=grace if pod.asked is None else pod.grace),
    ),
    "keeps a pod whose last finalizer goes": _fault(
        "drop_finalizer", lambda _: lambda pod: replace(pod, tracked=False)
    ),
    "accepts any status": _fault("job_status_refused", lambda _: lambda _old, _new: ""),
    "accepts no Suspended": _fault(
        "job_status_refused", lambda _: lambda _old, new: "no" if new.says(JobCondition.SUSPENDED) else ""
    ),
}
