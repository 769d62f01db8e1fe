"""The configuration files of the local cluster's components, as text.

Every path is one that the components see. Knows nothing of processes.
"""

import json
from typing import Any

from tests.cluster.settings import INSIDE, POD_NETWORK, Node

DNS_ADDRESS = "10.96.0.10"
PAUSE_IMAGE = "longtask.dev/pause:1"
Document = dict[str, Any]


def kubelet(node: Node, cgroup: str) -> str:
    """A node that reports often, evicts late and changes nothing outside its own folders."""
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": node.address,
            "healthzPort": node.kubelet_health_port,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{INSIDE}/pki/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{INSIDE}/pki/{node.kubelet}.crt",
            "tlsPrivateKeyFile": f"{INSIDE}/pki/{node.kubelet}.key",
            "containerRuntimeEndpoint": f"unix://{node.socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}/{node.name}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "resolvConf": f"{INSIDE}/config/resolv.conf",
            "volumePluginDir": f"{node.folder}/volume-plugins",
            "podLogsDir": f"/var/log/{node.name}",
            "clusterDomain": "cluster.local",
            "clusterDNS": [DNS_ADDRESS],
            "maxPods": 250,
            "serializeImagePulls": False,
            "kubeAPIQPS": 500,
            "kubeAPIBurst": 1000,
            "eventRecordQPS": 0,
            "nodeStatusUpdateFrequency": "2s",
            "nodeStatusReportFrequency": "10s",
            "nodeLeaseDurationSeconds": 8,
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "evictionPressureTransitionPeriod": "10s",
        }
    )


def containerd(node: Node) -> str:
    """A containerd beside any other: every path is its own. A pod's OOM score can't be lowered everywhere."""
    return f"""\
version = 2
root = "{node.folder}/containerd"
state = "/run/{node.containerd}/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
address = "{node.socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{node.folder}/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{INSIDE}/config/cni"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def cni() -> str:
    """One bridge for the pods of every node: they share the network namespace."""
    return _json(
        {
            "cniVersion": "0.4.0",
            "name": "longtask",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "pods",
                    "isGateway": True,
                    "ipMasq": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": "/run/cni",
                        "ranges": [[{"subnet": POD_NETWORK}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
    )


def kube_proxy() -> str:
    """Connections are masqueraded: pods share one bridge, so an answer would go past the rules that must see it."""
    return _json(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": f"{INSIDE}/config/kube-proxy.kubeconfig"},
            "mode": "iptables",
            "clusterCIDR": POD_NETWORK,
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "iptables": {"masqueradeAll": True, "minSyncPeriod": "0s"},
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }
    )


def audit_policy() -> str:
    """Writes that tests count or attack: all of the operator's, and everybody's to our kinds, Jobs, Pods and RBAC."""
    writes = ["create", "update", "patch", "delete", "deletecollection"]
    return _json(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [
                {"level": "None", "verbs": ["get", "list", "watch"]},
                {
                    "level": "Metadata",
                    "users": ["system:serviceaccount:longtask-system:longtask-operator"],
                    "verbs": writes,
                },
                {
                    "level": "None",
                    "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"],
                    "resources": [{"group": "", "resources": ["events"]}, {"group": "events.k8s.io"}],
                },
                {
                    "level": "None",
                    "users": ["system:kube-scheduler", "system:kube-controller-manager", "system:apiserver"],
                    "resources": [
                        {"group": "", "resources": ["events"]},
                        {"group": "events.k8s.io"},
                        {"group": "rbac.authorization.k8s.io"},
                    ],
                },
                {
                    "level": "Metadata",
                    "verbs": writes,
                    "resources": [
                        {"group": "longtask.dev"},
                        {"group": "batch"},
                        {"group": "rbac.authorization.k8s.io"},
                        {"group": "events.k8s.io"},
                        {"group": "", "resources": ["pods", "pods/*", "events"]},
                    ],
                },
                {"level": "None"},
            ],
        }
    )


def storage_class() -> str:
    """The default class: folders of the host, made by the controller manager."""
    return _json(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "kubernetes.io/host-path",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        }
    )


def no_dns() -> str:
    """A DNS service that nothing is behind: a pod's question is refused at once instead of timing out."""
    return _json(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {
                "clusterIP": DNS_ADDRESS,
                "ports": [
                    {"name": "dns", "protocol": "UDP", "port": 53},
                    {"name": "dns-tcp", "protocol": "TCP", "port": 53},
                ],
            },
        }
    )


def _json(document: Document) -> str:
    return json.dumps(document, indent=1) + "\n"
