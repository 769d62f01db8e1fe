"""A thin client for tests on a real API server: any object as a dict, any token, any kind of patch.

It adds nothing to what the server says: no retries, no defaults, no models. Tests that attack the server need to
send exactly what they mean, and tests of our own client must not stand on that client.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import urllib3
from kubernetes import client as official
from kubernetes import config as official_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
Body = dict[str, Any]
Json = dict[str, Any] | list[Any]

LOCAL_KUBECONFIG: Final = Path(".cluster/kubeconfig")
REQUEST_SECONDS: Final = 30.0

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

# kind: (API path, plural, namespaced)
KINDS: Final[Mapping[str, tuple[str, str, bool]]] = {
    "LongTask": ("apis/longtask.dev/v1alpha1", "longtasks", True),
    "Job": ("apis/batch/v1", "jobs", True),
    "Pod": ("api/v1", "pods", True),
    "ConfigMap": ("api/v1", "configmaps", True),
    "Event": ("api/v1", "events", True),
    "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims", True),
    "ResourceQuota": ("api/v1", "resourcequotas", True),
    "Secret": ("api/v1", "secrets", True),
    "Service": ("api/v1", "services", True),
    "ServiceAccount": ("api/v1", "serviceaccounts", True),
    "Deployment": ("apis/apps/v1", "deployments", True),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles", True),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
    "Namespace": ("api/v1", "namespaces", False),
    "Node": ("api/v1", "nodes", False),
    "ClusterRole": ("apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "CustomResourceDefinition": ("apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "ValidatingAdmissionPolicy": (
        "apis/admissionregistration.k8s.io/v1",
        "validatingadmissionpolicies",
        False,
    ),
    "ValidatingAdmissionPolicyBinding": (
        "apis/admissionregistration.k8s.io/v1",
        "validatingadmissionpolicybindings",
        False,
    ),
}


class ApiError(Exception):
    """The server refused. `status` is the HTTP status, `message` the server's words, `body` all it sent."""

    def __init__(self, status: int, body: Body) -> None:
        self.status = status
        self.body = body
        self.message = str(body.get("message", body))
        super().__init__(f"{status}: {self.message}")


class UnavailableError(Exception):
    """No answer: refused connection, time-out, cut line. Whether the request took effect is unknown."""


def kubeconfig_path() -> Path:
    """Find the cluster that tests may use: the one that KUBECONFIG names, or else our own.

    Raises RuntimeError rather than ever use a person's default kubeconfig, also when KUBECONFIG names it.
    """
    named = os.environ.get("KUBECONFIG", "")
    path = Path(named) if named else LOCAL_KUBECONFIG
    default = Path.home() / ".kube" / "config"
    if os.pathsep in named or path.resolve() == default.resolve():
        raise RuntimeError(
            f"KUBECONFIG={named} is (or holds) a person's default: name one other file, or unset it and "
            "run `make cluster`"
        )
    if not path.is_file():
        raise RuntimeError(f"There is no kubeconfig at {path}: `make cluster` brings a cluster up and writes it")
    return path.resolve()


