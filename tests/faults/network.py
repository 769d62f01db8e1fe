"""Where the proxy listens: on loopback for a process of this machine, and inside the cluster for its pods.

The second is for the local cluster, whose network is a namespace of this machine: a socket stays in the namespace that
it was opened in, and the API server's own certificate names the address. It must not know what comes in.
"""

from __future__ import annotations

import socket
import ssl

from tests.cluster import api as cluster_api
from tests.cluster import settings as cluster_settings
from tests.cluster.common import ClusterError
from tests.cluster.inside import listen
from tests.cluster.processes import Processes


def on_loopback() -> socket.socket:
    """A listener at a free port of this machine."""
    return socket.create_server(("127.0.0.1", 0))


def inside_the_cluster() -> socket.socket:
    """A listener at a free port of the address at which the API server can be reached by pods.

    Raises ClusterError where the cluster is none of ours: then the workers' requests are out of reach.
    """
    sandbox = Processes(cluster_settings.load()).pid("sandbox")
    if cluster_api.current().kind != "local" or sandbox is None:
        raise ClusterError("faults between worker and API server need the local cluster: LONGTASK_CLUSTER=local")
    return listen(sandbox, cluster_settings.API_ADDRESS)


def certificate() -> ssl.SSLContext:
    """What the proxy shows to workers: the API server's own certificate."""
    pki = cluster_settings.load().pki
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "kube-apiserver.crt", pki / "kube-apiserver.key")
    return context


def url_of(listener: socket.socket, scheme: str) -> str:
    """Where it is reached."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{host}:{port}"
