"""kopf, for what it is good at: login, and the stream of LongTasks through one event handler.

No change handlers, timers, daemons, indices or finalizers: with an event handler alone, kopf writes nothing (a test
holds that). The storages below write nothing even if somebody adds one.
"""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import kopf

from longtask.api import names
from longtask.clock import utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kopf._core.engines.peering import Identity
    from kubernetes.aio.client import Configuration

    from longtask.shell.settings import Settings
    from longtask.shell.tasks import TaskStore

IDENTITY: Final = cast("Identity", names.OPERATOR_NAME)
"""Without one, kopf asks for the name of the user that it runs as, who has none in a container."""

_PAGE = 200
"""Tasks in a page of a list: kopf has whole pages in memory, and all of their events at once."""

_QUEUE_SECONDS = 0.5
"""How long kopf keeps a queue and a coroutine for a task after its last event. Its default of 5 s keeps those of all
tasks at once when an operator starts: 18 MiB for each thousand of them instead of 7 (measured with 3,000)."""

_LOGIN_LIFETIME = timedelta(minutes=10)
"""Service account tokens are renewed on disk, so kopf asks for the present one that often."""


def task_registry(tasks: TaskStore, configuration: Configuration) -> kopf.OperatorRegistry:
    """A registry whose only handlers are the login and the stream of tasks."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.ConnectionInfo:
        return await connection_info(configuration)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def task_seen(event: kopf.RawEvent, **_: object) -> None:
        body: dict[str, Any] = dict(event["object"])
        if event["type"] == "DELETED":
            tasks.remove(body["metadata"]["uid"])
        else:
            tasks.apply(body)

    return registry


async def connection_info(configuration: Configuration) -> kopf.ConnectionInfo:
    """The official client's login in kopf's terms, so that there is one login for both."""
    authorization = await configuration.get_api_key_with_prefix("BearerToken") or ""
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        token=authorization.split(" ", 1)[-1] or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        expiration=utc(time.time()) + _LOGIN_LIFETIME,
    )


def kopf_settings(settings: Settings) -> kopf.OperatorSettings:
    """Settings that cover known weak points of kopf: it tries for ever, and does nothing it is not asked for."""
    result = kopf.OperatorSettings()
    result.posting.enabled = False
    result.scanning.disabled = True
    result.peering.standalone = True
    result.process.ultimate_exiting_timeout = None  # it would kill the process in the midst of its next life
    result.networking.request_timeout = settings.request_seconds
    result.networking.connect_timeout = min(5.0, settings.request_seconds)
    result.networking.error_backoffs = _Endless(settings.backoff_seconds)
    result.watching.server_timeout = 290
    result.watching.connect_timeout = min(5.0, settings.request_seconds)
    result.watching.inactivity_timeout = settings.watch_idle_seconds
    result.watching.chunk_size = _PAGE
    result.queueing.idle_timeout = _QUEUE_SECONDS
    result.persistence.diffbase_storage = _NoDiffBase()
    result.persistence.progress_storage = _NoProgress()
    return result


class _Endless:
    """Pauses that grow to a limit and never end; kopf's own list ends after a minute, and the process with it."""

    def __init__(self, longest: float) -> None:
        self._longest = longest

    def __iter__(self) -> Iterator[float]:
        pause = 0.5
        while True:
            yield pause * random.uniform(0.5, 1.0)  # noqa: S311  jitter
            pause = min(self._longest, pause * 2)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Nothing is compared with earlier versions, so nothing is copied or stored."""

    def build(self, **_: object) -> kopf.BodyEssence:
        return {}

    def fetch(self, **_: object) -> None:
        return None

    def store(self, **_: object) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """No handler has progress to remember."""

    def fetch(self, **_: object) -> None:
        return None

    def store(self, **_: object) -> None:
        return None

    def purge(self, **_: object) -> None:
        return None

    def touch(self, **_: object) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence
