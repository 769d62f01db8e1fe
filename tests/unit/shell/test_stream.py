"""What kopf is told: to write nothing, to try for ever, and to log in as the official client does."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import kopf
import pytest
from kubernetes.aio.client import Configuration

from longtask.clock import utc
from longtask.shell.settings import Settings
from longtask.shell.stream import connection_info, kopf_settings, task_registry
from longtask.shell.tasks import TaskStore
from tests.unit.core.builders import UID, a_task
from tests.unit.shell.doubles import a_body

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from longtask.shell.tasks import TaskStore as Store

SETTINGS = Settings(backoff_seconds=15)


def test_kopf_has_one_handler_of_events_and_none_that_would_make_it_write() -> None:
    registry = task_registry(TaskStore(lambda _: None), Configuration())

    assert len(registry._watching.get_all_handlers()) == 1
    for kind in (registry._changing, registry._spawning, registry._indexing, registry._webhooks):
        assert list(kind.get_all_handlers()) == []


async def _streamed(store: Store, kind: str | None) -> None:
    (handler,) = task_registry(store, Configuration())._watching.get_all_handlers()
    event: Any = {"type": kind, "object": a_body(a_task())}
    called: Any = handler.fn
    assert await called(event=event) is None, "what a handler returns, kopf writes"


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
async def test_what_is_streamed_is_kept(mocker: MockerFixture, kind: str | None) -> None:
    store = mocker.create_autospec(TaskStore, instance=True)
    await _streamed(store, kind)

    store.apply.assert_called_once_with(a_body(a_task()))


async def test_what_is_deleted_is_forgotten(mocker: MockerFixture) -> None:
    store = mocker.create_autospec(TaskStore, instance=True)
    await _streamed(store, "DELETED")

    store.remove.assert_called_once_with(UID)
    store.apply.assert_not_called()


def test_pauses_grow_to_the_limit_and_never_end() -> None:
    backoffs = kopf_settings(SETTINGS).networking.error_backoffs
    assert not isinstance(backoffs, int | float)
    for _ in range(2):  # kopf begins anew with every request
        pauses = list(itertools.islice(backoffs, 1000))
        assert pauses[0] <= 0.5
        assert max(pauses) <= 15
        assert min(pauses[-900:]) >= 7.5


def test_kopf_posts_no_events_looks_for_no_peers_and_kills_no_process() -> None:
    settings = kopf_settings(SETTINGS)

    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert settings.process.ultimate_exiting_timeout is None


def test_kopf_keeps_no_queue_of_a_task_for_long() -> None:
    assert kopf_settings(SETTINGS).queueing.idle_timeout < kopf.OperatorSettings().queueing.idle_timeout / 5


def test_a_watch_that_is_silent_for_too_long_is_dead() -> None:
    assert kopf_settings(SETTINGS).watching.inactivity_timeout == SETTINGS.watch_idle_seconds


def test_what_kopf_would_store_it_stores_nowhere() -> None:
    settings = kopf_settings(SETTINGS)
    raw: Any = a_body(a_task())
    body, patch = kopf.Body(raw), kopf.Patch()

    settings.persistence.diffbase_storage.store(body=body, patch=patch, essence=kopf.BodyEssence({}))
    settings.persistence.progress_storage.touch(body=body, patch=patch, value="now")

    assert patch == {}


async def test_kopf_gets_the_token_of_the_moment_and_asks_again_in_time() -> None:
    configuration: Any = Configuration(host="https://server", api_key={"BearerToken": "first"})
    configuration.api_key_prefix = {"BearerToken": "Bearer"}
    tokens = iter(["Bearer second", "bearer third"])

    def renew(renewed: Configuration) -> None:
        renewed.api_key_prefix = {}
        renewed.api_key["BearerToken"] = next(tokens)

    configuration.refresh_api_key_hook = renew

    second, third = await connection_info(configuration), await connection_info(configuration)

    assert (second.token, third.token) == ("second", "third")
    assert second.expiration is not None
    assert second.expiration > utc(time.time())


async def test_kopf_goes_where_the_official_client_goes() -> None:
    configuration = Configuration(host="https://server")
    configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file = "ca", "cert", "key"
    info = await connection_info(configuration)

    assert (info.server, info.ca_path, info.certificate_path, info.private_key_path, info.token) == (
        "https://server",
        "ca",
        "cert",
        "key",
        None,
    )
