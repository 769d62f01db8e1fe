"""The door's connections: kept for the next request, and made as kubeconfigs say, whatever the environment says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from kmock import RawHandler

    from longtask.shell.api import Api


async def test_no_proxy_of_the_environment_comes_between(
    kmock: RawHandler, door: Api, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    kmock["get /api/v1/nodes/one"] << {"kind": "Node"}

    assert await door.get("/api/v1/nodes/one") == {"kind": "Node"}


async def test_requests_use_no_thread(kmock: RawHandler, door: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    kmock["get /api/v1/nodes/one"] << {"kind": "Node"}
    await door.get("/api/v1/nodes/one")  # the first one asks for the address of the host

    def thread(*_: object, **__: object) -> None:
        raise AssertionError("a thread was asked")

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor.submit", thread)
    assert await door.get("/api/v1/nodes/one") == {"kind": "Node"}
