"""The kubelet of Kubernetes 1.36.3: what it reports of a pod, and its last delete. Pure functions on one pod.

For our pods: restartPolicy Never, one container that counts. What goes on in the container is a `SimProcess`; it may
differ from what the API server has been told. It must not know what the worker does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longtask.core.observed import PodPhase
from tests.model.objects import changed
from tests.model.storage import delete_pod

if TYPE_CHECKING:
    from tests.model.objects import SimPod, SimProcess

KILLED = 137
"""The exit code of a container that SIGKILL has ended, and of one that is gone without anybody knowing how."""


def report_running(pod: SimPod) -> SimPod:
    """The container runs. getPhase in pkg/kubelet/kubelet_pods.go: all are started, one is running."""
    return pod if pod.final else changed(pod, phase=PodPhase.RUNNING, running=True)


def report_exit(pod: SimPod, exit_code: int, *, now: int) -> SimPod:
    """The container has ended; its pod has not yet.

    mergePodStatus in pkg/kubelet/status/status_manager.go: the phase stays until no container can be running.
    """
    return pod if pod.final else changed(pod, running=False, exit_code=exit_code, ended=now)


def report_end(pod: SimPod, exit_code: int, *, now: int) -> SimPod:
    """Container and pod have ended: `Succeeded` for 0, else `Failed`. A final phase is never left.

    getPhase and generateAPIPodStatus in pkg/kubelet/kubelet_pods.go.
    """
    if pod.final:
        return pod
    ended = pod if pod.exit_code is not None else report_exit(pod, exit_code, now=now)
    return changed(ended, phase=PodPhase.FAILED if ended.exit_code else PodPhase.SUCCEEDED)


def report_never_started(pod: SimPod, *, now: int) -> SimPod:
    """A pod that was deleted before its container had started has failed.

    TerminatePod in pkg/kubelet/status/status_manager.go gives such a container the code 137 and no time of its own.
    """
    return report_end(pod, KILLED, now=now)


def report(pod: SimPod, process: SimProcess | None, *, now: int) -> tuple[SimPod, ...]:
    """What the kubelet may say next of a pod whose process is that; None: it was not started."""
    if pod.final:
        return ()
    if process is None:
        return () if pod.asked is None else (report_never_started(pod, now=now),)
    if process.exit_code is None:
        return () if pod.running else (report_running(pod),)
    end = report_end(pod, process.exit_code, now=now)
    return (end,) if pod.exit_code is not None else (report_exit(pod, process.exit_code, now=now), end)


def may_delete(pod: SimPod) -> bool:
    """Whether the kubelet makes its last delete. canBeDeleted in pkg/kubelet/status/status_manager.go."""
    return pod.asked is not None and pod.final


def last_delete(pod: SimPod, *, now: int) -> SimPod | None:
    """A deletion with a grace of 0 that is bound to the UID. A finalizer keeps the object, with the time set anew.

    syncPod in pkg/kubelet/status/status_manager.go.
    """
    return delete_pod(pod, now=now, grace=0)
