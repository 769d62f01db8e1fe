"""Starting, ending and freezing the components, which are ordinary processes of this machine.

They outlive the command that started them. A component's process id is in a file that the process itself wrote before
it became the component, and counts only while that process is in the component's control group: so no other process
that was given the same number later can be hit.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tests.cluster.cgroups import Cgroups
from tests.cluster.common import ClusterError, wait_for
from tests.cluster.settings import Settings

State = Literal["running", "frozen", "stopped"]

LAUNCH = 'echo $$ >"$2/cgroup.procs" && echo $$ >"$1.new" && mv "$1.new" "$1" && shift 2 && exec "$@"'
"""The group first: whatever happens next, the process is found in it."""


class Processes:
    """The component processes of one cluster, by name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.cgroups = Cgroups(settings.id)

    def log(self, name: str) -> Path:
        return self._settings.logs / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """The component's process id, while it lives."""
        try:
            pid = int(self._pid_file(name).read_text())
        except (OSError, ValueError):
            return None
        return pid if self.cgroups.holds(pid, name) and _status(pid) not in "ZX" else None

    def state(self, name: str) -> State:
        pid = self.pid(name)
        if pid is None:
            return "stopped"
        return "frozen" if _status(pid) in "Tt" else "running"

    def start(self, name: str, command: Sequence[str | Path], pass_fds: Sequence[int] = ()) -> None:
        """Start a component that is not running; its output is appended to its log."""
        if self.pid(name) is not None:
            return
        group = self.cgroups.component(name)
        group.mkdir(parents=True, exist_ok=True)
        self._pid_file(name).parent.mkdir(parents=True, exist_ok=True)
        self._pid_file(name).unlink(missing_ok=True)
        self.log(name).parent.mkdir(parents=True, exist_ok=True)
        words = ["setsid", "--fork", "sh", "-c", LAUNCH, "launch", self._pid_file(name), group, *command]
        _detached([str(word) for word in words], self.log(name), pass_fds)
        wait_for(f"start of {name}", self._pid_file(name).exists, seconds=10)

    def signal(self, name: str, number: int) -> None:
        """Send a signal; raises ClusterError when the component is not running."""
        pid = self.pid(name)
        if pid is None:
            raise ClusterError(f"{name} is not running")
        os.kill(pid, number)

    def stop(self, name: str, seconds: float = 15) -> None:
        """Ask it to end, then make it; a frozen one is thawed. Nothing happens to one that is not running."""
        if self.pid(name) is None:
            return
        with contextlib.suppress(ClusterError, ProcessLookupError):  # gone already
            self.signal(name, signal.SIGTERM)
            self.signal(name, signal.SIGCONT)
        try:
            wait_for(f"end of {name}", lambda: self.pid(name) is None, seconds=seconds)
        except ClusterError:
            self.kill(name)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone. Nothing happens to one that is not running."""
        if self.pid(name) is not None:
            with contextlib.suppress(ClusterError, ProcessLookupError):
                self.signal(name, signal.SIGKILL)
            wait_for(f"end of {name}", lambda: self.pid(name) is None, seconds=10)

    def freeze(self, name: str) -> None:
        self.signal(name, signal.SIGSTOP)
        wait_for(f"{name} frozen", lambda: self.state(name) == "frozen", seconds=5)

    def thaw(self, name: str) -> None:
        self.signal(name, signal.SIGCONT)
        wait_for(f"{name} thawed", lambda: self.state(name) != "frozen", seconds=5)

    def _pid_file(self, name: str) -> Path:
        return self._settings.run / f"{name}.pid"


def _status(pid: int) -> str:
    """The state letter of /proc: R, S, D, T, Z; X when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _detached(words: Sequence[str], log: Path, pass_fds: Sequence[int]) -> None:
    """Run a program that leaves a process behind, with output to a log and an environment without surprises."""
    with log.open("ab") as output:
        subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"},
            check=True,
        )
