"""The commands as a person runs them: what they print, how they end, and what an interruption leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.cluster.cli import ON_ALL, ON_ONE
from tests.cluster.common import wait_for, write
from tests.unit.cluster.builders import REPO, StandIns, a_cluster_folder, a_program, compiled, engines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.settings import Settings


@dataclass(frozen=True)
class Shell:
    """A terminal in which Docker answers, with a cluster folder of its own."""

    settings: Settings
    standins: StandIns

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Run `python -m tests.cluster WORDS`, which need not end at once."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LONGTASK_", "KUBECONFIG"))}
        env = {**clean, "LONGTASK_CLUSTER_DIR": str(self.settings.home), **environment}
        command = [sys.executable, "-m", "tests.cluster", *words]
        return subprocess.Popen(
            command,
            cwd=REPO,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Run a command to its end: exit code, stdout, stderr."""
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """See `Shell`."""
    standins = engines(tmp_path, monkeypatch, answering=("docker",))
    settings = a_cluster_folder(tmp_path)
    compiled(settings, standins)
    return Shell(settings, standins)


def test_a_cluster_comes_up_is_looked_at_and_goes(shell: Shell) -> None:
    code, _, err = shell.run("up")
    assert code == 0
    assert err.endswith(f"cluster is up:  export KUBECONFIG={shell.settings.kubeconfig}\n")
    assert (shell.settings.home / "kind").read_text() == "kind"

    code, out, _ = shell.run("status")
    assert code == 0
    assert out.splitlines()[0] == f"kind cluster, kubeconfig {shell.settings.kubeconfig}"
    assert {line.split()[1] for line in out.splitlines()[1:]} == {"running"}

    assert shell.run("down")[0] == 0
    assert not list((shell.standins.state / "nodes").iterdir())
    assert shell.run("down") == (0, "", "no cluster to remove\n")


def test_a_component_is_stopped_and_started_by_name(shell: Shell) -> None:
    shell.run("up")

    assert shell.run("stop", "etcd")[0] == 0
    assert "etcd                       stopped" in shell.run("status")[1]
    assert shell.run("start", "etcd")[0] == 0
    code, out, _ = shell.run("log", "kubelet-1")
    assert (code, out) == (0, f"{shell.settings.logs / 'kubelet-1.log'}\n")


def test_a_failure_is_one_message_on_stderr_and_not_a_traceback(shell: Shell) -> None:
    shell.standins.refuse("kind", "create", "no space left on device")

    code, out, err = shell.run("up")

    assert (code, out) == (1, "")
    assert "error: " in err
    assert "no space left on device" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", [*ON_ALL, *ON_ONE])
def test_every_command_does_something_or_says_why_not(shell: Shell, command: str) -> None:
    words = [command, "etcd"] if command in ON_ONE else [command]

    code, out, err = shell.run(*words)

    assert code in (0, 1)
    assert "Traceback" not in err
    assert out or err or shell.standins.records() or command in ("build", "tools")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_says_how_to_go_on(shell: Shell, number: signal.Signals) -> None:
    reached = shell.settings.home / "reached"
    a_program(shell.settings.bin / "kind", f"touch {reached}; exec sleep 1000")
    process = shell.start("up")
    wait_for("kind at work", reached.exists, seconds=30)

    os.killpg(process.pid, number)

    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; the same command goes on from here, `down` removes what there is" in err


def test_after_a_command_that_was_killed_the_same_command_goes_on(shell: Shell) -> None:
    real = (shell.settings.bin / "kind").read_text()
    reached = shell.settings.home / "reached"
    a_program(shell.settings.bin / "kind", f"touch {reached}; exec sleep 1000")
    process = shell.start("up")
    wait_for("kind at work", reached.exists, seconds=30)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    write(shell.settings.bin / "kind", real, mode=0o755)

    assert shell.run("up")[0] == 0
    assert shell.run("status")[0] == 0


def test_an_unreachable_default_kubeconfig_is_not_what_deploy_takes(shell: Shell, tmp_path: Path) -> None:
    write(tmp_path / "person/.kube/config", "production")

    code, _, err = shell.run("deploy", HOME=str(tmp_path / "person"))

    assert code == 1
    assert "install where?" in err
    assert shell.standins.records() == []


def test_what_helps_after_a_failure_is_shown_and_bounded(shell: Shell) -> None:
    shell.run("up")
    shell.run("stop", "kube-scheduler")
    a_program(
        shell.settings.bin / "kubectl",
        'case $* in *" events "*) seq 1000;; *" logs "*) echo "the server is away" >&2; exit 1;; *) echo rows;; esac',
    )

    code, out, _ = shell.run("diagnose")

    assert code == 0
    assert "kube-scheduler             stopped" in out
    assert "--- the log of kube-scheduler" in out
    assert "the server is away" in out
    events = out.partition("--- events\n")[2].split()
    assert (events[0], events[-1]) == ("961", "1000")


def test_without_a_cluster_a_diagnosis_says_just_that(shell: Shell) -> None:
    code, _, err = shell.run("diagnose")

    assert code == 1
    assert "no cluster in" in err
