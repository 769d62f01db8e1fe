"""The local cluster: real components as processes of this machine, for where there is no container engine.

All of them live in a network namespace and a mount namespace that the first process, the sandbox, holds. What they do
to interfaces, rules, routes and mounts, they do there, and it ends with them.
"""

import json
import shutil
from pathlib import Path

from tests.cluster import build, configs, containers, host, pause, pki
from tests.cluster.base import IMAGE, Cluster
from tests.cluster.cgroups import Cgroups
from tests.cluster.common import ClusterError, run, step, succeeds, wait_for, write
from tests.cluster.engine import FORWARDER, Engine
from tests.cluster.settings import API_ADDRESS, API_PORT, NODES, Node, Settings

KEPT = ("bin", "go", "image", "logs", "lock")
"""What `down` leaves in the cluster's folder: programs that take long to make, and what to read after a failure."""


class LocalCluster(Cluster):
    """See the module."""

    kind = "local"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._engine = Engine(settings)
        self._processes = self._engine.processes

    def prepare(self) -> None:
        host.prepare(self.settings)

    def build(self) -> None:
        build.everything(self.settings)

    def up(self) -> None:
        self.prepare()
        self.build()
        with step("starting the components (half a minute the first time)"):
            self._engine.start_sandbox()
            self._configure()
            for wave in sorted({component.wave for component in self._engine.table.values()}):
                self._engine.start_wave(name for name, part in self._engine.table.items() if part.wave == wave)
                if wave == 0:
                    self._load_pause()
            self._engine.start(FORWARDER)
            server = f"https://127.0.0.1:{self._engine.port()}"
            write(self.kubeconfig, pki.kubeconfig(self.settings.pki, "admin", server), mode=0o600)
            self._usable()

    def down(self) -> None:
        for node in NODES:  # first, or they would start again what is killed
            self._processes.kill(node.kubelet)
        self._processes.cgroups.kill()
        if self.settings.home.exists():
            for path in self.settings.home.iterdir():
                if path.name not in KEPT:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    @staticmethod
    def lives(settings: Settings) -> bool:
        """Whether something of this cluster runs, whatever its folder says."""
        return Path("/sys/fs/cgroup").exists() and bool(Cgroups(settings.id).pids())

    def load_image(self, archive: Path, name: str = IMAGE) -> None:  # noqa: ARG002 - the archive says it
        for node in NODES:
            run([*self._ctr(node), "images", "import", archive], seconds=300)

    def has_image(self, name: str = IMAGE) -> bool:
        return all(containers.has_image(self._ctr(node), name) for node in NODES)

    def components(self) -> list[str]:
        return self._engine.names

    def state(self, name: str) -> str:
        return self._engine.state(name)

    def healthy(self, name: str) -> bool:
        """Whether it runs and says that it is well."""
        return self._engine.healthy(name)

    def start(self, name: str) -> None:
        self._engine.start(name)

    def stop(self, name: str) -> None:
        self._engine.state(name)
        self._processes.stop(name)

    def kill(self, name: str) -> None:
        self._engine.state(name)
        self._processes.kill(name)

    def freeze(self, name: str) -> None:
        self._engine.state(name)
        self._processes.freeze(name)

    def thaw(self, name: str) -> None:
        self._engine.state(name)
        self._processes.thaw(name)

    def log(self, name: str) -> Path:
        self._engine.state(name)
        return self._processes.log(name)

    def audit_log(self) -> Path:
        return self.settings.logs / "audit.log"

    def kubelet_of(self, node: str) -> str:
        return self._node(node).kubelet

    def containerd_of(self, node: str) -> str:
        """The component that is the containerd of a node."""
        return self._node(node).containerd

    def kill_container(self, pod_uid: str, container: str, signal: str = "KILL") -> None:
        if not any(containers.kill(self._ctr(node), pod_uid, container, signal) for node in NODES):
            raise ClusterError(f"no running container {container} of a pod with UID {pod_uid}")

    def _node(self, name: str) -> Node:
        for node in NODES:
            if node.name == name:
                return node
        raise ClusterError(f"no node {name}; there are {', '.join(node.name for node in NODES)}")

    def _ctr(self, node: Node) -> list[str]:
        return ["ctr", "--address", str(self._engine.runtime_socket(node)), "--namespace", "k8s.io"]

    def _configure(self) -> None:
        """Write certificates and configuration files; those that are as they should be stay untouched."""
        home = self.settings.home
        pki.make(self.settings.pki)
        files = {
            "resolv.conf": "",
            "cni/10-longtask.conflist": configs.cni(),
            "kube-proxy.json": configs.kube_proxy(),
            "audit-policy.json": configs.audit_policy(),
        }
        inside = f"https://{API_ADDRESS}:{API_PORT}"
        for name in ("kube-controller-manager", "kube-scheduler", "kube-proxy", *(node.kubelet for node in NODES)):
            files[f"{name}.kubeconfig"] = pki.kubeconfig(self.settings.pki, name, inside)
        for node in NODES:
            files[f"{node.kubelet}.json"] = configs.kubelet(node, self.settings.id)
            files[f"{node.containerd}.toml"] = configs.containerd(node)
            (home / node.name).mkdir(exist_ok=True)
        for name, text in files.items():
            write(self.settings.config / name, text, mode=0o600)

    def _load_pause(self) -> None:
        archive = self.settings.home / "pause.tar"
        for node in NODES:
            if configs.PAUSE_IMAGE not in run([*self._ctr(node), "images", "list", "--quiet"]).split():
                pause.archive(host.BUSYBOX, archive)
                run([*self._ctr(node), "images", "import", archive])

    def _usable(self) -> None:
        """Wait until a pod could run: nodes ready, a default storage class and service account."""
        for manifest in (configs.storage_class(), configs.no_dns()):
            self.kubectl("apply", "--filename=-", stdin=manifest)
        wait_for("nodes Ready", self._nodes_ready, seconds=90, hint=lambda: self._engine.tail(NODES[0].kubelet))
        wait_for(
            "the default service account",
            lambda: succeeds([self.kubectl_path, "--kubeconfig", self.kubeconfig, "get", "serviceaccount/default"]),
            seconds=30,
        )

    def _nodes_ready(self) -> bool:
        nodes = json.loads(self.kubectl("get", "nodes", "--output=json", seconds=20))["items"]
        ready = [
            node["metadata"]["name"]
            for node in nodes
            for condition in node.get("status", {}).get("conditions", [])
            if condition["type"] == "Ready" and condition["status"] == "True"
        ]
        return len(ready) == len(NODES)
