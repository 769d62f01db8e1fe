"""A copy of the resource, its policies and roles under an API group of its own, and a bench to attack it on.

The copy is word for word what `manifests/install.yaml` installs, but for the names. No operator watches the copy's
group, so a test decides alone what the status says, while the real thing may be installed beside it.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.e2e.support.client import APPLY, JSON_PATCH, KINDS, Api, ApiError, Body, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALL: Final = Path(__file__).resolve().parents[3] / "manifests/install.yaml"
COPIED: Final = ("CustomResourceDefinition", "ClusterRole")
POLICIES: Final = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
RENAMED: Final = ("longtask-status", "longtask-template", "longtask-worker", "longtask-system", "longtask-operator")
POD_SUFFIX: Final = "abcde"
Operations = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """An installed copy. `api` has an administrator's rights and takes the kind LongTask for the copy's."""

    api: Api
    tag: str

    @property
    def group(self) -> str:
        """API group of the copy."""
        return f"{self.tag}.longtask.test"

    @property
    def worker_role(self) -> str:
        """Name of the workers' ClusterRole."""
        return f"longtask-worker-{self.tag}"

    def policy(self, about: str) -> str:
        """How the server names a policy, the one on "status" or on "template", when it refuses something."""
        return f"ValidatingAdmissionPolicy 'longtask-{about}-{self.tag}'"

    @property
    def operator_account(self) -> tuple[str, str]:
        """Namespace and name of the operator's service account."""
        return f"longtask-system-{self.tag}", f"longtask-operator-{self.tag}"


@contextmanager
def installed_copy(api: Api, install: str | None = None) -> Iterator[Rules]:
    """Install a copy, wait until its policies bite, and remove it. `install` replaces `manifests/install.yaml`."""
    tag = f"rules-{uuid.uuid4().hex[:6]}"
    kinds = {**KINDS, "LongTask": (f"apis/{tag}.longtask.test/v1alpha1", "longtasks", True)}
    rules = Rules(api=replace(api, kinds=kinds), tag=tag)
    text = (install or INSTALL.read_text()).replace("longtask.dev", rules.group)
    for name in RENAMED:
        text = text.replace(name, f"{name}-{tag}")
    documents = [body for body in yaml.safe_load_all(text) if body["kind"] in (*COPIED, *POLICIES)]
    for body in documents:
        if body["kind"] == "CustomResourceDefinition":
            # Else `kubectl get lt` might mean a copy, also one that has just been removed. (Where several groups have a
            # resource of one name, it takes the first; so tests use `lt` for the real one.)
            body["spec"]["names"] |= {"categories": [], "shortNames": []}
        if body["metadata"]["name"] in {"longtask-viewer", "longtask-editor"}:
            body["metadata"] = {"name": f"{body['metadata']['name']}-{tag}"}
    try:
        for body in documents:
            api.apply(body)
        _await_rules(rules)
        yield rules
    finally:
        for body in reversed(documents):
            api.delete(body["kind"], body["metadata"]["name"])
        api.delete("Namespace", rules.operator_account[0])


def _await_rules(rules: Rules) -> None:
    """Wait until the resource is served and both policies refuse what they must: they take a second or two."""
    namespace, account = rules.operator_account
    rules.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    bench = Bench(rules=rules, namespace=namespace)
    bench.give_access()
    wait_for(lambda: _served(bench), what=f"the resource {rules.group} to be served")
    stranger = bench.account("stranger")
    bench.bind("stranger", "longtask-editor")
    wait_for(
        lambda: _refused(lambda: stranger.create(_queued(bench), query="dryRun=All"), rules.policy("template")),
        what="the policy on templates to bite",
    )
    task = bench.task("probe")
    wait_for(
        lambda: _refused(lambda: bench.write(stranger, task, progress={"done": 1}), rules.policy("status")),
        what="the policy on the status to bite",
    )
    bench.account(account)
    rules.api.delete("LongTask", "probe", namespace)


def _queued(bench: Bench) -> Body:
    """A task that every line of the policy on templates refuses: it is waited for as a whole, whatever its lines."""
    manifest = bench.manifest("stranger")
    manifest["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team"}
    return manifest


def _served(bench: Bench) -> bool:
    try:
        bench.rules.api.list_all("LongTask", bench.namespace)
    except ApiError:  # 404 at first, then 429 while its storage is made ready
        return False
    return True


