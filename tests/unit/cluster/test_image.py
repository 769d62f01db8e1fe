"""When the image is built and loaded, by whom, and how a build is told the way to a package index."""

from __future__ import annotations

import shutil
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.cluster import builders, foreign, image
from tests.cluster.base import IMAGE
from tests.cluster.common import write
from tests.cluster.existing import ExistingCluster
from tests.cluster.settings import Settings
from tests.unit.cluster.builders import REPO, a_program, engines

if TYPE_CHECKING:
    from pathlib import Path


SOURCES = (
    "Containerfile",
    ".dockerignore",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "operator/longtask/__init__.py",
)


class Nodes(ExistingCluster):
    """A cluster whose nodes take every image."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.loaded: list[Path] = []
        self.names: set[str] = set()

    def load_image(self, archive: Path, name: str = IMAGE) -> None:
        self.loaded.append(archive)
        self.names.add(name)

    def has_image(self, name: str = IMAGE) -> bool:
        return bool(self.loaded) and name in self.names


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Sources of a test's own."""
    repo = tmp_path / "repo"
    for name in SOURCES:
        write(repo / name, name)
    return Settings(repo=repo, home=tmp_path / "cluster")


@pytest.fixture
def cluster(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    """A cluster for which building means writing `built` into the archive."""
    monkeypatch.setattr(builders, "build", lambda _settings, _scratch, archive: archive.write_text("built"))
    return Nodes(settings)


@pytest.mark.parametrize("path", SOURCES)
def test_the_fingerprint_changes_with_every_source(settings: Settings, path: str) -> None:
    before = image.fingerprint(settings)

    write(settings.repo / path, "changed")

    assert image.fingerprint(settings) != before


def test_the_fingerprint_changes_when_a_file_is_added_renamed_or_removed(settings: Settings) -> None:
    seen = {image.fingerprint(settings)}
    for change in (
        lambda: write(settings.repo / "operator/longtask/new.py", "x"),
        lambda: (settings.repo / "operator/longtask/new.py").rename(settings.repo / "operator/longtask/other.py"),
        (settings.repo / "operator/longtask/__init__.py").unlink,
    ):
        change()
        seen.add(image.fingerprint(settings))

    assert len(seen) == 4


def test_the_fingerprint_is_blind_for_what_python_leaves_and_for_tests(settings: Settings) -> None:
    before = image.fingerprint(settings)

    write(settings.repo / "operator/longtask/__pycache__/a.pyc", "x")
    write(settings.repo / "tests/unit/test_it.py", "x")

    assert image.fingerprint(settings) == before


def test_every_file_that_the_containerfile_copies_counts() -> None:
    """Else a changed image would be taken for current."""
    lines = (REPO / "Containerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY") and "--from" not in line for word in line.split()[1:-1]}

    assert copied == {"pyproject.toml", "README.md", "LICENSE", "operator"}


def test_it_is_built_and_loaded_once(cluster: Nodes) -> None:
    image.load(cluster)
    image.load(cluster)

    assert [archive.read_text() for archive in cluster.loaded] == ["built"]
    assert image.loaded(cluster.settings) == image.fingerprint(cluster.settings)


def test_changed_sources_are_built_and_loaded_and_the_old_archive_goes(cluster: Nodes) -> None:
    image.load(cluster)
    write(cluster.settings.repo / "operator/longtask/__init__.py", "changed")

    image.load(cluster)

    assert len(cluster.loaded) == 2
    assert not cluster.loaded[0].exists()


