"""Where a cluster lives: folders, names and addresses.

The addresses are those of a network namespace of the cluster's own. Nothing outside sees them, so they are the same
for every cluster, and several can run side by side on one machine.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "1.36.3"
CONTEXT = "longtask-test"
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
API_PORT = 6443
INSIDE = Path("/run/longtask")
"""Where the components see the cluster's folder: a short path, for a socket's may have 107 characters."""


@dataclass(frozen=True)
class Node:
    """A node of the local cluster: a kubelet and a containerd."""

    number: int

    @property
    def name(self) -> str:
        return f"node-{self.number}"

    @property
    def address(self) -> str:
        return f"192.168.255.{self.number}"

    @property
    def kubelet(self) -> str:
        return f"kubelet-{self.number}"

    @property
    def containerd(self) -> str:
        return f"containerd-{self.number}"

    @property
    def kubelet_health_port(self) -> int:
        return 10300 + self.number

    @property
    def folder(self) -> Path:
        """As the components see it."""
        return INSIDE / self.name

    @property
    def socket(self) -> Path:
        """As the components see it."""
        return Path(f"/run/{self.containerd}/containerd.sock")


NODES = (Node(1), Node(2))
"""Two, because Kubernetes stops evicting when no node is left: a lost node needs one that is not."""
API_ADDRESS = NODES[0].address


@dataclass(frozen=True)
class Settings:
    """`home` holds everything of the cluster; `repo` is the root of the project."""

    repo: Path
    home: Path

    @property
    def id(self) -> str:
        """Names what can't be inside `home`: control groups, and the cluster of kind."""
        return f"longtask-{hashlib.sha256(str(self.home).encode()).hexdigest()[:8]}"

    @property
    def parts(self) -> Path:
        return self.repo / "tests" / "cluster" / "parts"

    @property
    def bin(self) -> Path:
        return self.home / "bin"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def pki(self) -> Path:
        return self.home / "pki"

    @property
    def config(self) -> Path:
        return self.home / "config"

    @property
    def run(self) -> Path:
        """Process ids and marks of what was done."""
        return self.home / "run"

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    @property
    def environment(self) -> dict[str, str]:
        """For kubectl and helm: what they keep about a cluster goes where the cluster is, not into the home folder."""
        return {"KUBECACHEDIR": str(self.home / "kubectl"), "HELM_CACHE_HOME": str(self.home / "helm")}

    @property
    def cache(self) -> Path:
        """Outside the clone: what a second clone on this machine need not make again."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "longtask"


def load() -> Settings:
    """`LONGTASK_CLUSTER_DIR` moves the cluster's folder, which also makes it a cluster of its own."""
    repo = Path(__file__).resolve().parents[2]
    home = os.environ.get("LONGTASK_CLUSTER_DIR")
    return Settings(repo=repo, home=Path(home).absolute() if home else repo / ".cluster")
