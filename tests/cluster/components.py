"""What the local cluster consists of: for each component its command, and how it says that it is well."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.inside import answers, host_path, listens
from tests.cluster.settings import API_ADDRESS, API_PORT, INSIDE, NODES, POD_NETWORK, SERVICE_NETWORK, Node

FSYNC = os.environ.get("LONGTASK_FSYNC") == "1"
"""Whether etcd waits for the disk, as it does in earnest: for measurements."""

Health = Callable[[int], bool]
"""Takes the process id of the sandbox, whose network the component is in."""


@dataclass(frozen=True)
class Component:
    """`command` as seen from inside; `wave` groups those that may start at the same time."""

    name: str
    wave: int
    command: tuple[str, ...]
    healthy: Health


def table() -> tuple[Component, ...]:
    """Every component, in the order of starting."""
    return (
        _etcd(),
        *(_containerd(node) for node in NODES),
        _apiserver(),
        _controller_manager(),
        _scheduler(),
        _proxy(),
        *(_kubelet(node) for node in NODES),
    )


def _program(name: str) -> str:
    return f"{INSIDE}/bin/{name}"


def _probe(port: int, path: str, *, tls: bool = True) -> Health:
    return lambda sandbox: answers(sandbox, port, path, tls=tls)


def _etcd() -> Component:
    command = (
        _program("etcd"),
        f"--data-dir={INSIDE}/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=default=http://127.0.0.1:2380",
        *(() if FSYNC else ("--unsafe-no-fsync",)),  # a test cluster may be lost in a power failure
        "--quota-backend-bytes=4294967296",
        "--log-level=warn",
    )
    return Component("etcd", 0, command, _probe(2379, "/health", tls=False))


def _apiserver() -> Component:
    pki = f"{INSIDE}/pki"
    command = (
        _program("kube-apiserver"),
        f"--advertise-address={API_ADDRESS}",
        f"--secure-port={API_PORT}",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/kube-apiserver.crt",
        f"--tls-private-key-file={pki}/kube-apiserver.key",
        f"--kubelet-client-certificate={pki}/kube-apiserver.crt",
        f"--kubelet-client-key={pki}/kube-apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-accounts.key",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        "--default-not-ready-toleration-seconds=10",  # a lost node's pods leave soon
        "--default-unreachable-toleration-seconds=10",
        f"--audit-policy-file={INSIDE}/config/audit-policy.json",
        f"--audit-log-path={INSIDE}/logs/audit.log",
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=1",
    )
    return Component("kube-apiserver", 1, command, _probe(API_PORT, "/readyz"))


def _controller_manager() -> Component:
    command = (
        _program("kube-controller-manager"),
        f"--kubeconfig={INSIDE}/config/kube-controller-manager.kubeconfig",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={INSIDE}/pki/service-accounts.key",
        f"--root-ca-file={INSIDE}/pki/ca.crt",
        f"--cluster-cidr={POD_NETWORK}",
        "--enable-hostpath-provisioner",
        "--kube-api-qps=500",  # at the default of 20 a mass suspend waits for this client
        "--kube-api-burst=1000",
        "--node-monitor-period=2s",
        "--node-monitor-grace-period=16s",
    )
    return Component("kube-controller-manager", 2, command, _probe(10257, "/healthz"))


def _scheduler() -> Component:
    command = (
        _program("kube-scheduler"),
        f"--kubeconfig={INSIDE}/config/kube-scheduler.kubeconfig",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    )
    return Component("kube-scheduler", 2, command, _probe(10259, "/healthz"))


def _proxy() -> Component:
    command = (
        _program("kube-proxy"),
        f"--config={INSIDE}/config/kube-proxy.json",
        f"--hostname-override={NODES[0].name}",
    )
    return Component("kube-proxy", 2, command, _probe(10256, "/healthz", tls=False))


def _containerd(node: Node) -> Component:
    command = ("containerd", f"--config={INSIDE}/config/{node.containerd}.toml")
    return Component(node.containerd, 0, command, lambda sandbox: listens(host_path(sandbox, node.socket)))


def _kubelet(node: Node) -> Component:
    command = (
        _program("kubelet"),
        f"--config={INSIDE}/config/{node.kubelet}.json",
        f"--kubeconfig={INSIDE}/config/{node.kubelet}.kubeconfig",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
        f"--root-dir={node.folder}/kubelet",
        f"--cert-dir={node.folder}/kubelet/pki",
    )
    return Component(node.kubelet, 2, command, _probe(node.kubelet_health_port, "/healthz", tls=False))
