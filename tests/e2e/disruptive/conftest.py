"""Tests that stop, freeze and kill parts of the cluster: which node they may lose, and that all is well afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.outage import await_health, node_of_operator, other_node
from tests.e2e.support.tasks import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.support.client import Api


@pytest.fixture(autouse=True)
def leaves_the_cluster_well(request: pytest.FixtureRequest, api: Api) -> Iterator[None]:
    """After a disruptive test, wait until every part is as it was before."""
    yield
    if request.node.get_closest_marker("disruptive"):
        await_health(api)


@pytest.fixture
def safe_node(api: Api, operator: str) -> str:
    """Name of the node that the operator is on."""
    return node_of_operator(api, operator)


@pytest.fixture
def doomed_node(api: Api, safe_node: str) -> str:
    """Name of the node that may be lost: neither the operator nor the pod that reads the volume is there."""
    return other_node(api, safe_node)


@pytest.fixture
def lab(api: Api, namespace: str, kubeconfig: Path, safe_node: str) -> Lab:
    """Make a namespace as for other tests, with the reader on the node that is not lost."""
    account = "the namespace's service account: the controllers come back some time after the API server"
    wait_for(lambda: api.find("ServiceAccount", "default", namespace), timeout=60, what=account)
    return Lab(api, namespace, kubeconfig).furnish(reader_on=safe_node)
