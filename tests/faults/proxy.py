"""A reverse proxy in front of an API server that follows a plan: what it does to which request is decided beforehand.

One proxy may have several doors, and knows by the door through which a request comes whose it is. Everything is passed
on as it was sent: credentials, patches, compressed bodies, watches as they stream; and it is recorded (ledger.py). It
must not know what operator and worker want; to kill one, it calls whoever started it.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from yarl import URL

from tests.faults.exchange import Exchange, passed_on
from tests.faults.ledger import Answer, Ledger

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable
    from types import TracebackType

    from tests.faults.plan import Plan
    from tests.faults.request import Request

_LONGEST_LINE = 2**22  # bytes of one event of a watch
_FAREWELL = 5.0  # seconds for connections to the server to end; TLS waits for the other side's goodbye


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where one client comes in. `scope`: the one namespace that it sees of the cluster. `kill` ends it at once."""

    client: str
    listener: socket.socket
    scope: str = ""
    tls: ssl.SSLContext | None = None
    kill: Callable[[Request], object] = lambda _: None


@dataclass(frozen=True)
class Upstream:
    """The API server behind the proxy."""

    url: str
    session: aiohttp.ClientSession

    async def fetch(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        """Ask it, and read its whole answer."""
        async with self.open(method, path, query, headers, body) as answer:
            return Answer(answer.status, passed_on(answer.headers), await answer.read())

    def open(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Any:  # noqa: ANN401
        """Ask it; the answer is open inside the block. Path and query go out as they came in, not encoded anew."""
        url = URL(self.url + path + (f"?{query}" if query else ""), encoded=True)
        return self.session.request(method, url, headers=headers, data=body or None)


class Proxy:
    """Serves in a thread of its own while inside the block."""

    def __init__(self, url: str, trust: ssl.SSLContext | bool, doors: list[Door], plan: Plan) -> None:
        """`url` and `trust`: the API server, and whom to believe that it is it."""
        self.ledger = Ledger(plan)
        self._url, self._trust, self._doors = url, trust, doors
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="fault-proxy")

    def __enter__(self) -> Ledger:
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the proxy did not start")
        return self.ledger

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            connector = aiohttp.TCPConnector(limit=0, ssl=self._trust)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
            session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=connector, timeout=timeout, auto_decompress=False, read_bufsize=_LONGEST_LINE
                )
            )
            for door in self._doors:
                runner = web.ServerRunner(self._server(door, Upstream(self._url, session)), shutdown_timeout=0.1)
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                await web.SockSite(runner, door.listener, ssl_context=door.tls).start()
            self._started.set()
            await self._ending.wait()
        await self._part()

    async def _part(self) -> None:
        """Let connections end that are about to. A loop does not tell of them, but its selector knows their sockets."""
        open_sockets = self._loop._selector.get_map()  # type: ignore[attr-defined]
        deadline = self._loop.time() + _FAREWELL
        while len(open_sockets) > 1 and self._loop.time() < deadline:  # noqa: ASYNC110 - one is the loop's own
            await asyncio.sleep(0.01)

    def _server(self, door: Door, upstream: Upstream) -> web.Server:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await Exchange(door, upstream, self.ledger, request).run()

        return web.Server(handle, handler_cancellation=True)  # a client that is gone waits for nothing
