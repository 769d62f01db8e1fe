"""What every end-to-end test may ask for: the cluster, an administrator's client, and a namespace of its own."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.client import Api, kubeconfig_path
from tests.e2e.support.rules import Bench, Rules, installed_copy
from tests.e2e.support.tasks import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def pytest_report_header() -> str:
    """Say which cluster is about to be used."""
    try:
        return f"cluster: {kubeconfig_path()}"
    except RuntimeError as error:
        return f"cluster: none. {error}"


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    """Path of the kubeconfig; never a person's default one."""
    try:
        return kubeconfig_path()
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Api:
    """Client with an administrator's rights."""
    return Api.from_kubeconfig(kubeconfig)


@pytest.fixture
def new_namespace(api: Api, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Make namespaces, named after the test, that are deleted when it ends. Deleting goes on in the background."""
    made: list[str] = []
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))[:40].strip("-")

    def make() -> str:
        name = f"e2e-{slug}-{uuid.uuid4().hex[:6]}"
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        made.append(name)
        return name

    yield make
    for name in made:
        api.delete("Namespace", name)


@pytest.fixture
def namespace(new_namespace: Callable[[], str]) -> str:
    """Name of a fresh namespace."""
    return new_namespace()


@pytest.fixture(scope="session")
def operator(api: Api) -> str:
    """Make sure that the operator is there, and return its Deployment's namespace."""
    found = api.find("Deployment", "longtask-operator", "longtask-system")
    if found is None or not found["status"].get("availableReplicas"):
        pytest.fail("the operator is not installed in this cluster: make image deploy", pytrace=False)
    return "longtask-system"


@pytest.fixture
def lab(api: Api, namespace: str, kubeconfig: Path, operator: str) -> Lab:  # noqa: ARG001 - must be there
    """Make a namespace with the programs, a volume, and a pod that reads it."""
    return Lab(api, namespace, kubeconfig).furnish()


@pytest.fixture(scope="session")
def rules(api: Api) -> Iterator[Rules]:
    """Install a copy of the resource and its policies under a group of its own, which no operator watches."""
    with installed_copy(api) as copy:
        yield copy


@pytest.fixture
def bench(rules: Rules, namespace: str) -> Bench:
    """Make a namespace in which pods have the rights of workers, on the copy of the resource."""
    made = Bench(rules=rules, namespace=namespace)
    made.give_access()
    return made
