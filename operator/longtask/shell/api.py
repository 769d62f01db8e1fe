"""The one door to the API server: plain JSON in and out over the official client's login, TLS and token renewal.

Models of the client are not used: they would drop or refuse fields that are newer than they are. It must not know
what the objects mean. Every failure leaves here as one of `errors`.
"""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from longtask.clock import ServerClock
from longtask.shell.errors import Misconfigured, Unavailable, api_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from kubernetes.aio.client.rest import RESTResponse

Json = dict[str, Any]
PatchKind = Literal["json-patch", "merge-patch", "strategic-merge-patch"]

_PAGE = 500
_USER_AGENT = "longtask-operator"
_KEEPALIVE_SECONDS = 55.0
_LONGEST_EVENT = 2**21
"""Bytes. An event of a watch is one line; etcd stores objects of up to 1.5 MiB."""


async def load_configuration() -> Configuration:
    """Find the cluster: the pod's own service account, or else the kubeconfig that `KUBECONFIG` names.

    A person's default kubeconfig is not used: nobody wants an operator in the wrong cluster by accident.
    Raises `Misconfigured`.
    """
    configuration = Configuration()
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            load_incluster_config(client_configuration=configuration)
        elif path := os.environ.get("KUBECONFIG"):
            await load_kube_config(config_file=path, client_configuration=configuration, persist_config=False)
        else:
            message = "not in a pod: set KUBECONFIG to the cluster's kubeconfig"
            raise Misconfigured(message)
    except (ConfigException, OSError) as error:
        message = f"can't log in to the cluster: {error}"
        raise Misconfigured(message) from error
    return configuration


class _Connections(RESTClientObject):
    """The official client's connections, made for few requests now and then and for many at once."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        """Keep connections for longer than a task is quiet, and shorter than API servers (90 s) and most balancers do.

        A new one costs two round trips and a signature of the server's before the request is even sent.
        """
        return aiohttp.TCPConnector(limit=self.maxsize, ssl=self.ssl_context, keepalive_timeout=_KEEPALIVE_SECONDS)

    def _create_pool_manager(self) -> aiohttp.ClientSession:
        """Look for no proxy and no password in the environment, as kopf's stream does not: kubeconfigs name both.

        aiohttp would ask for them in a thread, twice for each request, which costs more than the request.
        """
        return aiohttp.ClientSession(connector=self._create_connector(), read_bufsize=_LONGEST_EVENT)


class Api:
    """Requests to one API server. Paths begin with a slash; bodies and answers are JSON objects."""

    def __init__(self, configuration: Configuration, *, request_seconds: float) -> None:
        self._client = ApiClient(configuration)
        self._client.rest_client = _Connections(configuration)
        self._timeout = aiohttp.ClientTimeout(total=request_seconds)
        self.clock = ServerClock()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """Read one object, or one page of a list, from the server's latest state."""
        return await self._call("GET", path, query=query)

    async def post(self, path: str, body: Json, query: Mapping[str, str] | None = None) -> Json:
        """Create an object."""
        return await self._call("POST", path, query=query, body=body)

    async def patch(self, path: str, body: Json | list[Json], kind: PatchKind) -> Json:
        """Change an object."""
        return await self._call("PATCH", path, body=body, content_type=f"application/{kind}+json")

    async def delete(self, path: str, options: Json) -> Json:
        """Delete an object under `metav1.DeleteOptions`. The answer is the object, or a Status if it is gone."""
        return await self._call("DELETE", path, body=options)

    async def pages(self, path: str, query: Mapping[str, str], *, accept: str | None = None) -> AsyncIterator[Json]:
        """A list, page by page, of one consistent version. Raises `Expired` if the pages outlived it."""
        more = ""
        while True:
            page_query = {**query, "limit": str(_PAGE)} | ({"continue": more} if more else {})
            page = await self._call("GET", path, query=page_query, accept=accept)
            if not _is_list(page):  # taken for an empty one, it would say that everything is gone
                raise Unavailable(f"the answer of the API server at {path} is no list")
            yield page
            more = page["metadata"].get("continue") or ""
            if not more:
                return

    async def watch(self, path: str, query: Mapping[str, str], *, idle_seconds: float) -> AsyncIterator[Json]:
        """Events of a watch until the server ends it. Raises `Unavailable` when nothing came for `idle_seconds`."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout.total, sock_read=idle_seconds)
        async with self._open("GET", path, query={**query, "watch": "1"}, timeout=timeout) as answer:
            if answer.status != 200:
                raise await _failure(answer)
            with _translated():
                async for line in answer.response.content:
                    yield _object(line)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = "application/json",
        accept: str | None = None,
    ) -> Json:
        headers = {"Content-Type": content_type, "Accept": accept or "application/json"}
        async with self._open(method, path, query=query, body=body, headers=headers, timeout=self._timeout) as answer:
            if not 200 <= answer.status < 300:
                raise await _failure(answer)
            with _translated():
                return _object(await answer.read())

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  it is aiohttp's own, per phase of the request
        query: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        headers: dict[str, str] | None = None,
    ) -> AsyncIterator[RESTResponse]:
        """Send a request with fresh credentials; the answer is open inside the block."""
        headers = {"User-Agent": _USER_AGENT, **(headers or {})}
        client = self._client
        with _translated():
            await client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            url = client.configuration.host + path + ("?" + urlencode(query) if query else "")
            asked = self.clock.asking()
            answer = await client.rest_client.request(method, url, headers=headers, body=body, _request_timeout=timeout)
        self.clock.hear(answer.headers.get("Date"), asked)
        try:
            yield answer
        finally:
            answer.response.close() if "watch" in (query or {}) else answer.response.release()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the HTTP library raises into `Unavailable`."""
    try:
        yield
    # a time-out is an OSError, bad JSON a ValueError, JSON that is nested too deeply a RecursionError, and a token file
    # that can't be read just now a ConfigException
    except (aiohttp.ClientError, OSError, ValueError, RecursionError, ConfigException) as error:
        message = f"no answer from the API server: {type(error).__name__} {error}".rstrip()
        raise Unavailable(message) from error


def _object(text: bytes) -> Json:
    """The JSON object in an answer. Raises ValueError for anything else."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"no JSON object: {text[:100]!r}")  # noqa: TRY004  the value is wrong, as of JSON that is none
    return found


def _is_list(page: Json) -> bool:
    metadata = page.get("metadata")
    versioned = isinstance(metadata, dict) and isinstance(metadata.get("resourceVersion"), str)
    return versioned and isinstance(page.get("items"), list)


async def _failure(answer: RESTResponse) -> Exception:
    """The error that a failed answer stands for."""
    try:
        body = json.loads(await answer.read())
    except (aiohttp.ClientError, OSError, ValueError, RecursionError):
        body = {}
    return api_error(
        answer.status, body if isinstance(body, dict) else {}, retry_after=answer.headers.get("Retry-After")
    )
