"""The door for tests and the demo: the cluster that is up, as an object.

cluster = api.current()
with cluster.frozen(cluster.kubelet_of("node-1")):
    ...                                             # a lost node
with cluster.stopped("kube-apiserver", kill=True):
    ...                                             # the API server away
cluster.kill_container(pod_uid, "worker")           # SIGKILL in the middle of a batch
"""

from tests.cluster import choice
from tests.cluster.base import Cluster, Kind
from tests.cluster.common import ClusterError, wait_for
from tests.cluster.settings import load


def current() -> Cluster:
    """The cluster that is up; raises ClusterError when there is none."""
    return choice.current(load())


__all__ = ["Cluster", "ClusterError", "Kind", "current", "wait_for"]
