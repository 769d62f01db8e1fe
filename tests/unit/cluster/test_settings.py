"""Where a cluster lives, and that two of them have nothing in common."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from tests.cluster import settings as module
from tests.cluster.configs import cni, kube_proxy, kubelet
from tests.cluster.settings import API_ADDRESS, INSIDE, NODES, Settings, load
from tests.unit.cluster.builders import REPO, a_cluster_folder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_cluster_lives_in_the_clone_unless_it_is_told_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LONGTASK_CLUSTER_DIR", raising=False)
    assert load() == Settings(repo=REPO, home=REPO / ".cluster")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LONGTASK_CLUSTER_DIR", "other")
    assert load() == Settings(repo=REPO, home=tmp_path / "other")


def test_clusters_in_two_folders_have_two_names_and_a_folder_always_the_same(tmp_path: Path) -> None:
    one, other = a_cluster_folder(tmp_path / "one"), a_cluster_folder(tmp_path / "other")

    assert one.id == a_cluster_folder(tmp_path / "one").id != other.id
    assert one.id.startswith("longtask-")


def test_a_name_is_short_enough_for_what_is_named_after_it(tmp_path: Path) -> None:
    """The nodes of kind are `<id>-control-plane`, and a host name has at most 63 characters."""
    deep = Settings(repo=REPO, home=tmp_path / "/".join(["folder"] * 30))

    assert len(f"{deep.id}-control-plane") <= 63


def test_the_path_of_a_socket_fits_however_deep_the_clone_lies() -> None:
    assert all(len(str(node.socket)) <= 107 for node in NODES)


def test_what_belongs_to_a_cluster_is_in_its_folder_and_what_outlives_it_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = a_cluster_folder(tmp_path)

    own = [settings.bin, settings.logs, settings.pki, settings.config, settings.run, settings.kubeconfig]
    assert all(path.is_relative_to(settings.home) for path in own)
    assert all(value.startswith(str(settings.home)) for value in settings.environment.values())
    assert settings.cache == tmp_path / "cache" / "longtask"


def test_the_cache_is_in_the_home_folder_where_no_other_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert a_cluster_folder(tmp_path).cache == tmp_path / ".cache" / "longtask"


def test_two_nodes_share_nothing_that_must_be_their_own() -> None:
    """A lost node needs one that is not: Kubernetes stops evicting when none is left."""
    assert len(NODES) == 2
    for name in ("name", "address", "kubelet", "containerd", "kubelet_health_port", "folder", "socket"):
        assert len({getattr(node, name) for node in NODES}) == 2
    assert NODES[0].address == API_ADDRESS


def test_the_networks_of_pods_and_services_do_not_overlap_with_the_nodes() -> None:
    networks = [ipaddress.ip_network(text) for text in (module.POD_NETWORK, module.SERVICE_NETWORK)]

    assert not networks[0].overlaps(networks[1])
    assert not any(ipaddress.ip_address(node.address) in network for node in NODES for network in networks)
    assert ipaddress.ip_address(module.SERVICE_ADDRESS) == networks[1][1]


def test_no_configuration_names_a_folder_of_the_host() -> None:
    """Two clusters would meet there. What is below /run, /tmp and /var/log is the cluster's own, see sandbox.sh."""
    texts = [cni(), kube_proxy(), *(kubelet(node, "longtask-1") for node in NODES)]
    paths = {word for text in texts for word in text.replace('"', " ").split() if word.startswith("/")}

    ours = (str(INSIDE), "/run/cni", "/var/log/", "/longtask-1/")
    assert paths
    assert {path for path in paths if not path.startswith(ours)} == set()
