"""Which cluster it is: the person's own only when named, kind where an engine answers, else the local one."""

import os

from tests.cluster import builders
from tests.cluster.base import Cluster, Kind
from tests.cluster.common import ClusterError, write
from tests.cluster.existing import ExistingCluster
from tests.cluster.kind import KindCluster
from tests.cluster.local import LocalCluster
from tests.cluster.settings import Settings

CLASSES: dict[Kind, type[Cluster]] = {"local": LocalCluster, "kind": KindCluster, "existing": ExistingCluster}


def wanted() -> Kind:
    """What the environment asks for; raises ClusterError for a value that means nothing."""
    if os.environ.get("LONGTASK_CONTEXT"):
        return "existing"
    match os.environ.get("LONGTASK_CLUSTER", ""):
        case "":
            return "kind" if builders.engine() else "local"
        case "kind":
            return "kind"
        case "local":
            return "local"
        case other:
            raise ClusterError(f"LONGTASK_CLUSTER={other}: it is kind, local, or not set")


def current(settings: Settings) -> Cluster:
    """The cluster that `up` brought up last; raises ClusterError when there is none."""
    try:
        kind = (settings.home / "kind").read_text()
    except OSError as error:
        raise ClusterError(f"no cluster in {settings.home}: make cluster") from error
    for known, cluster in CLASSES.items():
        if known == kind:
            return cluster(settings)
    raise ClusterError(f"{settings.home}/kind holds {kind!r}: make clean-cluster")


def removable(settings: Settings) -> Cluster | None:
    """The cluster to remove, if any; also a local one whose folder somebody removed while it was up."""
    if (settings.home / "kind").exists():
        return current(settings)
    return LocalCluster(settings) if LocalCluster.lives(settings) else None


def chosen(settings: Settings) -> Cluster:
    """The cluster to bring up. One of another kind that is still up is not silently forgotten."""
    kind = wanted()
    mark = settings.home / "kind"
    if mark.exists() and mark.read_text() != kind:
        raise ClusterError(
            f"a cluster of kind {mark.read_text()!r} is up and {kind!r} is wanted now: `make clean-cluster` first"
        )
    write(mark, kind)
    return CLASSES[kind](settings)
