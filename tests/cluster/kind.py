"""A cluster of kind, where Docker or Podman answers. Its nodes are containers, reached by the engine's `exec`.

The control plane's parts are static pods: one is stopped by taking its manifest away from the kubelet, which also
keeps the kubelet from starting it again. Kubelet and containerd are services of systemd in each node.
"""

import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from tests.cluster import build, builders, configs, containers
from tests.cluster.base import IMAGE, Cluster
from tests.cluster.common import ClusterError, run, say, step, succeeds, wait_for, write
from tests.cluster.settings import CONTEXT, Settings

STATIC = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
MANIFESTS = "/etc/kubernetes/manifests"
ASIDE = "/etc/kubernetes/stopped"
AUDIT_LOG = "/var/log/longtask/audit.log"


class KindCluster(Cluster):
    """See the module. Nodes are `<id>-control-plane` and `<id>-worker`; `kubelet-1` is the kubelet of the first."""

    kind = "kind"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.nodes = (f"{settings.id}-control-plane", f"{settings.id}-worker")
        self._created = settings.run / "kind-created"

    def prepare(self) -> None:
        """Install nothing: an engine is there, or it is up to the person to start one."""
        say(f"using kind with {self._engine}")

    def build(self) -> None:
        build.tools_and_kind(self.settings)

    def up(self) -> None:
        self.prepare()
        self.build()
        if self.settings.id in self._kind("get", "clusters").split() and not self._created.exists():
            say("an earlier creation did not come to its end: beginning again")
            self._kind("delete", "cluster", f"--name={self.settings.id}")
        if not self._created.exists():
            self._create()
        for node in self.nodes:
            run([self._engine, "start", node])
        write(self.kubeconfig, self._kind("get", "kubeconfig", f"--name={self.settings.id}"), mode=0o600)
        self.kubectl("config", "rename-context", f"kind-{self.settings.id}", CONTEXT)
        for name in self.components():
            self.start(name)
        wait_for("the API server", lambda: self._succeeds("get", "--raw=/readyz"), seconds=120)
        self.kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=120s")

    def down(self) -> None:
        self.build()
        self._kind("delete", "cluster", f"--name={self.settings.id}")
        for folder in (self.settings.run, self.settings.config):
            shutil.rmtree(folder, ignore_errors=True)
        self.kubeconfig.unlink(missing_ok=True)

    def load_image(self, archive: Path, name: str = IMAGE) -> None:  # noqa: ARG002 - the archive says it
        self._kind("load", "image-archive", str(archive), f"--name={self.settings.id}")

    def has_image(self, name: str = IMAGE) -> bool:
        return all(containers.has_image(self._ctr(node), name) for node in self.nodes)

    def components(self) -> list[str]:
        services = [
            f"{service}-{number}" for number, _ in enumerate(self.nodes, 1) for service in ("containerd", "kubelet")
        ]
        return [*services, *STATIC]

    def state(self, name: str) -> str:
        node, program = self._place(name)
        letters = self._exec(node, "sh", "-c", f"ps -C {program} -o stat= || true").split()
        if not letters:
            return "stopped"
        return "frozen" if all(letter.startswith("T") for letter in letters) else "running"

    def start(self, name: str) -> None:
        node, program = self._place(name)
        if self.state(name) == "frozen":
            self.thaw(name)
        if program in STATIC:
            self._move(node, program, ASIDE, MANIFESTS)
        else:
            self._exec(node, "systemctl", "start", program)
        self._await(name, lambda state: state == "running", seconds=90)

    def stop(self, name: str) -> None:
        node, program = self._place(name)
        if program in STATIC:
            self._move(node, program, MANIFESTS, ASIDE)
        else:
            self._exec(node, "systemctl", "stop", program)
        self._await(name, lambda state: state == "stopped", seconds=90)

    def kill(self, name: str) -> None:
        node, program = self._place(name)
        if program in STATIC:
            self._move(node, program, MANIFESTS, ASIDE)  # or it would be back at once
            self._signal(name, "KILL")
        else:
            self._exec(node, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", program)
            self._exec(node, "systemctl", "stop", program)
        self._await(name, lambda state: state == "stopped", seconds=90)

    def freeze(self, name: str) -> None:
        self._signal(name, "STOP")
        self._await(name, lambda state: state == "frozen", seconds=10)

    def thaw(self, name: str) -> None:
        self._signal(name, "CONT")
        self._await(name, lambda state: state != "frozen", seconds=10)

    def log(self, name: str) -> Path:
        """A copy of the log as it is now."""
        node, program = self._place(name)
        static = ["sh", "-c", f"cat /var/log/containers/{program}-*.log"]
        text = self._exec(node, *(static if program in STATIC else ["journalctl", "--no-pager", f"--unit={program}"]))
        return self._copy(f"{name}.log", text)

    def audit_log(self) -> Path:
        """A copy of the audit log as it is now."""
        return self._copy("audit.log", self._exec(self.nodes[0], "cat", AUDIT_LOG))

    def kubelet_of(self, node: str) -> str:
        if node not in self.nodes:
            raise ClusterError(f"no node {node}; there are {', '.join(self.nodes)}")
        return f"kubelet-{self.nodes.index(node) + 1}"

    def kill_container(self, pod_uid: str, container: str, signal: str = "KILL") -> None:
        if not any(containers.kill(self._ctr(node), pod_uid, container, signal) for node in self.nodes):
            raise ClusterError(f"no running container {container} of a pod with UID {pod_uid}")

    def _create(self) -> None:
        write(self.settings.config / "audit-policy.json", configs.audit_policy())
        config = self.settings.parts.parent / "kind.yaml"
        with step("creating a cluster with kind (1 to 3 minutes, and a download of 400 MB the first time)"):
            self._kind("create", "cluster", f"--name={self.settings.id}", f"--config={config}", "--wait=180s")
        self.kubectl("taint", "nodes", self.nodes[0], "node-role.kubernetes.io/control-plane:NoSchedule-")
        write(self._created, "")

    def _kind(self, *words: str) -> str:
        """Run kind where its configuration's relative paths lead to, and away from the person's kubeconfig."""
        self.settings.config.mkdir(parents=True, exist_ok=True)
        env = {"KIND_EXPERIMENTAL_PROVIDER": self._engine, "KUBECONFIG": str(self.kubeconfig)}
        return run([self.settings.bin / "kind", *words], env=env, cwd=self.settings.config, seconds=900)

    @cached_property
    def _engine(self) -> str:
        found = builders.engine()
        if found is None:
            raise ClusterError("kind needs Docker or Podman, and neither answers: start one, or LONGTASK_CLUSTER=local")
        return found

    def _exec(self, node: str, *words: str) -> str:
        return run([self._engine, "exec", node, *words], seconds=120)

    def _ctr(self, node: str) -> list[str]:
        return [self._engine, "exec", node, "ctr", "--namespace", "k8s.io"]

    def _place(self, name: str) -> tuple[str, str]:
        """The node that a component runs on, and its program's name there."""
        if name not in self.components():
            raise ClusterError(f"no component {name}; there are {', '.join(self.components())}")
        if name in STATIC:
            return self.nodes[0], name
        service, _, number = name.rpartition("-")
        return self.nodes[int(number) - 1], service

    def _move(self, node: str, program: str, source: str, target: str) -> None:
        """Take a static pod's manifest to where the kubelet looks, or away from there."""
        there = f"test ! -e {source}/{program}.yaml"
        self._exec(node, "sh", "-c", f"mkdir -p {target} && {{ {there} || mv {source}/{program}.yaml {target}/; }}")

    def _signal(self, name: str, signal: str) -> None:
        """Names are those of the node's own processes: a container sees no others."""
        node, program = self._place(name)
        self._exec(node, "pkill", f"--signal={signal}", "--exact", program[:15])

    def _await(self, name: str, reached: Callable[[str], bool], seconds: float) -> None:
        wait_for(f"{name} as asked", lambda: reached(self.state(name)), seconds=seconds, hint=lambda: self.state(name))

    def _succeeds(self, *words: str) -> bool:
        return succeeds([self.kubectl_path, f"--kubeconfig={self.kubeconfig}", *words])

    def _copy(self, name: str, text: str) -> Path:
        write(self.settings.logs / name, text)
        return self.settings.logs / name
