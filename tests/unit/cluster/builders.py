"""A cluster's folder of a test's own, and programs that stand in for real ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.cluster import build
from tests.cluster.common import write
from tests.cluster.settings import Settings

if TYPE_CHECKING:
    import pytest

REPO = Path(__file__).resolve().parents[3]
STANDIN = Path(__file__).with_name("standin.sh")


def a_cluster_folder(tmp_path: Path) -> Settings:
    """Settings for the present sources and an empty cluster folder."""
    return Settings(repo=REPO, home=tmp_path / "cluster")


def a_program(path: Path, script: str) -> Path:
    """An executable file that runs a shell script."""
    write(path, f"#!/bin/sh\n{script}\n", mode=0o755)
    return path


class Call(NamedTuple):
    """A call of a stand-in, with where it ran and what its environment said about clusters."""

    program: str
    cwd: str
    kubeconfig: str
    provider: str
    words: str


@dataclass(frozen=True)
class StandIns:
    """The folder in which programs that stand in for real ones keep their state and their calls."""

    state: Path

    def put(self, path: Path) -> None:
        """Put a stand-in at `path`; its name says what it stands in for."""
        a_program(path, f'exec sh {STANDIN} {self.state} {path.name} "$@"')

    def refuse(self, program: str, word: str, text: str) -> None:
        """Make calls of `program` with that first word fail, with that text."""
        write(self.state / "refuse" / f"{program}-{word}", text)

    def records(self) -> list[Call]:
        """Every call so far."""
        calls = self.state / "calls"
        return [Call(*line.split("\t")) for line in calls.read_text().splitlines()] if calls.exists() else []

    def calls(self, program: str) -> list[str]:
        """The words of every call of a program."""
        return [call.words for call in self.records() if call.program == program]

    def forget(self) -> None:
        (self.state / "calls").unlink(missing_ok=True)


def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, answering: tuple[str, ...] = ()) -> StandIns:
    """Docker and Podman on PATH, of which those that are named answer and the others are clients without an engine."""
    standins = StandIns(tmp_path / "standins")
    standins.state.mkdir()
    for name in ("docker", "podman"):
        standins.put(tmp_path / "path" / name)
        if name not in answering:
            standins.refuse(name, "info", "Cannot connect to the daemon. Is it running?")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    return standins


def compiled(settings: Settings, standins: StandIns) -> None:
    """Put stand-ins where `kubectl`, `helm` and `kind` would be compiled to, marked as current."""
    for name in ("kubectl", "helm", "kind"):
        standins.put(settings.bin / name)
    for what, programs in (("clients", build.TOOLS), ("kind", build.KIND)):
        write(settings.bin / f".{what}", build._wanted(settings, programs))
