"""When a component counts as well: what it says of itself, asked in the network that it lives in."""

from __future__ import annotations

import http.server
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster import components
from tests.cluster.common import ClusterError, write
from tests.cluster.components import table
from tests.cluster.engine import FIRST_PORT, Engine
from tests.cluster.inside import answers, connect, host_path, listens
from tests.cluster.settings import INSIDE, NODES
from tests.unit.cluster.builders import a_cluster_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = os.getpid()


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Well at /healthz only."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """A component's health endpoint."""
    with http.server.HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def closed() -> int:
    """A port that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter the network of another process")
@pytest.mark.parametrize(("path", "well"), [("/healthz", True), ("/readyz", False)])
def test_a_component_is_well_when_it_says_so(port: int, path: str, well: bool) -> None:
    assert answers(HERE, port, path, tls=False) is well


def test_a_component_that_does_not_listen_is_not_well(closed: int) -> None:
    assert not answers(HERE, closed, "/healthz", tls=False)


def test_one_that_speaks_another_language_is_not_well(port: int) -> None:
    assert not answers(HERE, port, "/healthz", tls=True)


def test_nothing_is_well_in_a_network_that_is_gone(port: int) -> None:
    assert not answers(None, port, "/healthz", tls=False)
    assert not answers(2**22 + 1, port, "/healthz", tls=False)  # above the greatest process id


def test_why_it_could_not_be_reached_is_not_lost(closed: int) -> None:
    with pytest.raises(OSError, match=r"refused|not permitted"):
        connect(HERE, "127.0.0.1", closed)


def test_a_socket_that_nobody_accepts_at_is_not_well(tmp_path: Path) -> None:
    path = tmp_path / "containerd.sock"
    assert not listens(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert not listens(path)
        server.listen()
        assert listens(path)
    assert not listens(path)  # the file that a killed containerd leaves


def test_a_path_of_the_components_is_found_from_outside() -> None:
    assert host_path(42, Path("/run/containerd-1/containerd.sock")) == Path(
        "/proc/42/root/run/containerd-1/containerd.sock"
    )


ASKED = {
    "etcd": (2379, "/health", False),
    "kube-apiserver": (6443, "/readyz", True),
    "kube-controller-manager": (10257, "/healthz", True),
    "kube-scheduler": (10259, "/healthz", True),
    "kube-proxy": (10256, "/healthz", False),
    "kubelet-1": (10301, "/healthz", False),
    "kubelet-2": (10302, "/healthz", False),
}


@pytest.mark.parametrize("name", ASKED)
def test_each_component_is_asked_at_its_own_endpoint(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked: list[tuple[int, int, str, bool]] = []

    def answer(pid: int, port: int, path: str, *, tls: bool) -> bool:
        asked.append((pid, port, path, tls))
        return True

    monkeypatch.setattr(components, "answers", answer)
    component = next(component for component in table() if component.name == name)

    assert component.healthy(42)
    assert asked == [(42, *ASKED[name])]


def test_every_component_says_how_it_is() -> None:
    by_endpoint = {component.name for component in table()} - {node.containerd for node in NODES}

    assert by_endpoint == set(ASKED)


def test_what_others_need_is_started_first() -> None:
    waves = {component.name: component.wave for component in table()}

    assert (
        waves["etcd"] < waves["kube-apiserver"] < min(waves["kube-scheduler"], waves["kubelet-1"], waves["kube-proxy"])
    )
    assert waves["containerd-1"] < waves["kubelet-1"]


def test_no_two_components_want_the_same_folder_or_port() -> None:
    """The nodes share a network and a file system."""
    words = [word for component in table() for word in component.command]
    own = [word for word in words if word.startswith(("--root-dir=", "--cert-dir=", "--data-dir=", "--secure-port="))]

    assert len(own) == len(set(own)) == 6
    assert len({node.socket for node in NODES} | {node.folder for node in NODES}) == 2 * len(NODES)


def test_a_components_files_are_those_that_its_command_names(tmp_path: Path) -> None:
    settings = a_cluster_folder(tmp_path)

    command, files = Engine(settings)._command("kubelet-1")

    assert files == [settings.config / "kubelet-1.json", settings.config / "kubelet-1.kubeconfig"]
    assert all(f"{INSIDE}/config/{file.name}" in " ".join(command) for file in files)


def test_a_component_is_current_until_its_command_its_files_or_its_program_change(tmp_path: Path) -> None:
    settings = a_cluster_folder(tmp_path)
    engine = Engine(settings)
    file = settings.config / "etcd.json"
    write(file, "old")
    assert not engine._is_current("etcd", ["etcd"], [file])

    engine._mark("etcd", ["etcd"], [file])

    assert engine._is_current("etcd", ["etcd"], [file])
    assert not engine._is_current("etcd", ["etcd", "--flag"], [file])
    write(settings.bin / ".servers", "compiled anew")
    assert not engine._is_current("etcd", ["etcd"], [file])
    engine._mark("etcd", ["etcd"], [file])
    write(file, "new")
    assert not engine._is_current("etcd", ["etcd"], [file])


def test_a_taken_port_is_passed_over_and_the_one_of_last_time_is_kept(tmp_path: Path) -> None:
    settings = a_cluster_folder(tmp_path)
    engine = Engine(settings)
    with socket.socket() as first, socket.socket() as second, socket.socket() as third:
        port = engine._bind(first)
        assert port >= FIRST_PORT
        assert engine._bind(second) > port

        second_port = int(second.getsockname()[1])
        second.close()
        write(settings.run / "port", str(second_port))
        assert engine._bind(third) == second_port


def test_without_a_cluster_the_port_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no port yet: bring it up first"):
        Engine(a_cluster_folder(tmp_path)).port()


def test_the_end_of_a_log_is_shown_and_a_missing_one_is_said(tmp_path: Path) -> None:
    engine = Engine(a_cluster_folder(tmp_path))
    assert engine.tail("etcd") == "it wrote no log"

    write(engine.processes.log("etcd"), "\n".join(str(number) for number in range(100)))

    assert engine.tail("etcd", lines=2).splitlines()[1:] == ["98", "99"]


def test_a_component_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"no component kubelet-9; there are sandbox, etcd, .*forwarder"):
        Engine(a_cluster_folder(tmp_path)).state("kubelet-9")
