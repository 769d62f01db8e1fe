"""The door to the API server at the real one: the same cases as on kmock, see tests/contract/door.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubernetes.aio.client import Configuration

from longtask.shell.api import Api, load_configuration
from tests.contract.door import CASES, Place, sentence
from tests.e2e.support.client import MERGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.e2e.support.client import Api as Administrator


@pytest.fixture
def terminating(api: Administrator, new_namespace: Callable[[], str]) -> Iterator[Callable[[], str]]:
    """Make namespaces that are being deleted; something in them keeps them from being gone."""
    made: list[str] = []

    def make() -> str:
        namespace = new_namespace()
        held = {"metadata": {"name": "held", "finalizers": ["longtask.dev/test"]}}
        api.create({"apiVersion": "v1", "kind": "ConfigMap", **held}, namespace)
        api.delete("Namespace", namespace)
        made.append(namespace)
        return namespace

    yield make
    for namespace in made:
        api.patch("ConfigMap", "held", namespace, {"metadata": {"finalizers": None}}, how=MERGE)


@pytest.fixture
async def place(
    api: Administrator,
    kubeconfig: Path,
    namespace: str,
    terminating: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Place]:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "stranger"}}, namespace)
    configuration = await load_configuration()
    configurations = (
        configuration,
        _with_token(configuration, api.token("stranger", namespace)),
        _with_token(configuration, "nonsense"),
    )
    admin, stranger, nobody = (Api(made, request_seconds=15) for made in configurations)
    yield Place(admin, stranger, nobody, namespace, terminating)
    for door in (admin, stranger, nobody):
        await door.close()


def _with_token(configuration: Configuration, token: str) -> Configuration:
    """The same server for the holder of a token alone."""
    made = Configuration(host=configuration.host, api_key={"BearerToken": f"Bearer {token}"})
    made.ssl_ca_cert = configuration.ssl_ca_cert
    return made


@pytest.mark.parametrize("case", CASES, ids=sentence)
async def test_at_the_real_server(case: Callable[[Place], Awaitable[None]], place: Place) -> None:
    await case(place)
