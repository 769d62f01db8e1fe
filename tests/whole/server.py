"""A stand-in for the API server, on a port of loopback: lists, watches, patches and preconditions as the real one has
them, for the few resources that the operator touches; and faults, one by one.

It must not know what the operator does. What it does like the real server is shown by tests/contract.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.whole import discovery
from tests.whole.patches import TestFailedError, json_patched, merged
from tests.whole.store import NotFoundError, Store, TakenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Json = dict[str, Any]
Answer = tuple[int, Json]

BOOKMARK_SECONDS = 0.1
_PATH = re.compile(
    r"^/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/(?P<ns>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?$"
)
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Call:
    """A request, as the server saw it."""

    method: str
    path: str
    plural: str
    subresource: str
    agent: str
    body: Any
    watch: bool

    @property
    def is_write(self) -> bool:
        """Whether it was meant to change anything."""
        return self.method in _WRITES


@dataclass
class Fault:
    """What happens to the next `times` requests that match, instead of or after what they ask for."""

    matches: Callable[[Call], bool]
    times: int = 1
    status: int = 0  # answer with this; nothing is done
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # close the connection; nothing is done
    cut_after: bool = False  # do it, then close the connection without an answer
    met: int = 0


class FakeApi:
    """One server. `calls` is everything it was asked for; `faults` may be added at any time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls: list[Call] = []
        self.done: list[Call] = []  # the writes that succeeded
        self.faults: list[Fault] = []
        self.url = ""
        self.away = False
        self.ahead = 0.0  # seconds by which its clock is ahead of this machine's
        self.oldest = 0  # watches from before that version are answered with 410
        self.deaf: set[str] = set()  # kinds of which watches tell nothing but bookmarks
        self._generation = 0  # of watches: those of an earlier one end
        self._frozen = asyncio.Event()
        self._ending: Json | None = None

    def fault(self, matches: Callable[[Call], bool], **how: Any) -> Fault:  # noqa: ANN401 - fields of a Fault
        """Add a fault."""
        made = Fault(matches, **how)
        self.faults.append(made)
        return made

    def end_watches(self, last_event: Json | None = None) -> None:
        """End all watches, as the server does now and then; with an ERROR event if one is given."""
        self._generation += 1
        self._ending = last_event

    def freeze_watches(self) -> None:
        """Have all present watches say nothing more, with their connections open."""
        self._frozen.set()
        self._frozen = asyncio.Event()

    def writes(self) -> list[Call]:
        """The writes so far, also those that were refused."""
        return [call for call in self.calls if call.is_write]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeApi]:
        """Serve on a free port while inside the block."""
        runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.end_watches()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.away:
            return _cut(request)
        raw = await request.read()
        found = _PATH.match(request.path)
        parts: dict[str, str] = {key: value or "" for key, value in found.groupdict().items()} if found else {}
        call = Call(
            request.method,
            request.path,
            parts.get("plural", ""),
            parts.get("sub", ""),
            request.headers.get("User-Agent", ""),
            json.loads(raw) if raw else None,
            "watch" in request.query,
        )
        self.calls.append(call)
        answer = await self._meet(request, call, parts)
        if not answer.prepared:
            answer.headers["Date"] = formatdate(time.time() + self.ahead, usegmt=True)
        return answer

    async def _meet(self, request: web.BaseRequest, call: Call, parts: dict[str, str]) -> web.StreamResponse:
        fault = next((fault for fault in self.faults if fault.times > 0 and fault.matches(call)), None)
        if fault is not None:
            fault.times -= 1
            fault.met += 1
            if fault.cut:
                return _cut(request)
            if fault.status:
                return web.json_response(_status(fault.status, "a fault"), status=fault.status, headers=fault.headers)
        answer = await self._answer(request, call, parts)
        return _cut(request) if fault is not None and fault.cut_after else answer

    async def _answer(self, request: web.BaseRequest, call: Call, parts: dict[str, str]) -> web.StreamResponse:
        if (discovered := discovery.answer(call.path)) is not None:
            return web.json_response(discovered)
        if not parts:
            return web.Response(status=404, text="404 page not found\n")
        if call.watch:
            return await self._watch(request, parts)
        try:
            status, body = self._do(request, call, parts)
        except NotFoundError:
            status, body = 404, _status(404, f"{parts['plural']} {parts['name']!r} not found")
        except TakenError:
            status, body = 409, _status(409, f"{parts['plural']} already exists")
        except TestFailedError:
            status, body = 422, _status(422, "the server rejected our request due to an error in our request")
        if call.is_write and status < 400:
            self.done.append(call)
        return web.json_response(body, status=status)

    def _do(self, request: web.BaseRequest, call: Call, parts: dict[str, str]) -> Answer:
        plural, namespace, name = parts["plural"], parts["ns"], parts["name"]
        match call.method:
            case "GET" if name:
                return 200, self.store.get(plural, namespace, name)
            case "GET":
                items = self.store.find(plural, selector(request.query, namespace))
                return 200, {"metadata": {"resourceVersion": str(self.store.version)}, "items": items}
            case "POST":
                body = call.body
                body["metadata"].setdefault("namespace", namespace)
                if plural == "longtasks":
                    body = with_defaults(body)
                return 201, self.store.create(plural, body)
            case "PATCH":
                return self._patch(request, call, parts)
            case "DELETE":
                return self._delete(call, parts)
        return 405, _status(405, "not here")

    def _patch(self, request: web.BaseRequest, call: Call, parts: dict[str, str]) -> Answer:
        old = self.store.get(parts["plural"], parts["ns"], parts["name"])
        if request.content_type == "application/json-patch+json":
            new = json_patched(old, call.body)
        else:
            wanted = call.body.get("metadata", {})
            if any(old["metadata"][key] != wanted[key] for key in ("uid", "resourceVersion") if key in wanted):
                return 409, _status(409, "the object has been modified")
            new = merged(old, call.body)
        if plural_has_status(parts["plural"]):
            users = {"spec": new["spec"], "metadata": new["metadata"]}
            new = old | ({"status": new["status"]} if call.subresource == "status" else users)
        return 200, self.store.put(parts["plural"], new)

    def _delete(self, call: Call, parts: dict[str, str]) -> Answer:
        body = self.store.get(parts["plural"], parts["ns"], parts["name"])
        options = call.body or {}
        wanted = options.get("preconditions", {})
        if any(body["metadata"][key] != value for key, value in wanted.items()):
            return 409, _status(409, "what stands in the precondition does not match")
        if options.get("propagationPolicy") == "Foreground":
            body["metadata"] |= {"deletionTimestamp": "2026-01-01T00:10:00Z", "finalizers": ["foregroundDeletion"]}
            return 200, self.store.put(parts["plural"], body)
        if body["metadata"].get("finalizers"):
            body["metadata"].setdefault("deletionTimestamp", "2026-01-01T00:10:00Z")
            return 200, self.store.put(parts["plural"], body)
        self.store.remove(parts["plural"], parts["ns"], parts["name"])
        return 200, {"kind": "Status", "status": "Success"}

    async def _watch(self, request: web.BaseRequest, parts: dict[str, str]) -> web.StreamResponse:
        plural, generation, frozen = parts["plural"], self._generation, self._frozen
        version = int(request.query.get("resourceVersion", 0))
        if version < self.oldest:
            return web.json_response(_status(410, "too old resource version"), status=410)
        matches = selector(request.query, parts["ns"])
        response = web.StreamResponse()
        await response.prepare(request)
        while generation == self._generation:
            if frozen.is_set():
                await asyncio.Event().wait()  # until the client gives up
            for change in list(self.store.since(plural, version)):
                version = change.version
                if matches(change.body) and plural not in self.deaf:
                    await _send(response, change.kind, change.body)
            await self.store.next_change(BOOKMARK_SECONDS)
            if generation == self._generation and not frozen.is_set() and not self.away:
                await _send(response, "BOOKMARK", {"metadata": {"resourceVersion": str(version)}})
        if self._ending is not None:
            await _send(response, "ERROR", self._ending)
        return response


