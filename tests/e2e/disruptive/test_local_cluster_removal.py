"""A second local cluster, beside the one of the other tests, is killed while it starts, comes up, runs a pod, and goes.

What it leaves on the host is compared with what was there before: processes, mounts, interfaces, rules, namespaces and
control groups.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster import api, local
from tests.cluster.cgroups import Cgroups
from tests.cluster.configs import PAUSE_IMAGE
from tests.cluster.settings import NODES, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.disruptive

REPO = Path(__file__).resolve().parents[3]
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "sleeper"},
    "spec": {
        "containers": [
            {
                "name": "sleeper",
                "image": PAUSE_IMAGE,
                "imagePullPolicy": "Never",
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
            }
        ],
        "volumes": [{"name": "scratch", "emptyDir": {"medium": "Memory"}}],
    },
}


@dataclass(frozen=True)
class Host:
    """What a cluster could leave behind outside its folder."""

    mounts: frozenset[str]
    interfaces: frozenset[str]
    rules: tuple[str, ...]
    network_namespaces: frozenset[str]

    @classmethod
    def now(cls) -> Host:
        """Look, with the eyes of a process in the host's own namespaces."""
        return cls(
            mounts=frozenset(line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
            interfaces=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            rules=tuple(rule for program in ("iptables-save", "ip6tables-save") for rule in rules(program)),
            network_namespaces=frozenset(path.name for path in Path("/run/netns").glob("*")),
        )


def rules(program: str) -> list[str]:
    """Firewall rules and chains, without the times and counters that go on by themselves."""
    listing = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return [line.partition(" [")[0] for line in listing.splitlines() if not line.startswith("#")]


@dataclass(frozen=True)
class Second:
    """The second cluster and the commands that are given to it."""

    settings: Settings

    def start(self, command: str) -> subprocess.Popen[str]:
        """Begin a command; it need not come to its end."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LONGTASK_", "KUBECONFIG"))}
        env = {**clean, "LONGTASK_CLUSTER_DIR": str(self.settings.home), "LONGTASK_CLUSTER": "local"}
        words = [sys.executable, "-m", "tests.cluster", command]
        pipe = subprocess.PIPE
        return subprocess.Popen(words, cwd=REPO, env=env, text=True, stdout=pipe, stderr=pipe, start_new_session=True)

    def run(self, command: str) -> None:
        """Run a command, which must succeed."""
        process = self.start(command)
        _, said = process.communicate(timeout=180)
        assert process.returncode == 0, said

    def killed_up(self, reaching: str) -> None:
        """Begin to bring it up, and kill that as soon as a component of that name has been started."""
        process = self.start("up")
        reached = self.settings.run / f"{reaching}.pid"
        api.wait_for(f"start of {reaching}", lambda: reached.exists() or process.poll() is not None, seconds=120)
        os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL, said
        assert not self.settings.kubeconfig.exists()

    def kubectl(self, *words: str, manifest: object = None) -> str:
        """Run kubectl on it, which must succeed."""
        command = [str(self.settings.bin / "kubectl"), f"--kubeconfig={self.settings.kubeconfig}", *words]
        text = json.dumps(manifest)
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def processes(self) -> set[int]:
        """Every process in its control groups."""
        return Cgroups(self.settings.id).pids()

    def namespaces(self) -> set[str]:
        """The network and mount namespaces that its processes live in and the host does not."""
        own = {link for pid in self.processes() for link in namespaces(pid)}
        return own - namespaces(os.getpid())


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Second]:
    """A cluster that was never up, with the programs of the first."""
    first = api.current()
    if first.kind != "local":
        pytest.skip(f"the cluster is one of {first.kind}; what that leaves behind is up to it")
    settings = Settings(repo=REPO, home=tmp_path / "second")
    shutil.copytree(first.settings.bin, settings.bin, symlinks=True, copy_function=link)
    made = Second(settings)
    yield made
    made.start("down").communicate(timeout=120)


def link(source: str, target: str) -> None:
    """Save the room of a copy where both are on one file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def namespaces(pid: int) -> set[str]:
    """The network and mount namespace of a process; none when it is gone."""
    with contextlib.suppress(OSError):
        return {os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "mnt")}
    return set()


def everybody() -> list[int]:
    """Every process of the machine."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def command_line(pid: int) -> str:
    """The words of a process; empty when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    return ""


def control_groups(settings: Settings) -> list[Path]:
    """The cluster's groups in every hierarchy; those of other clusters come and go meanwhile."""
    return [Path(folder) / settings.id for folder, names, _ in os.walk("/sys/fs/cgroup") if settings.id in names]


def assert_nothing_is_left(second: Second, before: Host, its_namespaces: set[str]) -> None:
    """Compare the host with what it was, and look for everything that was the cluster's."""
    settings = second.settings
    assert Host.now() == before
    assert second.processes() == set()
    assert control_groups(settings) == []
    assert [line for line in map(command_line, everybody()) if str(settings.home) in line] == []
    assert [command_line(pid) for pid in everybody() if namespaces(pid) & its_namespaces] == []
    assert {path.name for path in settings.home.iterdir()} <= set(local.KEPT)


def test_a_cluster_whose_start_was_killed_comes_up_beside_another_and_goes_without_a_trace(second: Second) -> None:
    before = Host.now()
    second.killed_up(reaching="kube-apiserver")

    second.run("up")
    second.kubectl("apply", "--filename=-", manifest=POD)
    second.kubectl("wait", "pod/sleeper", "--for=condition=Ready", "--timeout=60s")
    ready = second.kubectl("get", "nodes", "--output=jsonpath={.items[*].metadata.name}").split()
    assert ready == [node.name for node in NODES]
    port = int((settings := second.settings).run.joinpath("port").read_text())
    its_namespaces = second.namespaces()
    assert len(its_namespaces) >= 4  # the sandbox's two, the pod's network, its containers' mounts
    assert control_groups(settings)
    assert Host.now() == before  # even while it runs, everything is in namespaces of its own

    second.run("down")

    assert_nothing_is_left(second, before, its_namespaces)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.parametrize("reaching", ["sandbox", "kubelet-2"])
def test_what_a_killed_start_left_is_removed(second: Second, reaching: str) -> None:
    before = Host.now()
    second.killed_up(reaching)
    its_namespaces = second.namespaces()

    second.run("down")

    assert_nothing_is_left(second, before, its_namespaces)
