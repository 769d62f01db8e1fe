"""Which cluster is brought up, and which is removed: never a person's own by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster import choice
from tests.cluster.common import ClusterError, write
from tests.cluster.existing import ExistingCluster
from tests.cluster.kind import KindCluster
from tests.cluster.local import LocalCluster
from tests.unit.cluster.builders import a_cluster_folder, engines

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs these tests may have asked for something."""
    monkeypatch.delenv("LONGTASK_CLUSTER", raising=False)
    monkeypatch.delenv("LONGTASK_CONTEXT", raising=False)


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_kind_where_an_engine_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    engines(tmp_path, monkeypatch, answering=(engine,))

    assert choice.wanted() == "kind"


def test_the_local_one_where_docker_is_a_client_without_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standins = engines(tmp_path, monkeypatch)

    assert choice.wanted() == "local"
    assert standins.calls("docker") == standins.calls("podman") == ["info"]


def test_the_local_one_where_there_is_no_engine_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert choice.wanted() == "local"


def test_an_answer_is_not_even_asked_for_when_the_local_one_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standins = engines(tmp_path, monkeypatch, answering=("docker",))
    monkeypatch.setenv("LONGTASK_CLUSTER", "local")

    assert choice.wanted() == "local"
    assert standins.records() == []


def test_kind_when_asked_for_although_nothing_answers_so_that_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines(tmp_path, monkeypatch)
    monkeypatch.setenv("LONGTASK_CLUSTER", "kind")

    assert choice.wanted() == "kind"


def test_a_cluster_of_ones_own_only_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines(tmp_path, monkeypatch, answering=("docker",))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "production"))
    assert choice.wanted() == "kind"

    monkeypatch.setenv("LONGTASK_CONTEXT", "playground")
    assert choice.wanted() == "existing"


def test_a_word_that_means_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGTASK_CLUSTER", "minikube")

    with pytest.raises(ClusterError, match="LONGTASK_CLUSTER=minikube: it is kind, local, or not set"):
        choice.wanted()


def test_what_was_chosen_is_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = a_cluster_folder(tmp_path)
    monkeypatch.setenv("LONGTASK_CLUSTER", "local")

    assert isinstance(choice.chosen(settings), LocalCluster)
    monkeypatch.setenv("LONGTASK_CLUSTER", "kind")  # what the environment says later changes nothing
    assert isinstance(choice.current(settings), LocalCluster)


def test_a_cluster_of_another_kind_that_is_still_up_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = a_cluster_folder(tmp_path)
    write(settings.home / "kind", "local")
    monkeypatch.setenv("LONGTASK_CLUSTER", "kind")

    with pytest.raises(ClusterError, match="kind 'local' is up and 'kind' is wanted now: `make clean-cluster` first"):
        choice.chosen(settings)

    assert isinstance(choice.current(settings), LocalCluster)


def test_without_a_cluster_the_way_to_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"no cluster in .*: make cluster"):
        choice.current(a_cluster_folder(tmp_path))


def test_a_mark_that_says_nothing_known_is_not_guessed_at(tmp_path: Path) -> None:
    settings = a_cluster_folder(tmp_path)
    write(settings.home / "kind", "swarm")

    with pytest.raises(ClusterError, match="holds 'swarm'"):
        choice.current(settings)


@pytest.mark.parametrize(
    ("kind", "expected"), [("local", LocalCluster), ("kind", KindCluster), ("existing", ExistingCluster)]
)
def test_the_cluster_that_was_brought_up_is_the_one_that_is_removed(tmp_path: Path, kind: str, expected: type) -> None:
    settings = a_cluster_folder(tmp_path)
    write(settings.home / "kind", kind)

    assert type(choice.removable(settings)) is expected


def test_where_nothing_was_brought_up_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert choice.removable(a_cluster_folder(tmp_path)) is None