def plural_has_status(plural: str) -> bool:
    """Whether status and spec are written apart, each at a place of its own."""
    return plural == "longtasks"


def with_defaults(body: Json) -> Json:
    """What the CRD adds to a new task."""
    spec = {"desiredState": "Run", "backoffLimit": 6, **body["spec"]}
    return body | {"spec": spec, "status": {"attempt": 1, "observedGeneration": 0, "state": "Init"}}


def selector(query: Any, namespace: str) -> Callable[[Json], bool]:  # noqa: ANN401 - a multi-dict
    """Whether an object is asked for, by namespace, one label (`key` or `key in (a,b)`), and `a.b=c` of its fields."""
    label, _, values = query.get("labelSelector", "").partition(" in ")
    allowed = set(values.strip("()").split(",")) if values else None
    fields = [part.split("=") for part in query.get("fieldSelector", "").split(",") if part]

    def matches(body: Json) -> bool:
        metadata = body["metadata"]
        if namespace and metadata.get("namespace") != namespace:
            return False
        has = metadata.get("labels", {}).get(label)
        if label and (has is None or (allowed is not None and has not in allowed)):
            return False
        return all(_field(body, path) == value for path, value in fields)

    return matches


def _field(body: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    for part in path.split("."):
        body = body.get(part, {})
    return body


async def _send(response: web.StreamResponse, kind: str, body: Json) -> None:
    await response.write(json.dumps({"type": kind, "object": body}).encode() + b"\n")


def _status(code: int, message: str) -> Json:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