def test_nodes_that_lost_it_get_it_again_without_a_build(cluster: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    image.load(cluster)
    cluster.loaded.clear()
    monkeypatch.delattr(builders, "build")

    image.load(cluster)

    assert len(cluster.loaded) == 1


def test_a_build_that_fails_leaves_no_archive_that_looks_whole(cluster: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(_settings: Settings, _scratch: Path, archive: Path) -> None:
        archive.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(builders, "build", half)
    with pytest.raises(KeyboardInterrupt):
        image.load(cluster)

    assert not list((cluster.settings.home / "image").glob("*.tar"))


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_an_engine_builds_the_containerfile_under_the_name_that_nodes_look_for(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    standins = engines(tmp_path, monkeypatch, answering=(engine,))

    builders.build(settings, tmp_path, tmp_path / "image.tar")

    _, built, saved = (call for call in standins.records() if call.program == engine)
    assert built.words.startswith("build --file=Containerfile --tag=docker.io/library/longtask:dev ")
    assert built.cwd == str(settings.repo)
    assert saved.words == f"save --output={tmp_path}/image.tar docker.io/library/longtask:dev"


def test_without_an_engine_buildah_builds_on_a_base_of_packages(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines(tmp_path, monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    answer = 'case $* in *images*) echo "[]";; mmdebstrap*) for word; do :; done; touch "$word";; esac'
    a_program(tmp_path / "path/unshare", f'shift; echo "$*" >>{tmp_path}/calls; {answer}')

    builders.build(settings, tmp_path, tmp_path / "image.tar")

    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["buildah", "buildah", "mmdebstrap", "buildah", "buildah", "buildah"]
    base = next(word.removeprefix("--tag=") for word in calls[3].split() if word.startswith("--tag="))
    assert calls[0].endswith(" rm --all")
    assert f"--build-arg=BASE={base}" in calls[4].split()
    assert calls[5].endswith(f"push --quiet longtask:dev docker-archive:{tmp_path}/image.tar:longtask:dev")
    assert not (tmp_path / "cache/longtask/base").exists()


def test_programs_for_tests_are_debians_packages_whoever_builds_the_image(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines(tmp_path, monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    answer = 'case $* in *images*) echo "[]";; mmdebstrap*) for word; do :; done; touch "$word";; esac'
    a_program(tmp_path / "path/unshare", f'shift; echo "$*" >>{tmp_path}/calls; {answer}')

    builders.build_packages(settings, ["gddrescue", "other"], "foreign:dev", tmp_path, tmp_path / "image.tar")

    calls = (tmp_path / "calls").read_text().splitlines()
    assert "--include=gddrescue,other" in calls[1].split()
    assert calls[-1].endswith(f"docker-archive:{tmp_path}/image.tar:foreign:dev")

    a_program(
        tmp_path / "path/docker", f'echo "$*" >>{tmp_path}/docker; cat Containerfile >>{tmp_path}/docker 2>&1; true'
    )
    builders.build_packages(settings, ["gddrescue"], "foreign:dev", tmp_path, tmp_path / "image.tar")

    said = (tmp_path / "docker").read_text()
    assert "RUN apt-get update && apt-get install --yes --no-install-recommends gddrescue" in said
    assert f"save --output={tmp_path}/image.tar docker.io/library/foreign:dev" in said


def test_programs_for_tests_are_built_and_loaded_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builders, "build_packages", lambda *parts: parts[-1].write_text("built"))
    cluster = Nodes(settings)

    foreign.load(cluster)
    monkeypatch.delattr(builders, "build_packages")
    foreign.load(cluster)

    assert [archive.read_text() for archive in cluster.loaded] == ["built"]
    assert {foreign.IMAGE} == cluster.names


def test_pips_way_to_an_index_is_lent_to_the_build_as_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authorities = ssl.get_default_verify_paths().cafile or shutil.which("sh")
    monkeypatch.setenv("PIP_CERT", str(authorities))
    monkeypatch.setattr(builders, "_pip_config", lambda: "global.index-url='https://packages.example/simple'\n")

    options = builders.secrets(tmp_path)

    assert options == [f"--secret=id=pip,src={tmp_path}/pip.conf", f"--secret=id=ca,src={authorities}"]
    assert (tmp_path / "pip.conf").read_text().splitlines() == [
        "[global]",
        "index-url = https://packages.example/simple",
        "cert = /run/secrets/ca",
    ]
    assert (tmp_path / "pip.conf").stat().st_mode & 0o777 == 0o600


def test_of_pips_settings_those_of_the_way_count_and_the_first_one_wins() -> None:
    listing = (
        ":env:.index-url='https://env.example/simple'\n"
        "global.index-url='https://file.example/simple'\n"
        "global.extra-index-url='\\nhttps://a.example\\nhttps://b.example'\n"
        "global.user='true'\n"
    )

    assert builders.pip_settings(listing) == {
        "index-url": "https://env.example/simple",
        "extra-index-url": "https://a.example https://b.example",
    }
