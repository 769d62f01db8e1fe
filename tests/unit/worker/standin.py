"""A stand-in for the API server: one LongTask in memory, behind a real HTTP server on loopback.

It enforces the rules of `rules.py`, and can be told to misbehave: to lose an answer, to fail, to hang, to be away.
Every request is kept. It must not know the worker library.
"""

from __future__ import annotations

import copy
import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.unit.worker.rules import RefusedError, apply_patch, check_policy, check_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMESPACE, NAME, UID = "work", "import-rows", "8f2d6c1e-0000-4000-8000-000000000001"
PATH = f"/apis/longtask.dev/v1alpha1/namespaces/{NAMESPACE}/longtasks/{NAME}"
Object = dict[str, Any]


@dataclass
class Request:
    """A request that came in, and how it was answered: status 0 if it was not."""

    method: str
    path: str
    token: str
    body: Any
    content_type: str
    at: float
    status: int = 0

    @property
    def checkpoint(self) -> Object:
        """The checkpoint that a patch wants to set."""
        return next(operation["value"] for operation in self.body if operation["path"] == "/status/checkpoint")

    @property
    def progress(self) -> Object | None:
        """The progress that a patch wants to set."""
        return next((o["value"] for o in self.body if o["path"] == "/status/progress"), None)


@dataclass
class Fault:
    """What goes wrong with the next request of a method: `times` times, beginning after `skip` requests."""

    method: str
    kind: str  # "status", "lose" (carried out, then no answer), "reset" (not carried out), "hang", "stall", "garbage"
    times: int = 1
    skip: int = 0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    words: str = "on purpose"


class StandIn:
    """The server. Use it with `with`."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.task: Object | None = {
            "apiVersion": "longtask.dev/v1alpha1",
            "kind": "LongTask",
            "metadata": {"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1, "resourceVersion": "1"},
            "spec": {"desiredState": "Run", "template": {"spec": {"containers": [{"name": "worker"}]}}},
            "status": {"attempt": 1, "state": "Init", "observedGeneration": 0},
        }
        self.pods = {"token-of-pod-1": "pod-1", "token-of-pod-2": "pod-2", "token-of-pod-3": "pod-3"}
        self.attempts: dict[str, int] = {}  # of a pod, by its UID; 1 where nothing is said
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.ahead = 0.0  # seconds by which its clock is ahead of this machine's
        self.on_patch: Callable[[Request], None] = lambda _: None  # called, unlocked, before a patch is carried out
        self.changed = threading.Condition(threading.RLock())
        self._certificate = certificate
        self._server: _Server | None = None
        self._port = 0

    def __enter__(self) -> StandIn:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Be there, at the same address as before."""
        self._server = _Server(self, self._port, self._certificate)
        self._port = self._server.server_port
        self._server.begin()

    def stop(self) -> None:
        """Be away: connections are cut and refused."""
        server, self._server = self._server, None
        if server is not None:
            server.end()

    def restart(self) -> None:
        """Be back after `stop`."""
        self.start()

    @property
    def checkpoint(self) -> Object:
        """The task's checkpoint."""
        with self.changed:
            assert self.task is not None
            return dict(self.task["status"]["checkpoint"])

    def patches(self) -> list[Request]:
        """Every PATCH so far."""
        with self.changed:
            return [request for request in self.requests if request.method == "PATCH"]

    def set(self, path: str, value: Any) -> None:  # noqa: ANN401
        """Change the task as its user or the operator would: `set("spec.desiredState", "Suspend")`."""
        with self.changed:
            place: Any = self.task
            *parents, last = path.split(".")
            for key in parents:
                place = place.setdefault(key, {})
            place[last] = value
            self.changed.notify_all()

    def fail(self, method: str, kind: str, **settings: Any) -> Fault:  # noqa: ANN401
        """Let the next requests of a method go wrong; see Fault."""
        fault = Fault(method, kind, **settings)
        with self.changed:
            self.faults.append(fault)
        return fault

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
        """Wait until a condition holds, looking after every request; fail, saying what was awaited."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"not within {seconds} s: {what}; requests: {self.requests[-5:]}"
                self.changed.wait(min(left, 0.1))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no request be answered meanwhile."""
        with self.changed:
            yield

    # --- What is asked of it ---

    def take_fault(self, method: str) -> Fault | None:
        """Return the fault that applies to the next request of this method."""
        with self.changed:
            for fault in self.faults:
                if fault.method != method or fault.times == 0:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def answer(self, request: Request) -> tuple[int, Object]:
        """Carry a request out and return status and body."""
        with self.changed:
            pod_uid = self.pods.get(request.token)
            if pod_uid is None:
                return _status(401, "Unauthorized")
            if self.task is None or request.path.removesuffix("/status") != PATH:
                return _status(404, f'longtasks.longtask.dev "{NAME}" not found', NAME)
            if request.method == "GET":
                return 200, copy.deepcopy(self.task)
            if request.content_type != "application/json-patch+json" or not request.path.endswith("/status"):
                return _status(415, "only a JSON patch of the status is expected")
            try:
                new = apply_patch(self.task, request.body)
                check_rules(self.task, new)
                check_policy(self.task, new, pod_uid, self.attempts.get(pod_uid, 1))
            except RefusedError as error:
                return _status(error.status, f'LongTask.longtask.dev "{NAME}" is invalid: {error}')
            new["metadata"]["resourceVersion"] = str(int(new["metadata"]["resourceVersion"]) + 1)
            self.task = new
            return 200, copy.deepcopy(new)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, stand_in: StandIn, port: int, certificate: Path | None) -> None:
        self.stand_in = stand_in
        self.connections: set[socket.socket] = set()
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            cut(connection)
        self._thread.join(5)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A client that hangs up is no error here."""


def cut(connection: socket.socket) -> None:
    """Break a connection off."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._serve(None)

    def do_PATCH(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.server.stand_in.ahead if timestamp is None else timestamp)

    def log_message(self, *_: object) -> None:
        """Nothing: tests look at `requests`."""

    def _serve(self, body: Any) -> None:  # noqa: ANN401
        stand_in = self.server.stand_in
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        content_type = self.headers.get("Content-Type", "")
        request = Request(self.command, self.path, token, body, content_type, time.monotonic())
        fault = stand_in.take_fault(self.command)
        if body is not None:
            stand_in.on_patch(request)
        with stand_in.changed:
            stand_in.requests.append(request)
            if fault is None or fault.kind in {"lose", "stall"}:
                request.status, found = stand_in.answer(request)
            stand_in.changed.notify_all()
        if fault is None:
            self._send(request.status, json.dumps(found).encode(), {})
        else:
            self._misbehave(fault)

    def _misbehave(self, fault: Fault) -> None:
        match fault.kind:
            case "status":
                _, body = _status(fault.status, fault.words)
                self._send(fault.status, json.dumps(body).encode(), fault.headers)
            case "garbage":
                self._send(200, b"<html>a proxy's greeting", {})
            case "hang" | "stall":  # not carried out, or carried out
                self.server.ended.wait(60)
                self._hang_up()
            case _:
                self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        cut(self.connection)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _status(code: int, words: str, name: str = "") -> tuple[int, Object]:
    details = {"name": name, "group": "longtask.dev", "kind": "longtasks"} if name else {}
    return code, {"kind": "Status", "apiVersion": "v1", "message": words, "details": details, "code": code}
