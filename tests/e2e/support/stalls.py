"""What stops a task, and how a test sees that it is stopped, and that it gets on.

What is here is made by whoever runs a cluster: quotas, Pod Security, admission policies. It must not mend anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.e2e.support.client import JSON_PATCH, ApiError, wait_for
from tests.e2e.support.tasks import SETTLED, condition, items, settled_in

if TYPE_CHECKING:
    from tests.e2e.support.client import Api, Body
    from tests.e2e.support.tasks import Handle, Lab

TRIED_AGAIN: Final = 75.0  # seconds: the operator tries again every 15 s


def short(name: str = "task", **settings: Any) -> Body:  # noqa: ANN401 - as in items()
    """A task that is done at once, if only it may run."""
    return items(name, count=3, pace=0, **settings)


def stalled(task: Handle, reason: str) -> str:
    """Wait until it is stalled for that reason; the message of the condition."""
    body = task.wait(f"Stalled for {reason}", lambda body: is_stalled(body, reason), seconds=TRIED_AGAIN)
    assert condition(body, "Ready") == condition(body, "Ready") | {"status": "False", "reason": reason}
    assert settled_in(body, "Init")
    message: str = condition(body, "Stalled")["message"]
    return message


def is_stalled(body: Body, reason: str) -> bool:
    """Whether it says so."""
    found = condition(body, "Stalled")
    return bool(found) and (found["status"], found["reason"]) == ("True", reason)


def described(lab: Lab, task: Handle) -> str:
    """What `kubectl describe` prints, its lines as one."""
    return " ".join(lab.kubectl("describe", "lt", task.name).split())


def completes(task: Handle) -> None:
    """It gets on by itself, and nothing is left of what had stalled it."""
    body = task.wait_for_state("Complete", seconds=TRIED_AGAIN)
    assert condition(body, "Stalled").get("status", "False") == "False"
    assert condition(body, "Ready")["status"] == "True"


def mend(task: Handle, body: Body) -> None:
    """Give a task the template of another manifest."""
    replace = {"op": "replace", "path": "/spec/template", "value": body["spec"]["template"]}
    task.api.patch("LongTask", task.name, task.namespace, [replace], how=JSON_PATCH)


def quota(lab: Lab, hard: dict[str, str]) -> None:
    """Make or change the namespace's quota, and wait until it bites."""
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": hard}}
    lab.api.apply(body, lab.namespace)
    wait_for(
        lambda: lab.api.get("ResourceQuota", "small", lab.namespace).get("status", {}).get("hard") == hard,
        timeout=SETTLED,
        what="the quota to be in force",
    )


def restrict(lab: Lab, level: str | None) -> None:
    """Set the level that Pod Security enforces in the namespace."""
    labels = {"pod-security.kubernetes.io/enforce": level}
    lab.api.patch("Namespace", lab.namespace, "", {"metadata": {"labels": labels}})


class Refusals:
    """An admission policy that refuses all Jobs of a namespace, and what the API server counts of it."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.name, self.namespace = api, f"no-jobs-{namespace}"[:63], namespace

    def install(self) -> None:
        """Make policy and binding, and wait until a Job is refused."""
        rule = {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}
        words = f"no Jobs in {self.namespace} today"
        policy = {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "false", "message": words, "reason": "Forbidden"}],
        }
        where = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}}
        binding = {"policyName": self.name, "validationActions": ["Deny"], "matchResources": where}
        for kind, spec in (("ValidatingAdmissionPolicy", policy), ("ValidatingAdmissionPolicyBinding", binding)):
            head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": self.name}}
            self.api.create(head | {"spec": spec})
        wait_for(self._bites, what="the policy to bite")

    def remove(self) -> None:
        """Delete both."""
        self.api.delete("ValidatingAdmissionPolicyBinding", self.name)
        self.api.delete("ValidatingAdmissionPolicy", self.name)

    def count(self) -> int:
        """How many Jobs it has refused."""
        metrics: str = self.api.request("GET", "/metrics")["message"]
        counter = "apiserver_validating_admission_policy_check_total{"
        lines = [line for line in metrics.splitlines() if line.startswith(counter) and f'policy="{self.name}"' in line]
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)

    def _bites(self) -> bool:
        pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "none"}]}
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "probe"},
            "spec": {"template": {"spec": pod}},
        }
        try:
            self.api.create(job, self.namespace, "dryRun=All")
        except ApiError as error:
            return "no Jobs in" in error.message
        return False
