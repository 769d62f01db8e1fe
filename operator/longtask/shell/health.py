"""/healthz and /readyz. Healthy: the event loop turns, which answering proves. Ready: the copies are full.

Health does not depend on the API server: an operator that is restarted can't reach it any better.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from longtask.shell.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


@asynccontextmanager
async def serve_health(port: int, *, ready: Callable[[], bool]) -> AsyncIterator[None]:
    """Answer on the port while inside the block; port 0: don't. Raises `Misconfigured` if the port is taken."""
    if port == 0:
        yield
        return
    app = web.Application()
    app.router.add_get("/healthz", _answer(lambda: True))
    app.router.add_get("/readyz", _answer(ready))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, port=port).start()
        except OSError as error:
            message = f"can't answer health checks on port {port}: {error}; set LONGTASK_HEALTH_PORT to another one"
            raise Misconfigured(message) from error
        yield
    finally:
        await runner.cleanup()


def _answer(check: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok\n") if check() else web.Response(text="not yet\n", status=503)

    return handler
