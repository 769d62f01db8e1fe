"""A tiny server behind the proxy, which remembers what reached it, and a client in front of it."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from yarl import URL

from tests.faults.network import on_loopback, url_of
from tests.faults.plan import Plan, Rule
from tests.faults.proxy import Door, Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.ledger import Ledger
    from tests.faults.request import Request

PODS = "/api/v1/namespaces/night/pods"
TASK_STATUS = "/apis/longtask.dev/v1alpha1/namespaces/night/longtasks/import/status"


@dataclass
class Server:
    """Every write makes a new version, and every list tells which one is the last. `heard` is all that reached it."""

    heard: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    version: int = 0
    status: int = 200
    events: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer."""
        self.heard.append((request.method, request.raw_path))
        self.headers.append(dict(request.headers))
        self.bodies.append((await request.read()).decode())
        if "watch" in request.query:
            return await self._watch(request)
        if request.method != "GET" and self.status < 300:
            self.version += 1
        body = json.dumps({"metadata": {"resourceVersion": str(self.version)}}).encode()
        packed = {"Content-Encoding": "gzip"} if request.headers.get("Accept-Encoding") == "gzip" else {}
        return web.Response(status=self.status, body=gzip.compress(body) if packed else body, headers=packed)

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while event := await self.events.get():
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    def tell(self, *names: str) -> None:
        """Have the watch tell of objects."""
        for name in names:
            self.events.put_nowait({"type": "ADDED", "object": {"metadata": {"name": name}}})


@dataclass
class Stage:
    """A client, the proxy that it speaks to, and the server behind that."""

    session: aiohttp.ClientSession
    url: str
    server: Server
    ledger: Ledger
    killed: list[Request]

    async def send(self, method: str, path: str, **how: Any) -> tuple[int, Any]:  # noqa: ANN401 - as aiohttp has it
        """Status and decoded answer. Raises aiohttp.ClientError for none."""
        async with self.session.request(method, URL(self.url + path, encoded=True), **how) as answer:
            return answer.status, await answer.json(content_type=None)

    async def version(self) -> str:
        """What a list of pods says is the last version."""
        _, body = await self.send("GET", PODS)
        return str(body["metadata"]["resourceVersion"])

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[aiohttp.StreamReader]:
        """A watch of pods, line by line."""
        async with self.session.get(f"{self.url}{PODS}?watch=1&resourceVersion=1") as answer:
            yield answer.content


@asynccontextmanager
async def staged(*rules: dict[str, Any], scope: str = "") -> AsyncIterator[Stage]:
    """Serve while inside the block. The one client is the operator."""
    plan = Plan(scenario="none", rules=tuple(Rule.model_validate({"client": "operator", **rule}) for rule in rules))
    server, killed = Server(), list[Any]()
    runner = web.ServerRunner(web.Server(server.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        with on_loopback() as listener:
            door = Door(client="operator", listener=listener, scope=scope, kill=killed.append)
            with Proxy(upstream, trust=True, doors=[door], plan=plan) as ledger:
                async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
                    yield Stage(session, url_of(listener, "http"), server, ledger, killed)
    finally:
        await runner.cleanup()


def name_in(line: bytes) -> str:
    """Name of the object that an event is about."""
    name: str = json.loads(line)["object"]["metadata"]["name"]
    return name


async def until(condition: Any) -> None:  # noqa: ANN401 - a function without arguments
    """Wait for what another thread is about to do."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another thread changes it
            await asyncio.sleep(0.01)
