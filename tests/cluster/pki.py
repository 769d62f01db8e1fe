"""Keys and certificates of the local cluster, made with the `openssl` program.

A certificate that is there is kept: making them again would lock out running components.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.common import run, write
from tests.cluster.settings import API_ADDRESS, CONTEXT, NODES, SERVICE_ADDRESS

DAYS = "3650"


@dataclass(frozen=True)
class Identity:
    """A certificate's file name, user, group, and for servers the names they answer to."""

    name: str
    user: str
    group: str = ""
    names: tuple[str, ...] = ()


IDENTITIES = (
    Identity(
        "kube-apiserver",
        "kube-apiserver",
        "system:masters",  # as a client it calls the kubelets, for logs and exec
        (
            "DNS:localhost",
            "DNS:kubernetes",
            "DNS:kubernetes.default",
            "DNS:kubernetes.default.svc",
            f"IP:{SERVICE_ADDRESS}",
            f"IP:{API_ADDRESS}",
            "IP:127.0.0.1",
        ),
    ),
    Identity("admin", "admin", "system:masters"),
    Identity("kube-controller-manager", "system:kube-controller-manager"),
    Identity("kube-scheduler", "system:kube-scheduler"),
    Identity("kube-proxy", "system:kube-proxy"),
    *(
        Identity(node.kubelet, f"system:node:{node.name}", "system:nodes", (f"IP:{node.address}", f"DNS:{node.name}"))
        for node in NODES
    ),
)


def make(folder: Path) -> None:
    """Make what is missing in `folder`: the authority, the service account key, a pair for every identity."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (folder / "ca.crt").exists():
        _key(folder / "ca.key")
        subject = ["-subj", "/CN=longtask-test-ca", "-addext", "keyUsage=critical,keyCertSign,digitalSignature"]
        made = ["-days", DAYS, "-key", f"{folder}/ca.key", "-out", f"{folder}/ca.crt.new"]
        run(["openssl", "req", "-x509", "-new", *subject, *made])
        (folder / "ca.crt.new").replace(folder / "ca.crt")
    if not (folder / "service-accounts.key").exists():
        _key(folder / "service-accounts.key")
    for identity in IDENTITIES:
        if not (folder / f"{identity.name}.crt").exists():
            _certificate(folder, identity)


def _key(path: Path) -> None:
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{path}.new"])
    Path(f"{path}.new").chmod(0o600)
    Path(f"{path}.new").replace(path)


def _certificate(folder: Path, identity: Identity) -> None:
    base = folder / identity.name
    _key(Path(f"{base}.key"))
    group = f"/O={identity.group}" if identity.group else ""
    run(
        ["openssl", "req", "-new", "-key", f"{base}.key", "-subj", f"{group}/CN={identity.user}", "-out", f"{base}.csr"]
    )
    extensions = ["extendedKeyUsage=clientAuth,serverAuth", "keyUsage=critical,digitalSignature"]
    if identity.names:
        extensions.append(f"subjectAltName={','.join(identity.names)}")
    write(Path(f"{base}.ext"), "\n".join(extensions) + "\n")
    authority = ["-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key", "-CAcreateserial"]
    made = ["-days", DAYS, "-in", f"{base}.csr", "-extfile", f"{base}.ext", "-out", f"{base}.crt.new"]
    run(["openssl", "x509", "-req", *authority, *made])
    Path(f"{base}.crt.new").replace(f"{base}.crt")  # last: what is half made is made again


def kubeconfig(folder: Path, identity: str, server: str) -> str:
    """A kubeconfig (JSON, which is YAML) with everything inside, for the identity of that name."""

    def data(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": identity}}],
            "clusters": [
                {"name": CONTEXT, "cluster": {"server": server, "certificate-authority-data": data("ca.crt")}}
            ],
            "users": [
                {
                    "name": identity,
                    "user": {
                        "client-certificate-data": data(f"{identity}.crt"),
                        "client-key-data": data(f"{identity}.key"),
                    },
                }
            ],
        },
        indent=1,
    )
