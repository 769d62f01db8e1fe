"""What the door makes of answers that can't be had from a real server at will."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import kmock as mocked
import pytest
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

from longtask.shell.api import Api, load_configuration
from longtask.shell.errors import (
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    Misconfigured,
    Missing,
    Refused,
    Throttled,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

pytestmark = pytest.mark.kmock(cls=mocked.RawHandler)
Json = dict[str, Any]
Response: Any = mocked.Response  # type: ignore[attr-defined]  # public, but not in its __all__

REQUESTS: dict[str, Callable[[Api], Awaitable[Json]]] = {
    "get": lambda door: door.get("/x"),
    "post": lambda door: door.post("/x", {}),
    "patch": lambda door: door.patch("/x", [], "json-patch"),
    "delete": lambda door: door.delete("/x", {}),
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Unavailable),
        (403, Forbidden),
        (404, Missing),
        (409, Conflict),
        (410, Expired),
        (422, Refused),
        (429, Throttled),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
async def test_every_status_has_its_error_in_every_request(
    kmock: mocked.RawHandler,
    door: Api,
    request_: Callable[[Api], Awaitable[Json]],
    status: int,
    expected: type[ApiError],
) -> None:
    body = {"kind": "Status", "message": "because", "details": {"retryAfterSeconds": 3}}
    kmock["/x"] << Response(status=status, payload=body)

    with pytest.raises(expected, match="because") as raised:
        await request_(door)

    assert raised.value.retry_after == 3.0
    assert len(list(kmock)) == 1, "the door itself tries nothing again"


async def test_the_header_says_when_to_come_back(kmock: mocked.RawHandler, door: Api) -> None:
    kmock["/x"] << Response(status=429, payload={"kind": "Status"}, headers={"Retry-After": "7"})

    with pytest.raises(Throttled) as throttled:
        await door.get("/x")
    assert throttled.value.retry_after == 7.0


@pytest.mark.parametrize("answer", [b"<html>bad gateway</html>", b'{"half": '], ids=["a-proxys-page", "half-an-answer"])
@pytest.mark.parametrize("status", [200, 502])
async def test_an_answer_that_makes_no_sense_leaves_the_outcome_unknown(
    kmock: mocked.RawHandler, door: Api, status: int, answer: bytes
) -> None:
    kmock["/x"] << Response(status=status, payload=answer)

    with pytest.raises(Unavailable):
        await door.patch("/x", [], "json-patch")


async def test_no_answer_in_time_leaves_the_outcome_unknown(kmock: mocked.RawHandler) -> None:
    kmock["/x"] << (lambda: asyncio.Event().wait())
    impatient = Api(Configuration(host=str(kmock.url).rstrip("/")), request_seconds=0.1)
    try:
        with pytest.raises(Unavailable, match="no answer"):
            await impatient.post("/x", {})
    finally:
        await impatient.close()


async def test_nobody_at_the_port_leaves_the_outcome_unknown(unused_tcp_port: int) -> None:
    door = Api(Configuration(host=f"http://127.0.0.1:{unused_tcp_port}"), request_seconds=1.0)
    try:
        with pytest.raises(Unavailable, match="no answer"):
            await door.get("/x")
    finally:
        await door.close()


async def test_a_token_that_can_not_be_read_just_now_is_no_answer(kmock: mocked.RawHandler) -> None:
    configuration: Any = Configuration(host=str(kmock.url).rstrip("/"), api_key={"BearerToken": "old"})

    def renew(_: object) -> None:
        raise ConfigException("Token file exists but empty.")

    configuration.refresh_api_key_hook = renew
    door = Api(configuration, request_seconds=1.0)
    try:
        with pytest.raises(Unavailable, match="empty"):
            await door.get("/x")
    finally:
        await door.close()


async def test_every_request_brings_the_token_of_the_moment(kmock: mocked.RawHandler) -> None:
    kmock["/x"] << {}
    configuration: Any = Configuration(host=str(kmock.url).rstrip("/"), api_key={"BearerToken": "none"})
    tokens = iter(["Bearer first", "Bearer second"])

    def renew(renewed: Configuration) -> None:
        renewed.api_key["BearerToken"] = next(tokens)

    configuration.refresh_api_key_hook = renew
    door = Api(configuration, request_seconds=1.0)
    try:
        await door.get("/x")
        await door.get("/x")
    finally:
        await door.close()

    sent = [{key.lower(): value for key, value in request.headers.items()}["authorization"] for request in kmock]
    assert sent == ["Bearer first", "Bearer second"]


async def test_pages_that_outlived_their_version_have_expired(kmock: mocked.RawHandler, door: Api) -> None:
    first = {"metadata": {"resourceVersion": "9", "continue": "token"}, "items": []}
    kmock["get /x?continue=token"] << Response(status=410, payload={"kind": "Status"})
    kmock["get /x"] << first

    with pytest.raises(Expired):
        _ = [page async for page in door.pages("/x", {})]


# --- Watches ---


def event(version: int, **further: object) -> bytes:
    """A line of a watch."""
    body = {"metadata": {"name": "one", "resourceVersion": str(version)}, **further}
    return json.dumps({"type": "MODIFIED", "object": body}).encode() + b"\n"


async def _versions(events: AsyncIterator[Json], into: list[str]) -> None:
    async for received in events:
        into.append(received["object"]["metadata"]["resourceVersion"])  # noqa: PERF401  what came before a failure counts


async def test_a_watch_that_is_frozen_is_given_up(kmock: mocked.RawHandler, door: Api) -> None:
    kmock["get /x"] << (event(5), lambda: asyncio.Event().wait())
    seen: list[str] = []

    with pytest.raises(Unavailable, match="no answer"):
        await _versions(door.watch("/x", {}, idle_seconds=0.2), seen)
    assert seen == ["5"]


async def test_a_watch_that_is_cut_within_a_line_is_unavailable(kmock: mocked.RawHandler, door: Api) -> None:
    kmock["get /x"] << (event(5), event(6)[:20])
    seen: list[str] = []

    with pytest.raises(Unavailable):
        await _versions(door.watch("/x", {}, idle_seconds=5), seen)
    assert seen == ["5"]


async def test_a_watch_that_the_server_ends_is_over(kmock: mocked.RawHandler, door: Api) -> None:
    kmock["get /x"] << (event(5),)
    seen: list[str] = []
    await _versions(door.watch("/x", {}, idle_seconds=5), seen)

    assert seen == ["5"]


async def test_an_object_of_more_than_a_megabyte_comes_through(kmock: mocked.RawHandler, door: Api) -> None:
    kmock["get /x"] << (event(5, data="x" * 1_500_000), event(6))
    seen: list[str] = []
    await _versions(door.watch("/x", {}, idle_seconds=5), seen)

    assert seen == ["5", "6"]


@pytest.mark.parametrize(
    ("status", "expected"), [(410, Expired), (403, Forbidden), (429, Throttled), (500, Unavailable)]
)
async def test_a_watch_that_is_not_begun_has_the_error_of_its_status(
    kmock: mocked.RawHandler, door: Api, status: int, expected: type[ApiError]
) -> None:
    kmock["get /x"] << Response(status=status, payload={"kind": "Status"})

    with pytest.raises(expected):
        _ = [received async for received in door.watch("/x", {}, idle_seconds=5)]


# --- Which cluster ---


async def test_outside_a_pod_a_kubeconfig_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(Misconfigured, match="set KUBECONFIG"):
        await load_configuration()


async def test_a_kubeconfig_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))

    with pytest.raises(Misconfigured, match="can't log in"):
        await load_configuration()


async def test_a_pod_without_a_service_account_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    with pytest.raises(Misconfigured, match="token file does not exist"):
        await load_configuration()
