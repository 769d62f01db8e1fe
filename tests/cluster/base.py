"""What every kind of cluster can do, for the commands and for tests."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tests.cluster.common import ClusterError, run
from tests.cluster.settings import Settings

Kind = Literal["local", "kind", "existing"]
IMAGE = "longtask:dev"


class Cluster(ABC):
    """A cluster with components that can be stopped, frozen and looked at, by name."""

    kind: Kind

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def kubeconfig(self) -> Path:
        return self.settings.kubeconfig

    @property
    def kubectl_path(self) -> Path:
        return self.settings.bin / "kubectl"

    def kubectl(self, *words: str, stdin: str | None = None, seconds: float | None = None) -> str:
        """Run kubectl as cluster admin and return its stdout; raises ClusterError with its words."""
        command = [str(self.kubectl_path), f"--kubeconfig={self.kubeconfig}", *words]
        return run(command, env=self.settings.environment, stdin=stdin, seconds=seconds)

    @abstractmethod
    def prepare(self) -> None:
        """Install what the host lacks, after saying so and asking."""

    @abstractmethod
    def build(self) -> None:
        """Compile the programs that `up` needs; touches nothing but the cluster's folder and Go's caches."""

    @abstractmethod
    def up(self) -> None:
        """Bring it up, or repair it, and write the kubeconfig; changes nothing on one that is well."""

    @abstractmethod
    def down(self) -> None:
        """Remove it and everything it changed; also after an `up` that did not come to its end."""

    @abstractmethod
    def load_image(self, archive: Path, name: str = IMAGE) -> None:
        """Give every node the image of that name out of a Docker archive."""

    @abstractmethod
    def has_image(self, name: str = IMAGE) -> bool:
        """Whether every node has an image of that name."""

    @abstractmethod
    def components(self) -> list[str]:
        """The names that the methods below take."""

    @abstractmethod
    def state(self, name: str) -> str:
        """Whether a component is `running`, `frozen` or `stopped`."""

    @abstractmethod
    def start(self, name: str) -> None:
        """Start a component and wait until it is well; nothing happens to one that runs."""

    @abstractmethod
    def stop(self, name: str) -> None:
        """End a component in its own way; nothing happens to one that does not run."""

    @abstractmethod
    def kill(self, name: str) -> None:
        """End a component by SIGKILL."""

    @abstractmethod
    def freeze(self, name: str) -> None:
        """SIGSTOP: it keeps its connections and does nothing."""

    @abstractmethod
    def thaw(self, name: str) -> None:
        """SIGCONT."""

    @abstractmethod
    def log(self, name: str) -> Path:
        """The file with a component's output."""

    @abstractmethod
    def audit_log(self) -> Path:
        """The API server's audit log: a JSON object a line, writes only."""

    @abstractmethod
    def kubelet_of(self, node: str) -> str:
        """The component that is the kubelet of a node."""

    @abstractmethod
    def kill_container(self, pod_uid: str, container: str, signal: str = "KILL") -> None:
        """Send a signal to the first process of a pod's container, past kubelet and container runtime."""

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Freeze a component for the length of a `with` block."""
        self.freeze(name)
        try:
            yield
        finally:
            self.thaw(name)

    @contextlib.contextmanager
    def stopped(self, name: str, *, kill: bool = False) -> Iterator[None]:
        """Have a component not running, ended gently or by SIGKILL, for the length of a `with` block."""
        if name not in self.components():
            raise ClusterError(f"no component {name}; there are {', '.join(self.components())}")
        (self.kill if kill else self.stop)(name)
        try:
            yield
        finally:
            self.start(name)
