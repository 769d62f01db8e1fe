"""A namespace on the real cluster with the operator in it, for the parts that need kubelets.

It must not know what is measured.
"""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.api import current
from tests.cluster.local import LocalCluster
from tests.e2e.support.client import Api, kubeconfig_path

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def namespace_with_operator() -> Iterator[tuple[Api, str]]:
    """A namespace for the length of a `with` block. Raises RuntimeError where there is no cluster or no operator."""
    api = Api.from_kubeconfig(kubeconfig_path())
    found = api.find("Deployment", "longtask-operator", "longtask-system")
    if found is None or not found["status"].get("availableReplicas"):
        raise RuntimeError("the operator is not installed in this cluster: make cluster image deploy")
    namespace = f"bench-{uuid.uuid4().hex[:6]}"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        yield api, namespace
    finally:
        api.delete("Namespace", namespace)


def flags(api: Api) -> dict[str, str]:
    """What numbers from this cluster depend on."""
    cluster = current()
    version = {"cluster": cluster.kind, "Kubernetes": str(api.request("GET", "/version")["gitVersion"])}
    if not isinstance(cluster, LocalCluster):
        return version
    commands = {name: _command(cluster, name) for name in ("kube-controller-manager", "etcd")}
    rates = [word for word in commands["kube-controller-manager"] if word.startswith("--kube-api-")]
    fsync = "without fsync" if "--unsafe-no-fsync" in commands["etcd"] else "with fsync"
    return {**version, "kube-controller-manager": " ".join(rates), "etcd": fsync}


def _command(cluster: LocalCluster, name: str) -> list[str]:
    """The command line of a component as it runs."""
    return Path(f"/proc/{cluster._processes.pid(name)}/cmdline").read_text().split("\0")
