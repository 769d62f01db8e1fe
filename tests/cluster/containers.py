"""Reaching a container's process by containerd's own client, past kubelet and API server."""

import signal as signals
from collections.abc import Sequence

from tests.cluster.common import run


def kill(ctr: Sequence[str], pod_uid: str, container: str, signal: str) -> bool:
    """Signal the first process of a pod's container; `ctr` is the client of one node. False when none runs there."""
    number = signals.Signals[f"SIG{signal}"].name
    running = running_tasks(run([*ctr, "tasks", "list"]))
    wanted = f'labels."io.kubernetes.pod.uid"=={pod_uid},labels."io.kubernetes.container.name"=={container}'
    for name in run([*ctr, "containers", "list", "--quiet", wanted]).split():
        if name in running:
            run([*ctr, "tasks", "kill", "--signal", number, name])
            return True
    return False


def running_tasks(listing: str) -> set[str]:
    """Read `ctr tasks list`, whose columns are task, process id and status: the containers that run."""
    rows = [line.split() for line in listing.splitlines()[1:]]
    return {row[0] for row in rows if row[-1:] == ["RUNNING"]}


def has_image(ctr: Sequence[str], name: str) -> bool:
    """Whether a node has an image of that name, for which Docker's registry is the default one."""
    return f"docker.io/library/{name}" in run([*ctr, "images", "list", "--quiet"]).split()
