"""A server that speaks S3 (moto), as a process, and a wire to it that can be cut halfway."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(sys.prefix).with_name(".venv-s3") / "bin" / "moto_server"  # beside our own environment
BUCKET = "checkpoints"


class Wire:
    """A port that leads to another. `room`: after so many bytes towards the server, every connection is cut."""

    def __init__(self, port: int, listener: socket.socket) -> None:
        self._target = port
        self.room: int | None = None
        self._listener = listener
        host, own = listener.getsockname()[:2]
        self.url = f"http://{host}:{own}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Lead nowhere any more."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        """Carry bytes both ways until one end is through, or the wire is cut."""
        with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", self._target)) as server:
            while True:
                for source in select.select([client, server], [], [], 60)[0]:
                    data = source.recv(65_536)
                    if not data or (source is client and not self._lets(data)):
                        return
                    (server if source is client else client).sendall(data)

    def _lets(self, data: bytes) -> bool:
        if self.room is not None:
            self.room -= len(data)
        return self.room is None or self.room >= 0


class ObjectStore:
    """The server, with one bucket in it."""

    def __init__(self, port: int, listener: socket.socket) -> None:
        self.wire = Wire(port, listener)
        create = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
        urllib.request.urlopen(create, timeout=10).close()  # noqa: S310 - loopback
        self._past_the_wire = S3Store(
            BUCKET,
            endpoint=f"http://127.0.0.1:{port}",
            access_key_id="any",
            secret_access_key="any",  # noqa: S106 - the server takes any
            region="us-east-1",
            client_options={"allow_http": True},
        )

    @property
    def variables(self) -> dict[str, str]:
        """What a client finds it by, as from a Secret."""
        return {
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.wire.url,
        }

    def harm(self, key: str, content: bytes | None) -> None:
        """Replace an object, or remove it, past every client."""
        if content is None:
            obstore.delete(self._past_the_wire, key)
        else:
            obstore.put(self._past_the_wire, key, content)

    def names(self, prefix: str) -> list[str]:
        """Names of the objects under a prefix."""
        found = (entry["path"] for chunk in obstore.list(self._past_the_wire, prefix) for entry in chunk)
        return sorted(path.rpartition("/")[2] for path in found)


@contextlib.contextmanager
def object_store(listener: socket.socket | None = None) -> Iterator[ObjectStore]:
    """Have one, for the length of a `with` block. `listener`: where its clients come in; by default on loopback."""
    assert PROGRAM.exists(), "the server that speaks S3 is not there: make .venv-s3/.ready"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [PROGRAM, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, server)
        store = ObjectStore(port, listener or socket.create_server(("127.0.0.1", 0)))
        yield store
        store.wire.close()
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None, "the server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the server does not answer"
            threading.Event().wait(0.05)
        else:
            return