@dataclass(frozen=True, kw_only=True)
class Api:
    """One identity at one API server. Every method raises ApiError when the server refuses."""

    server: str
    pool: urllib3.PoolManager
    ca_file: str
    authorization: str = ""
    user: str = ""  # impersonated
    kinds: Mapping[str, tuple[str, str, bool]] = field(default_factory=lambda: KINDS)

    @classmethod
    def from_kubeconfig(cls, path: Path) -> Api:
        """Log in as the kubeconfig's current user."""
        configuration = official.Configuration()
        official_config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(path), client_configuration=configuration
        )
        return cls(
            server=configuration.host,
            pool=urllib3.PoolManager(
                maxsize=16,
                ca_certs=configuration.ssl_ca_cert,
                cert_file=configuration.cert_file,
                key_file=configuration.key_file,
                retries=False,
            ),
            ca_file=configuration.ssl_ca_cert or "",
            authorization=configuration.get_api_key_with_prefix("BearerToken") or "",
        )

    def with_token(self, token: str) -> Api:
        """Return the same server for the holder of a bearer token, and without our client certificate."""
        pool = urllib3.PoolManager(maxsize=4, ca_certs=self.ca_file, retries=False)
        return replace(self, pool=pool, authorization=f"Bearer {token}")

    def as_user(self, user: str) -> Api:
        """Return the same login acting as another user, who is in no group but `system:authenticated`."""
        return replace(self, user=user)

    def path(self, kind: str, name: str = "", namespace: str = "", subresource: str = "") -> str:
        """Return the URL path of an object, or of a collection when `name` is empty."""
        api, plural, namespaced = self.kinds[kind]
        parts = [api, *(["namespaces", namespace] if namespaced and namespace else []), plural, name, subresource]
        return "/" + "/".join(part for part in parts if part)

    def request(
        self, method: str, path: str, body: Json | None = None, *, content_type: str = "application/json"
    ) -> Body:
        """Send one request; `path` may hold a query. Returns the decoded answer.

        Raises ApiError for an answer of 400 or more, UnavailableError for no answer.
        """
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if self.authorization:
            headers["Authorization"] = self.authorization
        if self.user:
            headers["Impersonate-User"] = self.user
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self.pool.request(method, self.server + path, body=data, headers=headers, timeout=REQUEST_SECONDS)
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(f"{method} {path}: {error}") from error
        decoded = _decode(answer.data)
        if answer.status >= 400:
            raise ApiError(answer.status, decoded)
        return decoded

    def get(self, kind: str, name: str, namespace: str = "") -> Body:
        """Read one object."""
        return self.request("GET", self.path(kind, name, namespace))

    def find(self, kind: str, name: str, namespace: str = "") -> Body | None:
        """Read one object, or None when there is none of that name."""
        try:
            return self.get(kind, name, namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list_all(self, kind: str, namespace: str = "", query: str = "") -> list[Body]:
        """Read a whole collection; `query` e.g. `labelSelector=longtask.dev/task-uid%3D...`."""
        answer = self.request("GET", self.path(kind, namespace=namespace) + (f"?{query}" if query else ""))
        items: list[Body] = answer["items"]
        return items

    def create(self, body: Body, namespace: str = "", query: str = "") -> Body:
        """Create an object from its manifest, in `namespace` when the manifest names none."""
        where = body["metadata"].get("namespace", namespace)
        path = self.path(body["kind"], namespace=where)
        return self.request("POST", path + (f"?{query}" if query else ""), body)

    def replace(self, body: Body, subresource: str = "") -> Body:
        """PUT an object that was read before."""
        metadata = body["metadata"]
        path = self.path(body["kind"], metadata["name"], metadata.get("namespace", ""), subresource)
        return self.request("PUT", path, body)

    def patch(
        self,
        kind: str,
        name: str,
        namespace: str,
        patch: Json,
        *,
        subresource: str = "",
        how: str = MERGE,
        query: str = "",
    ) -> Body:
        """Patch an object; `how` is MERGE, JSON_PATCH, STRATEGIC or APPLY."""
        path = self.path(kind, name, namespace, subresource) + (f"?{query}" if query else "")
        return self.request("PATCH", path, patch, content_type=how)

    def apply(self, body: Body, namespace: str = "", *, manager: str = "tests", force: bool = True) -> Body:
        """Apply a manifest server-side."""
        where = body["metadata"].get("namespace", namespace)
        query = f"fieldManager={manager}&force={str(force).lower()}"
        return self.patch(body["kind"], body["metadata"]["name"], where, body, how=APPLY, query=query)

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> None:
        """Delete an object; one that is already gone is fine."""
        options: Body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self.request("DELETE", self.path(kind, name, namespace), options)
        except ApiError as error:
            if error.status != 404:
                raise

    def token(self, account: str, namespace: str, pod: Body | None = None) -> str:
        """Ask for a service account's token: bound to `pod` as the kubelet's are, or to nothing."""
        spec: Body = {"expirationSeconds": 3600}
        if pod is not None:
            metadata = pod["metadata"]
            spec["boundObjectRef"] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "uid": metadata["uid"],
            }
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self.request("POST", self.path("ServiceAccount", account, namespace, "token"), body)
        token: str = answer["status"]["token"]
        return token


def _decode(data: bytes) -> Body:
    try:
        decoded = json.loads(data)
    except ValueError:
        return {"message": data.decode(errors="replace")}
    return decoded if isinstance(decoded, dict) else {"items": decoded}


def wait_for(
    condition: Callable[[], T | None],
    *,
    timeout: float = 30.0,
    what: str,
    every: float = 0.1,
    state: Callable[[], object] | None = None,
) -> T:
    """Wait until `condition` returns something true, and return it.

    `what` completes the sentence "waited ... for"; `state` is asked at the end for what was there instead.
    A server that does not answer counts as "not yet". Raises AssertionError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    silence = ""
    while True:
        try:
            value = condition()
            silence = ""
        except UnavailableError as error:
            value, silence = None, f"; the server does not answer: {error}"
        if value:
            return value
        if time.monotonic() >= deadline:
            seen = f"; instead: {state()}" if state else ""
            raise AssertionError(f"waited {timeout:g} s for {what}{silence}{seen}")
        time.sleep(every)  # noqa: TID251 - the one place where tests poll a condition
