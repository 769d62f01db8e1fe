"""A cluster of the person's own, named by `LONGTASK_CONTEXT`, and never touched beyond what is deployed into it."""

import json
import os
from pathlib import Path
from typing import Any, NoReturn

from tests.cluster import build
from tests.cluster.base import IMAGE, Cluster
from tests.cluster.common import ClusterError, run, say, write


class ExistingCluster(Cluster):
    """Its components are out of reach: tests that need to stop one say so and fail."""

    kind = "existing"

    def prepare(self) -> None:
        """Install nothing."""

    def build(self) -> None:
        build.tools(self.settings)

    def up(self) -> None:
        """Copy the named context out of the person's kubeconfig; creates nothing."""
        self.build()
        context = os.environ.get("LONGTASK_CONTEXT", "")
        one = run([self.kubectl_path, "config", "view", f"--context={context}", "--minify", "--flatten", "--raw"])
        write(self.kubeconfig, one, mode=0o600)
        self.kubectl("version", seconds=30)

    def down(self) -> None:
        """Forget the copy; removes nothing of the cluster."""
        self.kubeconfig.unlink(missing_ok=True)

    def load_image(self, archive: Path, name: str = IMAGE) -> None:
        """Take the image that the person has put there; which sources it was built from can't be seen from here."""
        if not self.has_image(name):
            raise ClusterError(f"load {archive} into the nodes of this cluster, where it is called {name}; then again")
        say(f"the nodes have an image {name}; that it was loaded from {archive} is up to you")

    def has_image(self, name: str = IMAGE) -> bool:
        nodes = json.loads(self.kubectl("get", "nodes", "--output=json", seconds=30))["items"]
        return bool(nodes) and all(_holds(node, name) for node in nodes)

    def components(self) -> list[str]:
        return []

    def state(self, name: str) -> str:
        self._refuse(name)

    def start(self, name: str) -> None:
        self._refuse(name)

    def stop(self, name: str) -> None:
        self._refuse(name)

    def kill(self, name: str) -> None:
        self._refuse(name)

    def freeze(self, name: str) -> None:
        self._refuse(name)

    def thaw(self, name: str) -> None:
        self._refuse(name)

    def log(self, name: str) -> Path:
        self._refuse(name)

    def audit_log(self) -> Path:
        self._refuse("the audit log")

    def kubelet_of(self, node: str) -> str:
        self._refuse(f"the kubelet of {node}")

    def kill_container(self, pod_uid: str, container: str, signal: str = "KILL") -> None:
        self._refuse(f"{signal} for container {container} of pod {pod_uid}")

    def _refuse(self, what: str) -> NoReturn:
        raise ClusterError(f"{what} of an existing cluster is out of reach; use kind or the local cluster")


def _holds(node: dict[str, Any], name: str) -> bool:
    """Whether a node reports the image; without a registry's name it means Docker's."""
    images = node.get("status", {}).get("images", [])
    return any(found in {name, f"docker.io/library/{name}"} for image in images for found in image.get("names") or [])
