"""Where the sidecar's image comes from: the settings, or else the operator's own pod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import pytest

from longtask.core.sidecar import SidecarImage
from longtask.shell.errors import Unavailable
from longtask.shell.own_image import find_sidecar_image
from longtask.shell.settings import Settings
from tests.unit.core.builders import a_task
from tests.unit.shell.doubles import a_cluster

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

POD = {
    "spec": {
        "containers": [
            {"name": "proxy", "image": "proxy:1"},
            {"name": "operator", "image": "registry.example.com/longtask:7", "imagePullPolicy": "Always"},
        ]
    }
}
IN_A_CLUSTER = {"LONGTASK_POD_NAME": "longtask-operator-abc", "LONGTASK_POD_NAMESPACE": "longtask-system"}


def a_cluster_with(mocker: MockerFixture, answer: Any) -> Any:  # noqa: ANN401
    """A cluster in which the operator's pod is read with that answer."""
    cluster = a_cluster(mocker, a_task())
    raises = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}
    cluster.read_pod = AsyncMock(**raises)
    return cluster


async def test_by_default_it_is_the_image_that_the_operator_itself_runs_from(mocker: MockerFixture) -> None:
    cluster = a_cluster_with(mocker, POD)

    found = await find_sidecar_image(cluster, Settings.from_environment(IN_A_CLUSTER))

    assert found == SidecarImage(
        name="registry.example.com/longtask:7", pull_policy="Always", cpu="10m", memory="32Mi", memory_limit="64Mi"
    )
    cluster.read_pod.assert_awaited_once_with("longtask-system", "longtask-operator-abc")


async def test_what_the_settings_say_wins_and_nothing_is_asked(mocker: MockerFixture) -> None:
    cluster = a_cluster_with(mocker, POD)
    settings = {
        "LONGTASK_SIDECAR_IMAGE": "mirror/longtask:7",
        "LONGTASK_SIDECAR_PULL_POLICY": "Never",
        "LONGTASK_SIDECAR_CPU": "5m",
        "LONGTASK_SIDECAR_MEMORY": "20Mi",
        "LONGTASK_SIDECAR_MEMORY_LIMIT": "40Mi",
    }

    found = await find_sidecar_image(cluster, Settings.from_environment(IN_A_CLUSTER | settings))

    assert found == SidecarImage(
        name="mirror/longtask:7", pull_policy="Never", cpu="5m", memory="20Mi", memory_limit="40Mi"
    )
    cluster.read_pod.assert_not_awaited()


@pytest.mark.parametrize("answer", [None, {"spec": {"containers": [{"name": "other", "image": "other:1"}]}}])
async def test_a_pod_that_does_not_tell_leaves_it_open_and_says_so(
    mocker: MockerFixture,
    answer: Any,  # noqa: ANN401
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = a_cluster_with(mocker, answer)

    assert await find_sidecar_image(cluster, Settings.from_environment(IN_A_CLUSTER)) is None

    assert "LONGTASK_SIDECAR_IMAGE" in caplog.text


async def test_outside_of_a_cluster_nobody_is_asked(mocker: MockerFixture) -> None:
    cluster = a_cluster_with(mocker, POD)

    assert await find_sidecar_image(cluster, Settings.from_environment({})) is None

    cluster.read_pod.assert_not_awaited()


async def test_an_api_server_that_does_not_answer_is_asked_again_with_the_next_life(mocker: MockerFixture) -> None:
    cluster = a_cluster_with(mocker, Unavailable("away"))

    with pytest.raises(Unavailable):
        await find_sidecar_image(cluster, Settings.from_environment(IN_A_CLUSTER))
