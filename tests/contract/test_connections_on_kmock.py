"""The door's connections: kept for the next request, and made as kubeconfigs say, whatever the environment says."""

from __future__ import annotations

import contextlib
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import kmock as mocked
import pytest

from longtask.shell.errors import Conflict

if TYPE_CHECKING:
    from kmock import RawHandler

    from longtask.shell.api import Api

Response: Any = mocked.Response  # type: ignore[attr-defined]  # public, but not in its __all__


async def test_no_proxy_of_the_environment_comes_between(
    kmock: RawHandler, door: Api, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    kmock["get /api/v1/nodes/one"] << {"kind": "Node"}

    assert await door.get("/api/v1/nodes/one") == {"kind": "Node"}


@pytest.mark.parametrize("ahead", [-7200.0, 0.0, 7200.0])
@pytest.mark.parametrize("status", [200, 409])
async def test_the_time_of_day_is_told_by_every_answer(kmock: RawHandler, door: Api, ahead: float, status: int) -> None:
    date = formatdate(time.time() + ahead, usegmt=True)
    kmock["get /x"] << Response(status=status, payload={"kind": "Node"}, headers={"Date": date})
    with contextlib.suppress(Conflict):
        await door.get("/x")

    assert door.clock.now() == pytest.approx(time.time() + ahead, abs=10)
    assert door.clock.local_is_ahead() == pytest.approx(-ahead, abs=10)


async def test_requests_use_no_thread(kmock: RawHandler, door: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    kmock["get /api/v1/nodes/one"] << {"kind": "Node"}
    await door.get("/api/v1/nodes/one")  # the first one asks for the address of the host

    def thread(*_: object, **__: object) -> None:
        raise AssertionError("a thread was asked")

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor.submit", thread)
    assert await door.get("/api/v1/nodes/one") == {"kind": "Node"}
