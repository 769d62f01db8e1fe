"""A person's own cluster: named, copied from, and never changed beyond what is deployed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.common import ClusterError
from tests.cluster.existing import ExistingCluster
from tests.unit.cluster.builders import StandIns, a_cluster_folder, a_program, compiled

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExistingCluster:
    """The context `playground`."""
    monkeypatch.setenv("LONGTASK_CONTEXT", "playground")
    settings = a_cluster_folder(tmp_path)
    standins = StandIns(tmp_path / "standins")
    standins.state.mkdir()
    compiled(settings, standins)
    return ExistingCluster(settings)


def kubectl(cluster: ExistingCluster, answer: str) -> None:
    """Make kubectl answer that, whatever it is asked."""
    a_program(cluster.kubectl_path, f"echo \"$*\" >>{cluster.settings.home}/calls; cat <<'END'\n{answer}\nEND")


def nodes(*images: list[str]) -> str:
    """A list of nodes with these images."""
    items: list[dict[str, Any]] = [{"status": {"images": [{"names": names}]}} for names in images]
    return json.dumps({"items": items})


def test_up_copies_the_named_context_alone(cluster: ExistingCluster) -> None:
    kubectl(cluster, "one context")

    cluster.up()

    calls = (cluster.settings.home / "calls").read_text().splitlines()
    assert calls[0] == "config view --context=playground --minify --flatten --raw"
    assert cluster.kubeconfig.read_text().strip() == "one context"
    assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert [call.split()[-1] for call in calls[1:]] == ["version"]  # nothing that changes the cluster


def test_a_context_that_is_not_there_is_told_in_kubectls_words(cluster: ExistingCluster) -> None:
    a_program(cluster.kubectl_path, 'echo "error: context was not found: playground" >&2; exit 1')

    with pytest.raises(ClusterError, match="context was not found: playground"):
        cluster.up()


def test_down_forgets_the_copy_and_asks_the_cluster_nothing(cluster: ExistingCluster) -> None:
    kubectl(cluster, "one context")
    cluster.up()
    (cluster.settings.home / "calls").unlink()

    cluster.down()

    assert not cluster.kubeconfig.exists()
    assert not (cluster.settings.home / "calls").exists()


def test_an_image_that_the_person_has_put_there_is_taken(cluster: ExistingCluster, tmp_path: Path) -> None:
    kubectl(cluster, nodes(["docker.io/library/longtask:dev"], ["longtask:dev", "other:1"]))

    cluster.load_image(tmp_path / "image.tar")

    assert cluster.has_image()


@pytest.mark.parametrize(
    "missing",
    [nodes(["docker.io/library/longtask:dev"], ["other:1"]), nodes(["example.com/longtask:dev"]), nodes()],
    ids=["on one node", "with another registry", "without nodes"],
)
def test_an_image_that_is_missing_is_asked_for(cluster: ExistingCluster, tmp_path: Path, missing: str) -> None:
    kubectl(cluster, missing)

    with pytest.raises(ClusterError, match=r"load .*image.tar into the nodes .* longtask:dev; then again"):
        cluster.load_image(tmp_path / "image.tar")


@pytest.mark.parametrize("action", ["start", "stop", "kill", "freeze", "thaw", "state", "log", "kubelet_of"])
def test_its_components_are_out_of_reach(cluster: ExistingCluster, action: str) -> None:
    with pytest.raises(ClusterError, match="etcd of an existing cluster is out of reach; use kind or the local"):
        getattr(cluster, action)("etcd")
