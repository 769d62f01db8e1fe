"""The garbage collector and the pod collector of Kubernetes 1.36.3: what goes because something else has gone.

Pure functions on one object and the UIDs that exist. It must not know our operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING

from longtask.core.observed import PodPhase
from tests.model.objects import changed
from tests.model.storage import delete_pod

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tests.model.objects import SimJob, SimPod, SimTask


@unique
class Collect(StrEnum):
    """What the garbage collector does to an object."""

    DELETE = "delete it; its own dependents follow"
    DELETE_IN_FOREGROUND = "delete it after its dependents"
    RELEASE = "take off the finalizer foregroundDeletion: it is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """UIDs of what there is, and of those of them that are being deleted in the foreground."""

    present: Collection[str]
    leaving: Collection[str]


def collect_pod(pod: SimPod, owners: Owners) -> Collect | None:
    """What is to be done to a pod. attemptToDeleteItem in pkg/controller/garbagecollector/garbagecollector.go.

    One that is being deleted is left alone; one whose owner is gone, or waits for its dependents, is deleted.
    """
    if pod.owner is None or pod.asked is not None:
        return None
    if pod.owner not in owners.present or pod.owner in owners.leaving:
        return Collect.DELETE
    return None


def collect_job(job: SimJob, pods: Iterable[SimPod], owners: Owners) -> Collect | None:
    """What is to be done to a Job. attemptToDeleteItem, processDeletingDependentsItem.

    All pods of a Job block its deletion in the foreground (NewControllerRef sets blockOwnerDeletion).
    """
    dependents = any(pod.owner == job.uid for pod in pods)
    if job.deleting:
        return None if dependents else Collect.RELEASE
    if job.owner is None:
        return None
    if job.owner not in owners.present:
        return Collect.DELETE
    if job.owner in owners.leaving:
        return Collect.DELETE_IN_FOREGROUND if dependents else Collect.DELETE
    return None


def collect_task(task: SimTask, jobs: Iterable[SimJob]) -> Collect | None:
    """A task that is deleted in the foreground goes after its Jobs."""
    return Collect.RELEASE if task.foreground and not any(job.owner == task.uid for job in jobs) else None


def collect_from_gone_node(pod: SimPod, *, now: int) -> SimPod | None:
    """A pod of a node that does not exist any more: it has failed by a disruption, and is deleted at once.

    gcOrphaned and markFailedAndDeletePodWithCondition in pkg/controller/podgc/gc_controller.go.
    """
    failed = pod if pod.final else changed(pod, phase=PodPhase.FAILED, disrupted=True)
    return delete_pod(failed, now=now, grace=0)


def collect_unscheduled(pod: SimPod, *, now: int) -> SimPod | None:
    """A pod that is to go and has no node, so that no kubelet ends it: it has failed, and not by a disruption.

    gcUnscheduledTerminating in pkg/controller/podgc/gc_controller.go, every 20 s. So deleting a pod that waits for a
    node uses a retry of its Job.
    """
    if pod.asked is None or pod.node is not None:
        return pod
    return delete_pod(pod if pod.final else changed(pod, phase=PodPhase.FAILED), now=now, grace=0)


def evict(pod: SimPod, *, now: int, grace: int) -> SimPod | None:
    """A pod of a node that is not ready, drained or full: it is a disruption, and the pod is asked to end.

    addConditionAndDeletePod in pkg/controller/tainteviction/taint_eviction.go; the eviction API does the same.
    """
    return delete_pod(changed(pod, disrupted=True), now=now, grace=grace)
