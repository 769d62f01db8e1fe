"""One request to an API server, named as Kubernetes names it. It must not know what happens to it."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from tests.faults.plan import Rule, is_write

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATH: Final = re.compile(
    r"^/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[a-z]+))?$"
)
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(kw_only=True)
class Request:
    """What was asked, by whom, and what came of it. `number` counts the client's requests, `write` those of its
    writes that the server has carried out; `fault` is what the plan did to it,
    `at` the time on a clock of this machine.
    """

    number: int
    client: str
    who: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    query: str
    status: int = 0
    committed: bool = False
    write: int = 0
    fault: str = ""
    at: float = field(default_factory=time.monotonic)

    def matches(self, rule: Rule) -> bool:
        """Whether a rule speaks of it."""
        return (
            rule.client == self.client
            and (rule.verb in (None, self.verb) or (rule.verb == "write" and is_write(self.verb)))
            and rule.resource in (None, self.resource)
            and rule.subresource in (None, self.subresource)
            and fnmatch.fnmatchcase(self.name, rule.name or "*")
            and (rule.query or "") in self.query
        )

    def __str__(self) -> str:
        place = "/".join(part for part in (self.resource, self.name, self.subresource) if part)
        outcome = f"{self.status or 'no answer'}" + (f", write {self.write}" if self.write else "")
        return f"{self.client} {self.number}: {self.verb} {place} -> {outcome}" + f" [{self.fault}]" * bool(self.fault)


def parse(number: int, client: str, method: str, target: tuple[str, str], headers: Mapping[str, str]) -> Request:
    """Name a request by its path and query. Discovery and the like have no resource."""
    path, query = target
    found = _PATH.match(path)
    parts = {key: value or "" for key, value in found.groupdict().items()} if found else {}
    values = parse_qs(query)
    reading = "watch" if "watch" in values else "get" if parts.get("name") or not found else "list"
    decoded = "&".join(f"{key}={value}" for key, some in values.items() for value in some)
    return Request(
        number=number,
        client=client,
        who=_holder(headers.get("Authorization", "")),
        verb=_VERBS.get(method, reading),
        resource=parts.get("resource", ""),
        subresource=parts.get("subresource", ""),
        namespace=parts.get("namespace", ""),
        name=parts.get("name", ""),
        query=decoded,
    )


def scoped(path: str, namespace: str, resources: frozenset[str]) -> str:
    """The same collection of one namespace, where that of all namespaces is asked for."""
    found = _PATH.match(path)
    if found is None or found["namespace"] or found["name"] or found["resource"] not in resources:
        return path
    head, _, resource = path.rpartition("/")
    return f"{head}/namespaces/{namespace}/{resource}"


def _holder(authorization: str) -> str:
    """The UID of the pod that a token is bound to; '' for any other."""
    try:
        payload = authorization.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        uid: str = claims["kubernetes.io"]["pod"]["uid"]
    except (IndexError, KeyError, ValueError, binascii.Error):
        return ""
    return uid
