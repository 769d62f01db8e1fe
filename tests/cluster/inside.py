"""Reaching into the cluster's network from the host, without an interface or a rule."""

import ctypes
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

CLONE_NEWNET = 0x40000000


def connect(pid: int, address: str, port: int, *, seconds: float = 2) -> socket.socket:
    """Connect inside the network namespace of a process; raises OSError like any connect."""
    return opened(pid, lambda: socket.create_connection((address, port), timeout=seconds))


def listen(pid: int, address: str) -> socket.socket:
    """Listen at a free port inside the network namespace of a process; raises OSError like any bind."""
    return opened(pid, lambda: socket.create_server((address, 0)))


def opened(pid: int, make: Callable[[], socket.socket]) -> socket.socket:
    """A socket that is made inside the network namespace of a process, to which it belongs from then on.

    Only a thread of its own enters that, so the caller stays outside.
    """
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def enter() -> None:
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(namespace)
            made.append(make())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def answers(pid: int | None, port: int, path: str, *, address: str = "127.0.0.1", tls: bool = True) -> bool:
    """Whether a health endpoint in the namespace of a process answers 200."""
    if pid is None:
        return False
    connection = http.client.HTTPConnection(address, port, timeout=2)
    try:
        connection.sock = connect(pid, address, port)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # it is asked how it is, and told nothing
            connection.sock = context.wrap_socket(connection.sock)
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def host_path(pid: int, path: Path) -> Path:
    """A path in the mount namespace of a process, as the host can open it."""
    return Path(f"/proc/{pid}/root") / path.relative_to("/")


def listens(path: Path) -> bool:
    """Whether something accepts connections at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True