def _refused(attempt: Any, words: str) -> bool:  # noqa: ANN401 - any callable
    try:
        attempt()
    except ApiError as error:
        return words in error.message
    return False


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One namespace of a copy: makes tasks, pods and tokens, and writes as whoever is asked for."""

    rules: Rules
    namespace: str

    @property
    def api(self) -> Api:
        """An administrator: no service account, so only the rules of the CRD hold for it."""
        return self.rules.api

    def operator(self) -> Api:
        """The operator's account, with its rights in this namespace."""
        namespace, name = self.rules.operator_account
        self.bind(name, "longtask-operator", namespace=namespace)
        return self.api.with_token(self.api.token(name, namespace))

    def manifest(self, name: str = "import", **spec: object) -> Body:
        """Return a task's manifest; `spec` adds to or replaces parts of a plain one."""
        container = {"name": "worker", "image": "longtask:dev"}
        return {
            "apiVersion": f"{self.rules.group}/v1alpha1",
            "kind": "LongTask",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"template": {"spec": {"containers": [container]}}, **spec},
        }

    def task(self, name: str = "import", **spec: object) -> Body:
        """Create a task."""
        return self.api.create(self.manifest(name, **spec))

    def read(self, name: str = "import") -> Body:
        """Read a task as it is now."""
        return self.api.get("LongTask", name, self.namespace)

    def desire(self, state: str, name: str = "import") -> Body:
        """Change the desired state, as a user does."""
        return self.api.patch("LongTask", name, self.namespace, {"spec": {"desiredState": state}})

    def set_status(self, name: str = "import", **changes: object) -> Body:
        """Merge into the status as an administrator; None removes a key."""
        return self.api.patch("LongTask", name, self.namespace, {"status": changes}, subresource="status")

    def account(self, name: str) -> Api:
        """Make a service account, and return its client with a token that is bound to no pod."""
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": self.namespace}}
        self.api.create(body)
        return self.api.with_token(self.api.token(name, self.namespace))

    def bind(self, account: str, role: str, *, namespace: str = "") -> None:
        """Give an account of `namespace` (this one when empty) one of the copy's ClusterRoles, in this namespace."""
        subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace or self.namespace}
        self._bind(f"{account}-{role}-{uuid.uuid4().hex[:4]}", f"{role}-{self.rules.tag}", subject)

    def give_access(self) -> None:
        """Bind the workers' role as the operator does: to every service account of the namespace."""
        group = {
            "kind": "Group",
            "name": f"system:serviceaccounts:{self.namespace}",
            "apiGroup": "rbac.authorization.k8s.io",
        }
        self._bind("longtask-worker", self.rules.worker_role, group)

    def _bind(self, name: str, role: str, subject: Body) -> None:
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": self.namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }
        self.api.create(binding)

    def pod(self, name: str, *, account: str = "worker") -> Body:
        """Create a pod that no scheduler places: it never runs, but a token can be bound to it."""
        if self.api.find("ServiceAccount", account, self.namespace) is None:
            self.account(account)
        spec = {
            "serviceAccountName": account,
            "schedulerName": "nobody",
            "automountServiceAccountToken": False,
            "containers": [{"name": "worker", "image": "longtask:dev"}],
        }
        metadata = {"name": name, "namespace": self.namespace}
        return self.api.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def worker(self, pod: Body) -> Api:
        """Return the client of a pod's worker: its token is bound to the pod, as the kubelet's are."""
        return self.api.with_token(self.api.token(pod["spec"]["serviceAccountName"], self.namespace, pod))

    def pod_of(self, task: Body, suffix: str = POD_SUFFIX, *, attempt: int | None = None) -> Body:
        """Create a pod with the name that the task's current Job (or another attempt's) would give it."""
        return self.pod(pod_name(task, suffix, attempt=attempt))

    def write(self, who: Api, task: Body, **parts: object) -> Body:
        """Set parts of the status as the worker library does: a JSON patch that first tests the task's UID."""
        operations = [{"op": "add", "path": f"/status/{key}", "value": value} for key, value in parts.items()]
        return self.patch(who, task, operations)

    def patch(self, who: Api, task: Body, operations: Operations) -> Body:
        """Send a JSON patch to the status, after a test of the task's UID."""
        metadata = task["metadata"]
        test = {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]}
        return who.patch(
            "LongTask",
            metadata["name"],
            metadata["namespace"],
            [test, *operations],
            subresource="status",
            how=JSON_PATCH,
        )

    def apply_status(self, who: Api, task: Body, status: Body) -> Body:
        """Apply a status server-side."""
        metadata = task["metadata"]
        body = {"apiVersion": task["apiVersion"], "kind": "LongTask", "metadata": {"name": metadata["name"]}}
        return who.patch(
            "LongTask",
            metadata["name"],
            metadata["namespace"],
            body | {"status": status},
            subresource="status",
            how=APPLY,
            query="fieldManager=attacker&force=true",
        )


def pod_name(task: Body, suffix: str = POD_SUFFIX, *, attempt: int | None = None) -> str:
    """Return `<task>-<uid8>-<attempt>-<suffix>`, spelt out here so that it is tested against our own code too."""
    number = task["status"]["attempt"] if attempt is None else attempt
    return f"{task['metadata']['name']}-{task['metadata']['uid'][:8]}-{number}-{suffix}"


def claim(task: Body, pod: Body, **changes: object) -> Body:
    """Return the checkpoint by which a pod claims the task as it is now."""
    old = task["status"].get("checkpoint", {"epoch": 0, "sequence": 0, "data": ""})
    new = {
        "epoch": old["epoch"] + 1,
        "holder": pod["metadata"]["uid"],
        "attempt": task["status"]["attempt"],
        "sequence": old["sequence"],
        "cause": "Claim",
        "time": "2026-11-21T21:00:00.123456Z",
        "data": old["data"],
    }
    return new | changes


def save(task: Body, data: str = "saved", **changes: object) -> Body:
    """Return the checkpoint that follows the task's present one."""
    old = task["status"]["checkpoint"]
    new = {"sequence": old["sequence"] + 1, "cause": "Interval", "time": "2026-11-21T21:00:10.5Z", "data": data}
    return {**old, **new, **changes}
