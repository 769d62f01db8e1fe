"""Control groups: how everything that a cluster started is found again, and ended.

All processes of a cluster, pods included, are in groups below one of its name. Killing what is in there hits nothing
else, whatever the processes are called and whoever started them.
"""

import os
import signal
from pathlib import Path

from tests.cluster.common import wait_for

LISTING = Path("/proc/self/mountinfo")


def hierarchies(mountinfo: str) -> dict[str, list[str]]:
    """Mount points of control group hierarchies with their controllers; version 2 has the entry `unified`."""
    found: dict[str, list[str]] = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup2":
            found[left.split()[4]] = ["unified"]
        elif kind == "cgroup":
            found[left.split()[4]] = options.split(",")
    return found


class Cgroups:
    """The groups of the cluster called `name`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._hierarchies = hierarchies(LISTING.read_text())

    @property
    def _home(self) -> Path:
        """The hierarchy in which components are told apart."""
        for mount, controllers in self._hierarchies.items():
            if "pids" in controllers:
                return Path(mount)
        return next(Path(mount) for mount, names in self._hierarchies.items() if "unified" in names)

    def component(self, name: str) -> Path:
        """The folder of a component's group."""
        return self._home / self.name / "components" / name

    def create(self, below: list[str]) -> None:
        """Make the cluster's group, and `below` in it, in every hierarchy: kubelets want to find theirs."""
        pure_v2 = all("unified" in names for names in self._hierarchies.values())
        for mount, names in self._hierarchies.items():
            if "unified" in names and not pure_v2:
                continue
            for path in [self.name, *(f"{self.name}/{child}" for child in below)]:
                group = Path(mount) / path
                group.mkdir(exist_ok=True)
                if "cpuset" in names:
                    _inherit_cpuset(group)
                if pure_v2:
                    _delegate(group.parent)

    def holds(self, pid: int, component: str) -> bool:
        """Whether that process is in the component's group."""
        wanted = f"/{self.name}/components/{component}"
        try:
            groups = Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return False
        return any(line.endswith(wanted) for line in groups.splitlines())

    def pids(self, below: str = "") -> set[int]:
        """Every process in the cluster's groups, or in those below a path."""
        return {pid for group in self._groups(below) for pid in _processes(group)}

    def find(self, text: str) -> set[int]:
        """Every process in a group of the cluster whose path holds `text`, such as a container's id."""
        return {pid for group in self._groups() if text in str(group) for pid in _processes(group)}

    def kill(self) -> None:
        """End every process of the cluster and remove its groups."""
        wait_for("end of the cluster's processes", self._kill_once, seconds=60)
        wait_for("removal of the control groups", self._remove_once, seconds=30)

    def _kill_once(self) -> bool:
        for group in self._groups():
            if (group / "freezer.state").exists():
                (group / "freezer.state").write_text("THAWED")
        pids = self.pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not pids

    def _remove_once(self) -> bool:
        for group in sorted(self._groups(), key=lambda path: len(path.parts), reverse=True):
            try:
                group.rmdir()
            except OSError:
                continue  # busy for a moment more
        return not any(True for _ in self._groups())

    def _groups(self, below: str = "") -> list[Path]:
        found = []
        for mount in self._hierarchies:
            for folder, _, _ in os.walk(Path(mount) / self.name / below):
                found.append(Path(folder))
        return found


def _processes(group: Path) -> list[int]:
    try:
        return [int(line) for line in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []  # gone meanwhile


def _inherit_cpuset(group: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not (group / name).read_text().strip():
            (group / name).write_text((group.parent / name).read_text())


def _delegate(group: Path) -> None:
    for name in (group / "cgroup.controllers").read_text().split():
        try:
            (group / "cgroup.subtree_control").write_text(f"+{name}")
        except OSError:
            continue  # a controller that can't be had here
