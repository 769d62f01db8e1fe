"""Components as real processes in real control groups: started, frozen, ended, and nothing of them left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster import cgroups
from tests.cluster.cgroups import Cgroups, hierarchies
from tests.cluster.common import ClusterError, wait_for
from tests.cluster.processes import Processes
from tests.unit.cluster.builders import a_cluster_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

CGROUPS = Path("/sys/fs/cgroup")
needs_control_groups = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(CGROUPS, os.W_OK),
    reason="control groups that can be written to: the local cluster runs only there",
)
SLEEP = ["sleep", "1000"]
DEAF = ["sh", "-c", "trap '' TERM; while :; do sleep 1000; done"]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Those of a cluster of this test's own, all of which end with the test."""
    made = Processes(a_cluster_folder(tmp_path))
    yield made
    made.cgroups.kill()


def groups_of(processes: Processes) -> list[Path]:
    """The cluster's control groups, in every hierarchy; those of other clusters come and go meanwhile."""
    name = processes.cgroups.name
    return [Path(folder) / name for folder, names, _ in os.walk(CGROUPS) if name in names]


def children(pid: int) -> set[int]:
    """The processes that this one has started."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@contextlib.contextmanager
def a_bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with any cluster."""
    with subprocess.Popen(SLEEP) as process:
        try:
            yield process
        finally:
            process.kill()


@needs_control_groups
def test_a_component_runs_freezes_thaws_and_stops(processes: Processes) -> None:
    assert processes.state("etcd") == "stopped"

    processes.start("etcd", SLEEP)
    wait_for("a running etcd", lambda: processes.state("etcd") == "running", seconds=10)
    processes.freeze("etcd")
    assert processes.state("etcd") == "frozen"
    processes.thaw("etcd")
    assert processes.state("etcd") == "running"
    processes.stop("etcd")
    assert processes.state("etcd") == "stopped"


@needs_control_groups
def test_a_component_that_runs_is_not_started_again(processes: Processes) -> None:
    processes.start("etcd", SLEEP)
    first = processes.pid("etcd")

    processes.start("etcd", SLEEP)

    assert processes.pid("etcd") == first is not None
    assert processes.cgroups.pids() == {first}


@needs_control_groups
def test_a_component_outlives_the_command_that_started_it_and_writes_to_its_log(processes: Processes) -> None:
    processes.start("etcd", ["sh", "-c", "echo out; echo err >&2; exec sleep 1000"])

    pid = processes.pid("etcd")
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0)  # a Ctrl-C in the terminal does not reach it
    wait_for("its output", lambda: processes.log("etcd").read_text() == "out\nerr\n", seconds=10)


@needs_control_groups
def test_one_that_does_not_listen_is_killed_in_the_end(processes: Processes) -> None:
    processes.start("etcd", DEAF)
    pid = processes.pid("etcd")
    assert pid is not None
    wait_for("deaf ears", lambda: bool(children(pid)), seconds=10)

    processes.stop("etcd", seconds=0.2)

    assert processes.state("etcd") == "stopped"


@needs_control_groups
def test_a_frozen_one_can_be_stopped(processes: Processes, tmp_path: Path) -> None:
    told = tmp_path / "told"
    processes.start("etcd", ["sh", "-c", f"trap 'touch {told}; exit' TERM; sleep 1000 & wait"])
    pid = processes.pid("etcd")
    assert pid is not None
    wait_for("its trap", lambda: bool(children(pid)), seconds=10)
    processes.freeze("etcd")

    processes.stop("etcd")

    assert processes.state("etcd") == "stopped"
    assert told.exists()  # it ended in its own way and was not killed


@needs_control_groups
def test_stopping_and_killing_what_does_not_run_does_nothing(processes: Processes) -> None:
    processes.stop("etcd")
    processes.kill("etcd")

    assert processes.state("etcd") == "stopped"


@needs_control_groups
def test_freezing_what_does_not_run_is_an_error(processes: Processes) -> None:
    with pytest.raises(ClusterError, match="etcd is not running"):
        processes.freeze("etcd")


