"""Which cluster the demo plays on, and what it leaves out on one whose parts are out of reach."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest

from tests.cluster import image, release
from tests.cluster.existing import ExistingCluster
from tests.cluster.settings import Settings
from tests.demo import stage, steps
from tests.demo.screen import Screen
from tests.e2e.support.client import Api

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture


@pytest.fixture
def settings(tmp_path: Path, mocker: MockerFixture) -> Settings:
    """A cluster's folder in which nothing is brought up, built or installed."""
    made = Settings(repo=tmp_path, home=tmp_path / "home")
    mocker.patch.object(stage, "load", return_value=made)
    mocker.patch.object(image, "load")
    mocker.patch.object(Api, "from_kubeconfig")
    mocker.patch("tests.cluster.builders.engine", return_value=None)
    mocker.patch("tests.cluster.local.LocalCluster.up")
    mocker.patch.object(ExistingCluster, "up")
    return made


@pytest.mark.parametrize(("context", "kind"), [("", "local"), ("mine", "existing")])
def test_the_operator_goes_into_the_demo_s_cluster_whatever_kubeconfig_a_person_has_set(
    settings: Settings, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch, context: str, kind: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/home/somebody/.kube/config")
    monkeypatch.setenv("LONGTASK_CONTEXT", context)
    monkeypatch.delenv("LONGTASK_CLUSTER", raising=False)
    seen: list[str] = []
    mocker.patch.object(release, "deploy", side_effect=lambda _: seen.append(os.environ["KUBECONFIG"]))

    built = stage.build(Screen(io.StringIO()))

    assert built.cluster.kind == kind
    assert seen == [str(settings.kubeconfig)]


def test_on_a_cluster_of_a_person_s_own_the_kill_is_left_out_and_the_timeline_says_so(
    settings: Settings, mocker: MockerFixture
) -> None:
    out = io.StringIO()
    screen = Screen(out)
    place, task = mocker.Mock(cluster=ExistingCluster(settings)), mocker.Mock()

    steps.kill(place, screen, task)
    screen.timeline()

    task.running_pod.assert_not_called()
    assert out.getvalue().splitlines()[-1].split("  ")[-1].startswith("left out: SIGKILL")
