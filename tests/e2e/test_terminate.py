"""`Terminated` is final, is reached from every state, and leaves no Job, no pod and no saved data.

Shows G4, and with that trap 13 (deleting a Job may orphan its pods, which go on working).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.client import JSON_PATCH, MERGE, ApiError, wait_for
from tests.e2e.support.tasks import condition, items
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import states

if TYPE_CHECKING:
    from tests.e2e.support.client import Body, Json
    from tests.e2e.support.tasks import Handle, Lab

NOWHERE: Body = {"nodeSelector": {"longtask.dev/no-such-node": "true"}}


def terminate(task: Handle) -> Body:
    """Terminate, wait for it, make sure that nothing is left, and return the object."""
    task.want("Terminate")
    body = task.wait_for_state("Terminated")
    assert task.jobs() == []
    assert task.pods() == []
    assert body["status"].get("checkpoint", {}).get("data", "") == ""
    assert condition(body, "Terminated")["status"] == "True"
    assert condition(body, "Ready")["status"] == "True"
    assert "jobName" not in body["status"]
    return body


def test_terminate_while_running_stops_the_worker_and_tells_its_cleanup(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)

    body = terminate(task)

    done = lab.items()
    assert done == list(range(len(done)))
    assert 3 <= len(done) < 500
    assert lab.lines("log")[-1] == "cleanup terminated epoch 1"
    assert condition(body, "Terminated")["reason"] == "Terminated"
    assert body["status"]["checkpoint"]["epoch"] == 1
    assert "completionTime" in body["status"]


def test_terminate_while_suspended_removes_the_saved_data(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)
    task.want("Suspend")
    saved = task.wait_for_state("Suspended")["status"]["checkpoint"]
    assert saved["data"] != ""

    body = terminate(task)

    assert body["status"]["checkpoint"] == saved | {"data": ""}
    assert condition(body, "Terminated")["reason"] == "NoCleanup"
    assert "cleanup() did not run" in condition(body, "Terminated")["message"]
    assert task.history()[-2:] == [("Suspended", "Saved"), ("Terminated", "NoCleanup")]


def test_terminate_while_starting_needs_no_worker(lab: Lab) -> None:
    task = lab.start(items(pod=NOWHERE))
    wait_for(task.active_pods, what="a pod that waits for a node")

    body = terminate(task)

    assert "checkpoint" not in body["status"]
    assert lab.lines("log") == []


def test_terminate_right_after_creation_leaves_nothing(lab: Lab) -> None:
    """Whatever the operator was about to do: no Job turns up later."""
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items())
        terminate(task)
        other = lab.start(items("other", count=1, DATA="/data/other"))
        other.wait_for_state("Complete")  # a Job that was on its way would be there by now

    assert task.jobs() == []
    assert task.pods() == []
    assert states(observer.log(), task.uid)[-1] == "Terminated"


def test_terminate_while_suspending_waits_for_the_batch_in_hand(lab: Lab) -> None:
    task = lab.start(items(HOLD=3, grace=120))
    lab.wait_for_line("log", "holding")
    task.want("Suspend")
    lab.pod_asked_to_stop(task)

    task.want("Terminate")
    wait_for(lambda: all("deletionTimestamp" in job["metadata"] for job in task.jobs()), what="its Job to be deleted")
    assert len(task.active_pods()) == 1
    assert task.status["state"] == "Running"
    lab.touch("go")
    terminate(task)

    assert lab.items() == [0, 1, 2, 3]
    assert lab.lines("log")[-1] == "cleanup terminated epoch 1"


def test_terminate_after_complete_removes_what_was_kept(lab: Lab) -> None:
    task = lab.start(items(count=3))
    complete = task.wait_for_state("Complete")
    assert complete["status"]["checkpoint"]["data"] != ""

    body = terminate(task)

    assert condition(body, "Complete")["status"] == "True"
    assert body["status"]["completionTime"] == complete["status"]["completionTime"]


def test_terminate_after_failed_removes_what_was_kept(lab: Lab) -> None:
    task = lab.start(items(count=40, CRASH=30, backoff_limit=0))
    failed = task.wait_for_state("Failed")
    assert failed["status"]["checkpoint"]["data"] != ""

    body = terminate(task)

    assert condition(body, "Failed")["status"] == "True"


def test_a_worker_that_does_not_listen_is_terminated_when_its_grace_period_is_over(lab: Lab) -> None:
    task = lab.start(items(HOLD=3, grace=1))
    lab.wait_for_line("log", "holding")

    terminate(task)

    assert lab.items() == [0, 1, 2]


ATTEMPTS_TO_RUN_IT_AGAIN: list[Any] = [
    pytest.param({"spec": {"desiredState": "Run"}}, MERGE, id="run"),
    pytest.param({"spec": {"desiredState": "Suspend"}}, MERGE, id="suspend"),
    pytest.param({"spec": {"desiredState": None}}, MERGE, id="null"),
    pytest.param({"spec": None}, MERGE, id="null spec"),
    pytest.param([{"op": "remove", "path": "/spec/desiredState"}], JSON_PATCH, id="remove the field"),
    pytest.param([{"op": "remove", "path": "/spec"}], JSON_PATCH, id="remove the spec"),
]


def test_nothing_runs_a_terminated_task_again(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)
    terminate(task)
    for case in ATTEMPTS_TO_RUN_IT_AGAIN:
        assert_refused(task, *case.values)
    with pytest.raises(ApiError, match="must stay so"):
        lab.api.apply(items(count=500, desired="Run"), lab.namespace)
    lab.kubectl("apply", "-f", "-", manifest=items(count=500))  # says nothing of the desired state, so it may

    assert task.wait_for_state("Terminated")["spec"]["desiredState"] == "Terminate"
    assert task.jobs() == []


def assert_refused(task: Handle, patch: Json, how: str) -> None:
    """The server refuses the patch, and nothing has changed."""
    before = task.read()
    with pytest.raises(ApiError):
        task.api.patch("LongTask", task.name, task.namespace, patch, how=how)
    assert task.read() == before


def test_a_new_template_starts_nothing_on_a_terminated_task(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)
    before = terminate(task)["status"]

    task.patch({"spec": {"template": items(count=2)["spec"]["template"], "backoffLimit": 9}})
    after = task.wait_for_state("Terminated")["status"]

    assert task.jobs() == []
    ignored = {"observedGeneration", "conditions"}
    assert {key: after[key] for key in after.keys() - ignored} == {key: before[key] for key in before.keys() - ignored}


def test_a_job_that_turns_up_late_is_removed_and_its_pod_can_do_nothing(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)
    job = task.jobs()[0]
    before = terminate(task)
    done = lab.items()

    lab.api.create(same_job_again(job))
    task.wait_until_bare()

    assert task.read() == before
    assert lab.items() == done


def same_job_again(job: Body) -> Body:
    """The manifest of a Job with the same name, owner, labels and template, as somebody might keep it."""
    spec = copy.deepcopy(job["spec"])
    del spec["selector"]
    given = ("controller-uid", "job-name")
    for key in list(spec["template"]["metadata"]["labels"]):
        if key.removeprefix("batch.kubernetes.io/") in given:
            del spec["template"]["metadata"]["labels"][key]
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
    labels = {key: value for key, value in job["metadata"]["labels"].items() if not key.startswith("batch")}
    metadata = {key: job["metadata"][key] for key in kept if key in job["metadata"]} | {"labels": labels}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
