"""What is installed on the host: said first, and asked for where there is somebody to ask."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cluster import host
from tests.cluster.common import ClusterError
from tests.unit.cluster.builders import a_cluster_folder, a_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.settings import Settings

LACKING = ("runtime-x", "tracker-x")
"""Names that no machine has."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A Debian of root's that lacks two packages and has an `apt-get` that writes down what it is asked."""
    for name in ("CI", "LONGTASK_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(host, "NEEDED", {name: (name,) for name in (*LACKING, "dpkg")})
    for name in ("apt-get", "dpkg"):
        a_program(tmp_path / "path" / name, f"{record(tmp_path, name)}\n{installing(tmp_path)}")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return a_cluster_folder(tmp_path)


def record(tmp_path: Path, name: str) -> str:
    """Write down what is asked; the machine's own programs are for the stand-in only."""
    return f'PATH=/usr/bin:/bin; echo "{name} $*" >>{tmp_path}/calls'


def installing(tmp_path: Path) -> str:
    """Put the programs there, as `apt-get install` does."""
    programs = " ".join(str(tmp_path / "path" / name) for name in LACKING)
    return f'case $* in *" install "*) touch {programs} && chmod +x {programs};; esac'


def calls(tmp_path: Path) -> list[str]:
    """What was asked of apt-get and dpkg."""
    recorded = tmp_path / "calls"
    return recorded.read_text().splitlines() if recorded.exists() else []


def typing(monkeypatch: pytest.MonkeyPatch, answer: str) -> list[str]:
    """Sit a person at the terminal who answers that; the questions are in the result."""
    asked: list[str] = []

    def reply(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", reply)
    return asked


def test_where_nothing_is_missing_nothing_is_asked_or_installed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "NEEDED", {"dpkg": ("dpkg",)})

    host.prepare(settings)

    assert calls(tmp_path) == []


def test_what_will_change_is_said_before_it_is_asked_for(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typing(monkeypatch, "n")
    with pytest.raises(ClusterError):
        host.prepare(settings)
    said = capsys.readouterr().err

    assert "apt-get install runtime-x tracker-x" in said
    assert str(settings.home) in said
    assert all(word in said for word in ("containerd", "Bridge", "iptables", "mounts"))
    assert calls(tmp_path) == []


def test_a_yes_installs(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, "y")

    host.prepare(settings)

    assert any(" install " in call for call in calls(tmp_path))


@pytest.mark.parametrize("answer", ["", "n", "what?"])
def test_only_a_yes_installs(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    asked = typing(monkeypatch, answer)

    with pytest.raises(ClusterError, match="not installed, as you wish"):
        host.prepare(settings)

    assert len(asked) == 1
    assert calls(tmp_path) == []


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("LONGTASK_CLUSTER", "local")])
def test_who_has_agreed_beforehand_is_not_asked(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    asked = typing(monkeypatch, "n")
    monkeypatch.setenv(name, value)

    host.prepare(settings)

    assert asked == []
    assert calls(tmp_path)[-1].endswith("install --yes --no-install-recommends runtime-x tracker-x")


def test_where_nobody_can_be_asked_nothing_is_installed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)

    with pytest.raises(ClusterError, match=r"nobody to ask\. Set LONGTASK_CLUSTER=local"):
        host.prepare(settings)

    assert calls(tmp_path) == []


def test_an_installation_that_was_interrupted_is_finished_first(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")
    mended = tmp_path / "mended"
    a_program(
        tmp_path / "path/apt-get",
        f"{record(tmp_path, 'apt-get')}\n"
        f'case $* in *" install "*) test -e {mended} || {{ echo dpkg was interrupted >&2; exit 100; }};; esac\n'
        f"{installing(tmp_path)}",
    )
    a_program(tmp_path / "path/dpkg", f"{record(tmp_path, 'dpkg')}; touch {mended}")

    host.prepare(settings)

    assert [call.split()[0] for call in calls(tmp_path)] == ["apt-get", "apt-get", "dpkg", "apt-get"]
    assert "dpkg --configure -a" in calls(tmp_path)


def test_an_installation_that_did_not_bring_everything_is_an_error(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")
    a_program(tmp_path / "path/apt-get", "exit 0")

    with pytest.raises(ClusterError, match="still missing after the installation: runtime-x, tracker-x"):
        host.prepare(settings)


def test_without_root_the_other_way_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(ClusterError, match=r"needs root \(or start Docker"):
        host.prepare(settings)


def test_where_there_is_no_apt_what_is_missing_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "path/apt-get").unlink()

    with pytest.raises(ClusterError, match="not Debian; please install: runtime-x, tracker-x"):
        host.prepare(settings)
