"""A control plane of its own for the benchmarks: the real components on loopback, and kwok in the place of kubelets.

Made from the same binaries as the local cluster of the tests, but without its namespaces, containers and root, and with
what a fair measurement needs: etcd that calls fsync, rates of the controller manager that are stated, an audit log of
every write. It must not know what is measured.
"""

from __future__ import annotations

import json
import os
import ssl
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config

from longtask.api import names
from longtask.shell.api import Api
from tests.bench import kwok
from tests.bench.children import Child, free_port
from tests.cluster import build, pki
from tests.cluster.common import run, wait_for, write
from tests.cluster.settings import KUBERNETES, Settings, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

ACCOUNT: Final = f"system:serviceaccount:{names.OPERATOR_NAMESPACE}:{names.OPERATOR_NAME}"
"""Whose writes are the operator's."""

MANAGER_FLAGS: Final = ("--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-job-syncs=20")
SCHEDULER_FLAGS: Final = ("--kube-api-qps=1000", "--kube-api-burst=2000")
ETCD_FLAGS: Final = ("--quota-backend-bytes=8589934592", "--log-level=warn")
REQUEST_SECONDS: Final = 60.0

Json = dict[str, Any]


class Plane:
    """A running control plane for the length of a `with` block, with the operator's resource and rules installed."""

    def __init__(self, *, reads_of: Sequence[str] = (), settings: Settings | None = None) -> None:
        """`reads_of`: users of whom the audit log has the reads, too."""
        self.settings = settings or load()
        self._reads_of = reads_of
        self._stack = ExitStack()
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Plane:
        """Build what is missing and bring everything up. Raises ProgramError or ClusterError."""
        build.everything(self.settings)
        kwok.program(self.settings)
        try:
            self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="longtask-bench-")))
            self.audit_log = self.folder / "audit.log"
            self._configure()
            self._start()
            self._install()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the programs, the last first, and remove their files."""
        self._stack.close()

    @property
    def versions(self) -> dict[str, str]:
        """By program."""
        return {"Kubernetes": KUBERNETES, "kwok": kwok.VERSION, "etcd": self._etcd_version()}

    @property
    def flags(self) -> dict[str, str]:
        """What the numbers depend on."""
        return {
            "etcd": f"one member, with fsync, {' '.join(ETCD_FLAGS)}",
            "kube-apiserver": "audit log at Metadata of all writes; all other flags as they are by default",
            "kube-controller-manager": " ".join(MANAGER_FLAGS),
            "kube-scheduler": " ".join(SCHEDULER_FLAGS),
            "kwok": f"{kwok.NODES} nodes, podPlayStageParallelism {kwok.PARALLEL}, stages of our own",
            "network": "loopback, TLS",
        }

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Child:
        """Run one more program until the plane ends, or until somebody stops it before. The log has its name."""
        child = Child(name, command, self.folder / f"{name}.log", env)
        self._stack.callback(child.stop)
        self.children[name] = child
        return child

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl as admin and return its stdout."""
        command: list[str | Path] = [self.settings.bin / "kubectl", f"--kubeconfig={self.kubeconfig}", *words]
        return run(command, env={"KUBECACHEDIR": str(self.folder / "cache")}, stdin=stdin, seconds=120)

    def kubeconfig_of(self, account: str, namespace: str) -> Path:
        """A kubeconfig with a token of a service account, as a pod of it would have."""
        path = self.folder / f"{account}.kubeconfig"
        token = self.kubectl("create", "token", account, f"--namespace={namespace}", "--duration=24h").strip()
        document = json.loads(self.kubeconfig.read_text())
        document["users"][0]["user"] = {"token": token}
        write(path, json.dumps(document), mode=0o600)
        return path

    async def api(self, kubeconfig: Path | None = None) -> Api:
        """A door to the API server, by default as admin. Close it."""
        configuration = Configuration()
        configuration.connection_pool_maxsize = 128
        path = str(kubeconfig or self.kubeconfig)
        await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=path, client_configuration=configuration, persist_config=False
        )
        return Api(configuration, request_seconds=REQUEST_SECONDS)

    def make_namespace(self, name: str) -> None:
        """Make a namespace, and wait until pods can be created in it."""
        self.kubectl("create", "namespace", name)
        wait_for(
            f"default account of {name}",
            lambda: "default" in self.kubectl("get", "serviceaccounts", "--output=name", f"--namespace={name}"),
            seconds=60,
        )

    # --- Bringing it up ---

    def _configure(self) -> None:
        pki.make(self.folder / "pki")
        ports = ("etcd", "peer", "api", "manager", "scheduler")
        self._port = {name: free_port() for name in ports}
        self.server = f"https://127.0.0.1:{self._port['api']}"
        for name in ("admin", "kube-controller-manager", "kube-scheduler"):
            write(self._config(name), pki.kubeconfig(self.folder / "pki", name, self.server), mode=0o600)
        self.kubeconfig = self._config("admin")
        write(self.folder / "audit-policy.json", json.dumps(audit_policy(self._reads_of)))
        write(self.folder / "kwok.yaml", kwok.configuration())

    def _start(self) -> None:
        port = self._port
        self._begin("etcd", self._etcd(), f"http://127.0.0.1:{port['etcd']}/health")
        self._begin("kube-apiserver", self._apiserver(), f"{self.server}/readyz")
        self._begin("kube-controller-manager", self._manager(), f"https://127.0.0.1:{port['manager']}/healthz")
        self._begin("kube-scheduler", self._scheduler(), f"https://127.0.0.1:{port['scheduler']}/healthz")
        words = [f"--kubeconfig={self.kubeconfig}", f"--config={self.folder / 'kwok.yaml'}"]
        self.start("kwok", [kwok.program(self.settings), "-v=WARN", *words], env=_bare(self.folder))

    def _begin(self, name: str, words: Sequence[str], url: str) -> None:
        child = self.start(name, [self.settings.bin / name, *words], env=_bare(self.folder))
        child.wait_until(f"{url} well", lambda: _answers(url), seconds=120)

    def _install(self) -> None:
        """The nodes, and everything of `manifests/install.yaml` but the operator's Deployment."""
        nodes = [kwok.node(number) for number in range(kwok.NODES)]
        self.kubectl("apply", "--filename=-", stdin=_all(nodes))
        manifest = (self.settings.repo / "manifests" / "install.yaml").read_text()
        documents = [part for part in yaml.safe_load_all(manifest) if part and part["kind"] != "Deployment"]
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.OPERATOR_NAMESPACE}}
        self.kubectl("apply", "--server-side", "--filename=-", stdin=_all([namespace]))
        self.kubectl("apply", "--server-side", "--filename=-", stdin=_all(documents))
        self.kubectl("wait", "--for=condition=Established", f"crd/{names.CRD_NAME}", "--timeout=60s")
        wait_for("nodes that take pods", self._nodes_ready, seconds=120, hint=self.children["kwok"].tail)

    def _nodes_ready(self) -> bool:
        found = json.loads(self.kubectl("get", "nodes", "--output=json"))["items"]
        ready = [
            any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"].get("conditions", ()))
            and not item["spec"].get("taints")
            for item in found
        ]
        return len(ready) == kwok.NODES and all(ready)

    def _etcd(self) -> list[str]:
        clients, peers = (f"http://127.0.0.1:{self._port[name]}" for name in ("etcd", "peer"))
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            *ETCD_FLAGS,
        ]

    def _apiserver(self) -> list[str]:
        keys = self.folder / "pki"
        return [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # the service `kubernetes` may not lead to a loopback address
            f"--secure-port={self._port['api']}",
            f"--etcd-servers=http://127.0.0.1:{self._port['etcd']}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=Node,RBAC",
            f"--client-ca-file={keys}/ca.crt",
            f"--tls-cert-file={keys}/kube-apiserver.crt",
            f"--tls-private-key-file={keys}/kube-apiserver.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={keys}/service-accounts.key",
            f"--service-account-signing-key-file={keys}/service-accounts.key",
            f"--audit-policy-file={self.folder}/audit-policy.json",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-maxsize=100000",  # MB: never rotated, or counts would lose what was before
            f"--cert-dir={self.folder}",
        ]

    def _manager(self) -> list[str]:
        keys = self.folder / "pki"
        return [
            f"--kubeconfig={self._config('kube-controller-manager')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port['manager']}",
            "--leader-elect=false",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={keys}/service-accounts.key",
            f"--root-ca-file={keys}/ca.crt",
            f"--cert-dir={self.folder}",
            *MANAGER_FLAGS,
        ]

    def _scheduler(self) -> list[str]:
        return [
            f"--kubeconfig={self._config('kube-scheduler')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port['scheduler']}",
            "--leader-elect=false",
            f"--cert-dir={self.folder}",
            *SCHEDULER_FLAGS,
        ]

    def _config(self, name: str) -> Path:
        return self.folder / f"{name}.kubeconfig"

    def _etcd_version(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port['etcd']}/version", timeout=5) as answer:
            return str(json.loads(answer.read())["etcdserver"])


def audit_policy(reads_of: Sequence[str]) -> Json:
    """Every write of everybody, and the reads of some; no bodies."""
    writes = ["create", "update", "patch", "delete", "deletecollection"]
    reads = [{"level": "Metadata", "users": list(reads_of), "verbs": ["get", "list", "watch"]}] if reads_of else []
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [*reads, {"level": "Metadata", "verbs": writes}, {"level": "None"}],
    }


def _all(objects: list[Any]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _answers(url: str) -> bool:
    """Whether something says 200 there; who it is does not matter, it is ours."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def _bare(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
