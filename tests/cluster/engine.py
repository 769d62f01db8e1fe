"""Starting the local cluster's components, one by one or in waves, and knowing how they are.

A component is started anew when its command, its files or its program changed since it was started; otherwise one that
is well is left alone. That makes `up` both a repair and a change of configuration.
"""

import contextlib
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.common import ClusterError, digest, say, wait_for, write
from tests.cluster.components import table
from tests.cluster.inside import answers, host_path
from tests.cluster.processes import Processes, State
from tests.cluster.settings import API_PORT, INSIDE, NODES, SERVICE_NETWORK, Node, Settings

SANDBOX = "sandbox"
FORWARDER = "forwarder"
FIRST_PORT = 16443
PATIENCE = 120


class Engine:
    """The components of one local cluster."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.processes = Processes(settings)
        self.table = {component.name: component for component in table()}

    @property
    def names(self) -> list[str]:
        return [SANDBOX, *self.table, FORWARDER]

    def state(self, name: str) -> State:
        self._known(name)
        return self.processes.state(name)

    def healthy(self, name: str) -> bool:
        """Whether a component runs and says that it is well."""
        if self.state(name) != "running":
            return False
        if name == FORWARDER:
            return answers(os.getpid(), self.port(), "/readyz")
        sandbox = self.sandbox
        return sandbox is not None and (name == SANDBOX or self.table[name].healthy(sandbox))

    @property
    def sandbox(self) -> int | None:
        """The process whose namespaces the components live in."""
        return self.processes.pid(SANDBOX)

    def runtime_socket(self, node: Node) -> Path:
        """The socket of a node's containerd, as the host can open it."""
        if self.sandbox is None:
            raise ClusterError("the cluster is not up")
        return host_path(self.sandbox, node.socket)

    def start_sandbox(self) -> None:
        """Make the namespaces. Without a living sandbox, or with another kind of one, everything begins anew."""
        script = Path(__file__).with_name("sandbox.sh")
        command = [
            *("env", f"SERVICE_NETWORK={SERVICE_NETWORK}", "unshare", "--mount", "--net", "--propagation", "private"),
            *("sh", str(script), str(self._settings.home), *(node.address for node in NODES)),
        ]
        ready = self._settings.run / "sandbox.ready"
        current = self._is_current(SANDBOX, command, [script])
        if self.state(SANDBOX) == "running" and ready.exists() and current:
            return
        self.processes.cgroups.kill()
        ready.unlink(missing_ok=True)
        for folder in ("tmp", "var-log"):
            (self._settings.home / folder).mkdir(exist_ok=True)
        (self._settings.home / "tmp").chmod(0o1777)
        self.processes.cgroups.create([node.name for node in NODES])
        self.processes.start(SANDBOX, command)
        wait_for("the cluster's namespaces", ready.exists, seconds=20, hint=lambda: self.tail(SANDBOX))
        self._mark(SANDBOX, command, [script])

    def start_wave(self, names: Iterable[str]) -> None:
        """Start what is not running, and wait until all of it is well; what does not get well is started again."""
        names = list(names)
        for name in names:
            self._begin(name)
        for name in names:
            try:
                self._await(name, PATIENCE / 2)
            except ClusterError:
                say(f"  {name} runs and is not well: starting it again")
                self.processes.stop(name)
                self._begin(name)
                self._await(name, PATIENCE)

    def start(self, name: str) -> None:
        """Start one component (thaw a frozen one) and wait until it is well."""
        self._begin(name)
        self._await(name, PATIENCE)

    def tail(self, name: str, lines: int = 15) -> str:
        """The end of a component's log."""
        with contextlib.suppress(OSError):
            text = self.processes.log(name).read_text(errors="replace")
            return f"the end of {self.processes.log(name)}:\n" + "\n".join(text.splitlines()[-lines:])
        return "it wrote no log"

    def port(self) -> int:
        """The port on the host's loopback that leads to the API server."""
        try:
            return int((self._settings.run / "port").read_text())
        except (OSError, ValueError) as error:
            raise ClusterError("the cluster has no port yet: bring it up first") from error

    def _await(self, name: str, seconds: float) -> None:
        wait_for(f"health of {name}", lambda: self.healthy(name), seconds=seconds, hint=lambda: self.tail(name))

    def _begin(self, name: str) -> None:
        self._known(name)
        if self.processes.state(name) == "frozen":
            self.processes.thaw(name)
        if name == SANDBOX:
            raise ClusterError("the sandbox holds everything else; `up` starts it")
        command, files = self._command(name)
        if self.processes.state(name) == "running" and self._is_current(name, command, files):
            return
        self.processes.stop(name)
        if self.sandbox is None:
            raise ClusterError("the cluster is not up")
        inside = ["nsenter", "--target", str(self.sandbox), "--mount", "--net", "--", *command]
        if name == FORWARDER:
            self._start_forwarder(inside)
        else:
            self.processes.start(name, inside)
        self._mark(name, command, files)

    def _command(self, name: str) -> tuple[list[str], list[Path]]:
        """A component's command, and the files of the host whose change means starting it anew."""
        if name == FORWARDER:
            return [f"{INSIDE}/bin/forwarder", f"127.0.0.1:{API_PORT}"], []
        command = list(self.table[name].command)
        seen = [word.rpartition("=")[2] for word in command]
        files = [self._settings.home / Path(path).relative_to(INSIDE) for path in seen if f"{INSIDE}/config/" in path]
        return command, files

    def _start_forwarder(self, command: list[str]) -> None:
        """Give it a socket that was opened out here, and the number of its file descriptor."""
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            write(self._settings.run / "port", str(self._bind(listener)))
            listener.listen(128)
            number = listener.fileno()
            self.processes.start(FORWARDER, [*command, str(number)], pass_fds=[number])

    def _bind(self, listener: socket.socket) -> int:
        """Bind to the port of last time, or else to the first free one."""
        ports: list[int] = list(range(FIRST_PORT, FIRST_PORT + 200))
        with contextlib.suppress(ClusterError):
            ports.insert(0, self.port())
        for port in ports:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
        raise ClusterError(f"no free port from {FIRST_PORT} on")

    def _known(self, name: str) -> None:
        if name not in self.names:
            raise ClusterError(f"no component {name}; there are {', '.join(self.names)}")

    def _fingerprint(self, command: list[str], files: list[Path]) -> str:
        stamp = self._settings.bin / ".servers"
        return digest([*command, *(file for file in [*files, stamp] if file.exists())])

    def _is_current(self, name: str, command: list[str], files: list[Path]) -> bool:
        mark = self._settings.run / f"{name}.mark"
        return mark.exists() and mark.read_text() == self._fingerprint(command, files)

    def _mark(self, name: str, command: list[str], files: list[Path]) -> None:
        write(self._settings.run / f"{name}.mark", self._fingerprint(command, files))