@needs_control_groups
def test_a_process_that_got_the_number_of_a_dead_component_is_not_hit(processes: Processes) -> None:
    with a_bystander() as bystander:
        processes.start("etcd", SLEEP)
        processes.kill("etcd")
        (processes._settings.run / "etcd.pid").write_text(str(bystander.pid))

        assert processes.state("etcd") == "stopped"
        processes.kill("etcd")
        with pytest.raises(ClusterError, match="not running"):
            processes.signal("etcd", signal.SIGKILL)

        assert bystander.poll() is None


@needs_control_groups
def test_killing_the_cluster_ends_what_its_components_left_behind_and_removes_every_group(
    processes: Processes,
) -> None:
    processes.cgroups.create(["node-1"])
    processes.start("containerd-1", ["sh", "-c", "setsid sleep 1000 & setsid sleep 1000 & wait"])
    wait_for("a component with children", lambda: len(processes.cgroups.pids()) == 3, seconds=10)
    processes.kill("containerd-1")
    assert len(processes.cgroups.pids()) == 2  # like the shims of containers, they live on

    processes.cgroups.kill()

    assert processes.cgroups.pids() == set()
    assert groups_of(processes) == []


@needs_control_groups
def test_killing_the_cluster_ends_frozen_processes(processes: Processes) -> None:
    processes.start("etcd", SLEEP)
    processes.freeze("etcd")

    processes.cgroups.kill()

    assert groups_of(processes) == []


@needs_control_groups
@pytest.mark.skipif(not (CGROUPS / "freezer").is_dir(), reason="control groups of version 1 freeze in a hierarchy")
def test_killing_the_cluster_ends_processes_in_a_frozen_group(processes: Processes) -> None:
    """A container runtime that was killed in the middle of a pause leaves one; signals do not get through."""
    processes.start("etcd", SLEEP)
    group = CGROUPS / "freezer" / processes.cgroups.name / "paused"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text(str(processes.pid("etcd")))
    (group / "freezer.state").write_text("FROZEN")

    processes.cgroups.kill()

    assert groups_of(processes) == []


@needs_control_groups
def test_killing_a_cluster_leaves_another_alone(processes: Processes, tmp_path: Path) -> None:
    other = Processes(a_cluster_folder(tmp_path / "other"))
    try:
        processes.start("etcd", SLEEP)
        other.start("etcd", SLEEP)

        processes.cgroups.kill()

        assert other.state("etcd") == "running"
    finally:
        other.cgroups.kill()


@needs_control_groups
def test_processes_of_a_container_are_found_by_its_id(processes: Processes) -> None:
    processes.start("pod-3fa9", SLEEP)
    processes.start("pod-77b0", SLEEP)

    assert processes.cgroups.find("3fa9") == {processes.pid("pod-3fa9")}


@needs_control_groups
def test_a_cluster_of_which_nothing_runs_can_be_killed(tmp_path: Path) -> None:
    never_started = Processes(a_cluster_folder(tmp_path))

    never_started.cgroups.kill()

    assert groups_of(never_started) == []


def test_hierarchies_of_both_versions_are_read() -> None:
    mountinfo = (
        "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "30 22 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct\n"
        "31 22 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
    )

    assert hierarchies(mountinfo) == {
        "/sys/fs/cgroup/cpu,cpuacct": ["rw", "cpu", "cpuacct"],
        "/sys/fs/cgroup/unified": ["unified"],
    }


@pytest.mark.parametrize(
    ("mounted", "home"),
    [
        (["cgroup rw,cpu", "cgroup rw,pids", "cgroup2 rw"], "1"),
        (["cgroup2 rw"], "0"),
    ],
    ids=["version 1 beside 2", "version 2 alone"],
)
def test_components_are_told_apart_in_the_hierarchy_that_counts_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: list[str], home: str
) -> None:
    lines = [
        f"3{number} 1 0:{number} / /groups/{number} rw - {kind.split()[0]} none {kind.split()[1]}"
        for number, kind in enumerate(mounted)
    ]
    listing = tmp_path / "mountinfo"
    listing.write_text("\n".join(lines))
    monkeypatch.setattr(cgroups, "LISTING", listing)

    assert Cgroups("mine").component("etcd") == Path(f"/groups/{home}/mine/components/etcd")
