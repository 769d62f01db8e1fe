"""Where the operator is installed, and with what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cluster import image, release
from tests.cluster.common import ClusterError, write
from tests.unit.cluster.builders import StandIns, a_cluster_folder, compiled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A cluster that is up, and a person with a default kubeconfig."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    write(tmp_path / "person/.kube/config", "production")
    settings = a_cluster_folder(tmp_path)
    write(settings.kubeconfig, "ours")
    return settings


@pytest.fixture
def standins(settings: Settings, tmp_path: Path) -> StandIns:
    """`kubectl` and `helm` that answer."""
    standins = StandIns(tmp_path / "standins")
    standins.state.mkdir()
    compiled(settings, standins)
    return standins


def test_our_own_cluster_is_the_target(settings: Settings) -> None:
    assert release.target(settings) == settings.kubeconfig


def test_an_empty_kubeconfig_variable_means_our_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "")

    assert release.target(settings) == settings.kubeconfig


def test_an_explicit_kubeconfig_is_the_target(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "staging", "staging")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "staging"))

    assert release.target(settings) == tmp_path / "staging"


def test_without_a_cluster_the_persons_default_one_is_not_the_target(settings: Settings) -> None:
    settings.kubeconfig.unlink()

    with pytest.raises(ClusterError, match="install where\\? `make cluster` first, or set KUBECONFIG"):
        release.target(settings)


@pytest.mark.parametrize("name", ["person/.kube/config", "link"])
def test_a_persons_default_one_is_refused_also_when_the_variable_names_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "person/.kube/config")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / name))

    with pytest.raises(ClusterError, match="is your default one"):
        release.target(settings)


def test_a_kubeconfig_that_is_not_there_is_not_replaced_by_another(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'one'}:{tmp_path / 'two'}")

    with pytest.raises(ClusterError, match="there is no such file"):
        release.target(settings)


def test_everything_that_deploy_runs_names_the_target(settings: Settings, standins: StandIns) -> None:
    release.deploy(settings)

    calls = [*standins.calls("kubectl"), *standins.calls("helm")]
    assert len(calls) == 2
    assert all(f"--kubeconfig={settings.kubeconfig}" in call.split() for call in calls)


def test_another_image_under_the_same_name_restarts_the_operator(settings: Settings, standins: StandIns) -> None:
    release.deploy(settings)
    write(settings.run / "image", "another")
    release.deploy(settings)

    first, second = standins.calls("helm")
    assert json.dumps({"podAnnotations": {"longtask.dev/image": image.fingerprint(settings)}}) in first
    assert json.dumps({"podAnnotations": {"longtask.dev/image": "another"}}) in second


def test_what_another_has_made_is_taken_over_in_our_own_cluster_only(settings: Settings, tmp_path: Path) -> None:
    assert "--take-ownership" in release.helm_words(settings, settings.kubeconfig)
    assert "--take-ownership" not in release.helm_words(settings, tmp_path / "staging")


def test_a_failed_deployment_is_told_with_helms_words_and_what_the_operator_says(
    settings: Settings, standins: StandIns
) -> None:
    standins.refuse("helm", "upgrade", "timed out waiting for the condition")
    standins.refuse("kubectl", "logs", "the operator's last words")

    with pytest.raises(ClusterError, match=r"(?s)timed out waiting.*the operator's last words"):
        release.deploy(settings)


def test_the_operators_namespace_enforces_the_strictest_pod_security() -> None:
    namespace = json.loads(release.namespace())

    assert namespace["metadata"]["name"] == "longtask-system"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
