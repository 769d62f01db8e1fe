"""A task that can't get on says why, in the words of whoever refused, and gets on as soon as that is mended.

Nobody but the one who mends it does anything: no restart, no suspend and resume. `kubectl describe` is enough to know.
A stalled task costs nothing (G8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.stalls import Refusals, completes, described, mend, quota, restrict, short, stalled
from tests.e2e.support.tasks import condition, long_task, worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Lab


# --- The Job is refused ---


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        ({"restartPolcy": "Never"}, 'unknown field "spec.template.spec.restartPolcy"'),
        (
            {"restartPolicy": "Always"},
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Nev',
        ),
        ({"restartPolicy": "OnFailure"}, 'only "Never" is supported when podFailurePolicy is specified'),
        ({"hostname": "No_Name"}, 'spec.template.spec.hostname: Invalid value: "No_Name"'),
        ({"terminationGracePeriodSeconds": "soon"}, "terminationGracePeriodSeconds"),
        ({"containers": [{"name": "worker", "image": "longtask:dev", "env": "none"}]}, "env"),
    ],
    ids=["misspelt field", "bad value", "value of a plain Job", "bad name", "wrong type", "wrong type in the worker"],
)
def test_a_template_that_the_api_server_refuses_stalls_the_task_until_it_is_mended(
    lab: Lab, pod: Body, words: str
) -> None:
    task = lab.start(short(pod=pod))

    message = stalled(task, "JobRefused")
    assert message.startswith("the API server refuses to create the Job: ")
    assert words in message
    assert words in described(lab, task)
    assert task.jobs() == []

    mend(task, short())
    completes(task)


def test_a_quota_of_jobs_stalls_a_task_until_it_is_raised(lab: Lab) -> None:
    quota(lab, {"count/jobs.batch": "0"})
    task = lab.start(short())

    message = stalled(task, "QuotaExceeded")
    assert "exceeded quota: small, requested: count/jobs.batch=1, used: count/jobs.batch=0, limited: count" in message
    assert "exceeded quota: small" in described(lab, task)

    quota(lab, {"count/jobs.batch": "1"})
    completes(task)


def test_a_stalled_task_is_suspended_resumed_and_terminated_like_any_other(lab: Lab) -> None:
    quota(lab, {"count/jobs.batch": "0"})
    task = lab.start(short())
    stalled(task, "QuotaExceeded")

    task.want("Suspend")
    body = task.wait_for_state("Suspended")
    assert condition(body, "Stalled")["status"] == "False"
    assert condition(body, "Suspended")["reason"] == "NotStarted"
    task.want("Run")
    stalled(task, "QuotaExceeded")
    task.want("Terminate")

    task.wait_for_state("Terminated")


# --- The Job is there, its pod is refused ---


def test_a_quota_of_pods_stalls_a_task_until_it_is_raised(lab: Lab) -> None:
    lab.in_reader("true")  # it is one of the pods that are counted
    quota(lab, {"count/pods": "1"})
    task = lab.start(short())

    message = stalled(task, "QuotaExceeded")
    assert "exceeded quota: small, requested: count/pods=1, used: count/pods=1, limited: count/pods=1" in message
    assert 'pods "task-' in message
    assert '-1-..." is forbidden' in message  # each pod that is refused has another name, and none is news
    assert "exceeded quota: small" in described(lab, task)

    quota(lab, {"count/pods": "2"})
    completes(task)


def test_a_pod_that_pod_security_refuses_stalls_the_task_until_the_template_is_mended(lab: Lab) -> None:
    restrict(lab, "restricted")
    task = lab.start(short())

    message = stalled(task, "PodRefused")
    assert 'violates PodSecurity "restricted:latest"' in message
    assert "allowPrivilegeEscalation != false" in message
    assert "violates PodSecurity" in described(lab, task)

    mend(task, restricted_task())
    completes(task)


def test_a_pod_that_pod_security_refuses_gets_on_when_the_namespace_allows_it(lab: Lab) -> None:
    restrict(lab, "restricted")
    task = lab.start(short())
    stalled(task, "PodRefused")

    restrict(lab, None)

    completes(task)


# --- A stalled task costs nothing ---


@pytest.fixture
def refusals(lab: Lab) -> Iterator[Refusals]:
    """Refuse every Job of the lab's namespace."""
    made = Refusals(lab.api, lab.namespace)
    try:
        made.install()
        yield made
    finally:
        made.remove()


def test_a_task_that_stays_stalled_is_not_written_again_however_often_it_is_tried(lab: Lab, refusals: Refusals) -> None:
    """The operator's tries are seen by what the API server counts: it is an admission policy that refuses them."""
    task = lab.start(short())
    message = stalled(task, "Forbidden")
    assert f"no Jobs in {lab.namespace} today" in message
    before = task.read()["metadata"]["resourceVersion"]
    tried = refusals.count()

    wait_for(lambda: refusals.count() >= tried + 2, timeout=60, what="two more tries")

    assert task.read()["metadata"]["resourceVersion"] == before


def restricted_task() -> Body:
    """The short task as Pod Security wants it: no root, so its files are of a folder that anybody may write to."""
    allowed = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    made = worker(env={"ITEMS": 3, "PACE": 0, "DATA": "/tmp"}, container={"securityContext": allowed})
    return long_task("task", made)
