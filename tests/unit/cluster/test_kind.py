"""The path through kind, with stand-ins for `kind`, `kubectl` and the engine: no real kind was run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster import configs
from tests.cluster.common import ClusterError
from tests.cluster.components import table
from tests.cluster.kind import KindCluster
from tests.cluster.settings import NODES
from tests.unit.cluster.builders import REPO, StandIns, a_cluster_folder, compiled, engines

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = yaml.safe_load((REPO / "tests/cluster/kind.yaml").read_text())


@pytest.fixture
def standins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """Docker answers."""
    return engines(tmp_path, monkeypatch, answering=("docker",))


@pytest.fixture
def cluster(tmp_path: Path, standins: StandIns) -> KindCluster:
    """A cluster of kind that was never brought up."""
    settings = a_cluster_folder(tmp_path)
    compiled(settings, standins)
    return KindCluster(settings)


def test_up_creates_the_cluster_with_our_configuration_in_a_kubeconfig_of_its_own(
    cluster: KindCluster, standins: StandIns
) -> None:
    cluster.up()

    creation = next(call for call in standins.records() if call.words.startswith("create cluster"))
    name = cluster.settings.id
    config = REPO / "tests/cluster/kind.yaml"
    assert creation.words == f"create cluster --name={name} --config={config} --wait=180s"
    assert (creation.kubeconfig, creation.provider) == (str(cluster.kubeconfig), "docker")
    assert cluster.kubeconfig.read_text() == f"kubeconfig of {name}\n"
    assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_the_files_that_the_configuration_mounts_are_where_kind_runs(cluster: KindCluster, standins: StandIns) -> None:
    cluster.up()

    creation = next(call for call in standins.records() if call.words.startswith("create cluster"))
    mounted = [mount["hostPath"] for node in CONFIG["nodes"] for mount in node.get("extraMounts", [])]
    assert mounted == ["audit-policy.json"]
    assert (cluster.settings.config / mounted[0]).read_text() == configs.audit_policy()
    assert creation.cwd == str(cluster.settings.config)


def test_up_again_creates_nothing_and_starts_nodes_that_were_stopped(cluster: KindCluster, standins: StandIns) -> None:
    cluster.up()
    standins.forget()

    cluster.up()

    assert not [call for call in standins.calls("kind") if call.startswith(("create", "delete"))]
    assert [call for call in standins.calls("docker") if call.startswith("start ")] == [
        f"start {node}" for node in cluster.nodes
    ]


def test_a_creation_that_was_interrupted_is_begun_again(cluster: KindCluster, standins: StandIns) -> None:
    standins.refuse("kubectl", "taint", "interrupted")
    with pytest.raises(ClusterError, match="interrupted"):
        cluster.up()
    (standins.state / "refuse" / "kubectl-taint").unlink()
    standins.forget()

    cluster.up()

    changes = [call.split()[0] for call in standins.calls("kind") if call.startswith(("create", "delete"))]
    assert changes == ["delete", "create"]


def test_a_failure_of_kind_is_told_in_its_own_words(cluster: KindCluster, standins: StandIns) -> None:
    standins.refuse("kind", "create", "ERROR: failed to create cluster: no space left on device")

    with pytest.raises(ClusterError, match="no space left on device"):
        cluster.up()


def test_without_an_engine_it_says_what_to_do(cluster: KindCluster, standins: StandIns) -> None:
    standins.refuse("docker", "info", "Cannot connect")

    with pytest.raises(ClusterError, match=r"neither answers: start one, or LONGTASK_CLUSTER=local"):
        cluster.up()


def test_podman_serves_where_docker_does_not_answer(cluster: KindCluster, standins: StandIns) -> None:
    standins.refuse("docker", "info", "Cannot connect")
    (standins.state / "refuse" / "podman-info").unlink()

    cluster.up()

    providers = {call.provider for call in standins.records() if call.program == "kind"}
    assert providers == {"podman"}
    assert f"start {cluster.nodes[0]}" in standins.calls("podman")


def test_down_deletes_the_cluster_and_a_later_up_creates_it_anew(cluster: KindCluster, standins: StandIns) -> None:
    cluster.up()
    cluster.down()
    assert not list((standins.state / "nodes").iterdir())
    assert not cluster.kubeconfig.exists()
    standins.forget()

    cluster.up()

    assert [call.split()[0] for call in standins.calls("kind") if call.startswith(("create", "delete"))] == ["create"]


def test_down_removes_what_a_failed_creation_left(cluster: KindCluster, standins: StandIns) -> None:
    standins.refuse("kubectl", "taint", "interrupted")
    with pytest.raises(ClusterError):
        cluster.up()

    cluster.down()

    assert not list((standins.state / "nodes").iterdir())


def test_an_image_is_loaded_into_every_node(cluster: KindCluster, standins: StandIns, tmp_path: Path) -> None:
    cluster.up()
    assert not cluster.has_image()

    cluster.load_image(tmp_path / "image.tar")

    assert f"load image-archive {tmp_path}/image.tar --name={cluster.settings.id}" in standins.calls("kind")
    assert cluster.has_image()


def test_a_node_without_the_image_counts(cluster: KindCluster, standins: StandIns, tmp_path: Path) -> None:
    cluster.up()
    cluster.load_image(tmp_path / "image.tar")
    (standins.state / "nodes" / cluster.nodes[1] / "images").unlink()

    assert not cluster.has_image()


@pytest.mark.parametrize("name", ["kube-apiserver", "kube-controller-manager", "kubelet-2", "containerd-1"])
def test_a_component_can_be_stopped_frozen_and_started(cluster: KindCluster, name: str) -> None:
    cluster.up()
    assert cluster.state(name) == "running"

    cluster.freeze(name)
    assert cluster.state(name) == "frozen"
    cluster.thaw(name)
    assert cluster.state(name) == "running"
    cluster.stop(name)
    assert cluster.state(name) == "stopped"
    cluster.start(name)
    assert cluster.state(name) == "running"
    cluster.kill(name)
    assert cluster.state(name) == "stopped"


def test_up_starts_what_a_test_left_stopped_or_frozen(cluster: KindCluster) -> None:
    cluster.up()
    cluster.stop("etcd")
    cluster.freeze("kubelet-1")

    cluster.up()

    assert {cluster.state(name) for name in cluster.components()} == {"running"}


def test_the_kubelet_of_a_node_is_told_by_the_node_that_pods_name(cluster: KindCluster) -> None:
    assert cluster.kubelet_of(cluster.nodes[1]) == "kubelet-2"
    with pytest.raises(ClusterError, match="no node node-7; there are"):
        cluster.kubelet_of("node-7")


def test_a_component_that_is_not_there_is_named_with_those_that_are(cluster: KindCluster) -> None:
    with pytest.raises(ClusterError, match=r"no component kubelet-9; there are .*kubelet-2.*etcd"):
        cluster.stop("kubelet-9")


def test_nodes_run_a_kubernetes_that_the_operator_supports_from_an_image_named_by_its_digest() -> None:
    images = [node["image"] for node in CONFIG["nodes"]]

    versions = [re.fullmatch(r"kindest/node:v(\d+)\.(\d+)\.\d+@sha256:[0-9a-f]{64}", image) for image in images]
    assert len(images) == 2
    assert all(version and (int(version[1]), int(version[2])) >= (1, 34) for version in versions)


def test_both_kinds_of_cluster_set_the_same_for_evictions_volumes_and_clients() -> None:
    kubeadm = yaml.safe_load(CONFIG["kubeadmConfigPatches"][0])
    local = {component.name: component.command for component in table()}

    for key, name in (("controllerManager", "kube-controller-manager"), ("scheduler", "kube-scheduler")):
        for setting in kubeadm[key]["extraArgs"]:
            word = f"--{setting['name']}={setting['value']}"
            assert word in local[name] or word.removesuffix("=true") in local[name]
    tolerations = [arg for arg in kubeadm["apiServer"]["extraArgs"] if arg["name"].startswith("default-")]
    assert len(tolerations) == 2
    assert all(f"--{arg['name']}={arg['value']}" in local["kube-apiserver"] for arg in tolerations)
    kubelet = yaml.safe_load(CONFIG["kubeadmConfigPatches"][1])
    ours = json.loads(configs.kubelet(NODES[0], "any"))
    assert {key: ours[key] for key in kubelet if key not in ("apiVersion", "kind")} == {
        key: value for key, value in kubelet.items() if key not in ("apiVersion", "kind")
    }
