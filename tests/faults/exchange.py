"""One request on its way through the proxy, and what the plan does to it. It must not know how a client is killed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tests.faults.ledger import Answer
from tests.faults.request import parse, scoped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.faults.ledger import Counted, Ledger
    from tests.faults.plan import Rule
    from tests.faults.proxy import Door, Upstream
    from tests.faults.request import Request

SCOPED: Final = frozenset({"longtasks", "jobs", "pods"})
REMEMBERED: Final = (
    ("longtasks", "/apis/longtask.dev/v1alpha1/namespaces/{}/longtasks", ""),
    ("jobs", "/apis/batch/v1/namespaces/{}/jobs", "labelSelector=longtask.dev/task-uid"),
    ("pods", "/api/v1/namespaces/{}/pods", "labelSelector=longtask.dev/task-uid"),
)
_REASONS: Final = {
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length"})


class Cut(Exception):
    """The connection ends here, without another word."""


@dataclass
class Exchange:
    """A request that has come through a door."""

    door: Door
    upstream: Upstream
    ledger: Ledger
    incoming: web.BaseRequest

    async def run(self) -> web.StreamResponse:
        """Carry it through; the answer is on its way when this returns."""
        path, _, query = self.incoming.raw_path.partition("?")
        if self.door.scope:
            path = scoped(path, self.door.scope, SCOPED)
        number = self.ledger.next_number(self.door.client)
        request = parse(number, self.door.client, self.incoming.method, (path, query), self.incoming.headers)
        headers = passed_on(self.incoming.headers)
        body = await self.incoming.read()
        try:
            for rule in self.ledger.before(request):
                if (answer := await self._before(rule, request)) is not None:
                    return await self._send(answer)
            if request.verb == "watch":
                return await self._watch(request, path, query, headers)
            answer = await self.upstream.fetch(self.incoming.method, path, query, headers, body)
            return await self._finish(request, answer)
        except (Cut, ConnectionResetError):  # the second: the client has gone in the middle of it
            if self.incoming.transport is not None:
                self.incoming.transport.abort()
            return web.Response()

    async def _before(self, rule: Rule, request: Request) -> Answer | None:
        """What the client is told instead of an answer of the server; None: the server is to be asked."""
        match rule.action:
            case "delay":
                await asyncio.sleep(rule.seconds or 0)
            case "drop-before":
                raise Cut
            case "refuse":
                request.status = rule.status or 0
                return refusal(request.status, rule.seconds)
            case "stale":
                return self.ledger.lists.get(request.resource)
        return None

    async def _finish(self, request: Request, answer: Answer) -> web.StreamResponse:
        """The server has answered."""
        if request.verb == "list" and answer.status == 200:
            self.ledger.lists.setdefault(request.resource, answer)
        rules = self.ledger.after(request, answer.status)
        if any(rule.action == "remember" for rule in rules):
            await self._remember()
        if any(rule.action == "kill" and rule.response == "before" for rule in rules):
            await asyncio.to_thread(self.door.kill, request)
            raise Cut
        if any(rule.action == "drop-after-commit" for rule in rules):
            raise Cut
        sent = await self._send(answer)
        if any(rule.action == "kill" for rule in rules):
            await asyncio.to_thread(self.door.kill, request)
        return sent

    async def _remember(self) -> None:
        """Keep the lists that the operator begins with as they are now."""
        headers = passed_on(self.incoming.headers) | {"Accept": "application/json"}
        headers.pop("Content-Type", None)
        for resource, path, query in REMEMBERED:
            answer = await self.upstream.fetch("GET", path.format(self.door.scope), query, headers, b"")
            self.ledger.lists[resource] = answer

    async def _send(self, answer: Answer) -> web.StreamResponse:
        response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        await response.prepare(self.incoming)
        await response.write_eof()
        return response

    async def _watch(self, request: Request, path: str, query: str, headers: dict[str, str]) -> web.StreamResponse:
        headers = {**headers, "Accept-Encoding": "identity"}  # events are told apart by their lines
        async with self.upstream.open("GET", path, query, headers, b"") as answer:
            rules = self.ledger.on_stream(request)
            request.status = answer.status
            response = web.StreamResponse(status=answer.status, headers=passed_on(answer.headers))
            await response.prepare(self.incoming)
            key = request.client, request.number
            self.ledger.open_watches[key] = request.resource
            try:
                async for line in answer.content:
                    await self._pass_event(request, rules, line, response)
            finally:
                self.ledger.open_watches.pop(key, None)
        await response.write_eof()
        return response

    async def _pass_event(
        self, request: Request, rules: list[Counted], line: bytes, response: web.StreamResponse
    ) -> None:
        meant = [] if is_bookmark(line) else [counted for counted in rules if counted.is_turn_of_event()]
        for rule in [counted.fire(request) for counted in meant]:
            match rule.action:
                case "hide":
                    return
                case "cut":
                    raise Cut
                case "freeze":
                    await asyncio.Event().wait()  # until the client leaves
                case "error-event":
                    event = {"type": "ERROR", "object": status_object(rule.status or 0)}
                    await response.write(json.dumps(event).encode() + b"\n")
                    raise Cut
        await response.write(line)


def is_bookmark(line: bytes) -> bool:
    """Whether a line of a watch only says how far it is."""
    return line.startswith(b'{"type":"BOOKMARK"') or json.loads(line).get("type") == "BOOKMARK"


def status_object(code: int) -> dict[str, Any]:
    """The Status that the server would send."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "a fault of the plan",
        "reason": _REASONS[code],
        "code": code,
    }


def refusal(status: int, retry_after: float | None) -> Answer:
    """An answer that the server has not given."""
    headers = {"Content-Type": "application/json"}
    if retry_after is not None:
        headers["Retry-After"] = str(int(retry_after))
    return Answer(status, headers, json.dumps(status_object(status)).encode())


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are not about one connection alone."""
    return {key: value for key, value in headers.items() if key.lower() not in _HOP_BY_HOP}
