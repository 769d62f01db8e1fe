"""The clean-up at a task's end, on a real cluster: once, from every state, with what was saved last, and bounded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.client import ApiError, wait_for
from tests.e2e.support.tasks import SETTLED, condition, items, long_task, plain

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab

FINALIZER = "longtask.dev/cleanup"
SAY = ["sh", "-c", 'echo "cleaned $(cat $LONGTASK_LAST_CHECKPOINT)" >> /data/cleaned']
FAIL = ["sh", "-c", "echo tried >> /data/cleaned; echo 'the bucket is locked'; exit 1"]


def with_cleanup(body: Body, command: list[str], **cleanup: Any) -> Body:  # noqa: ANN401
    """The manifest with a command that cleans up."""
    return {**body, "spec": {**body["spec"], "cleanup": {"command": command, **cleanup}}}


def is_gone(task: Handle) -> bool:
    """Whether there is no such task any more."""
    try:
        task.read()
    except (ApiError, KeyError):
        return True
    return False


def wait_until_gone(task: Handle) -> None:
    wait_for(lambda: is_gone(task), timeout=SETTLED, what="the task to be gone", state=lambda: str(task.read()))


def cleanup_jobs(task: Handle) -> list[str]:
    """Names of the Jobs that clean up for it."""
    jobs = task.api.list_all("Job", task.namespace)
    return [job["metadata"]["name"] for job in jobs if job["metadata"]["name"].endswith("-cleanup")]


def said(lab: Lab) -> Any:  # noqa: ANN401 - what was saved
    """What the one clean-up has found in the checkpoint."""
    (line,) = lab.lines("cleaned")
    return json.loads(line.removeprefix("cleaned "))


# --- Terminate ---


def test_a_suspended_task_is_cleaned_up_with_what_was_saved_last(lab: Lab) -> None:
    task = lab.start(with_cleanup(items(count=500), SAY))
    assert FINALIZER in task.wait_for_saved(3)["metadata"]["finalizers"]
    task.want("Suspend")
    saved = task.wait_for_state("Suspended")["status"]["checkpoint"]["data"]

    task.want("Terminate")
    body = task.wait_for_state("Terminated")

    assert said(lab) == json.loads(saved)
    assert condition(body, "CleanedUp")["status"] == "True"
    assert body["status"]["checkpoint"]["data"] == ""
    task.wait_until_bare()
    wait_for(lambda: not cleanup_jobs(task), what="its Job to be gone")
    task.wait("no finalizer", lambda body: FINALIZER not in body["metadata"].get("finalizers", []))
    task.delete()
    wait_until_gone(task)
    assert len(lab.lines("cleaned")) == 1


def test_a_worker_at_work_ends_before_the_cleanup_begins(lab: Lab) -> None:
    task = lab.start(with_cleanup(items(HOLD=3, save_every=0.05), SAY))
    lab.wait_for_line("log", "holding at 3")
    task.want("Terminate")
    lab.pod_asked_to_stop(task)
    assert cleanup_jobs(task) == []
    lab.touch("go")
    task.wait_for_state("Terminated")
    assert said(lab)["state"] == {"next": 4}


@pytest.mark.parametrize("state", ["Complete", "Failed"])
def test_a_task_that_has_ended_is_cleaned_up_when_it_is_terminated(lab: Lab, state: str) -> None:
    settings: dict[str, Any] = {"CRASH": 2, "backoff_limit": 0} if state == "Failed" else {}
    task = lab.start(with_cleanup(items(count=4, **settings), SAY))
    task.wait_for_state(state)
    assert lab.lines("cleaned") == []
    task.want("Terminate")
    task.wait_for_state("Terminated")
    assert len(lab.lines("cleaned")) == 1


def test_a_cleanup_that_fails_for_ever_is_given_up_and_told_of(lab: Lab) -> None:
    task = lab.start(with_cleanup(items(count=500), FAIL, backoffLimit=0))
    task.wait_for_saved(3)
    task.want("Terminate")
    body = task.wait_for_state("Terminated")

    assert lab.lines("cleaned") == ["tried"]
    found = condition(body, "CleanedUp")
    assert (found["status"], found["reason"]) == ("False", "CleanupFailed")
    (event,) = task.warnings("CleanupFailed")
    assert "what it should have removed may still be there" in event


def test_a_cleanup_that_can_not_start_is_given_up_when_its_time_is_over(lab: Lab) -> None:
    nowhere = {"spec": {"containers": [{"name": "broom", "image": "longtask.invalid/none:1"}]}}
    body = items(count=500)
    body["spec"]["cleanup"] = {"template": nowhere, "activeDeadlineSeconds": 3}
    task = lab.start(body)
    task.wait_for_saved(3)
    task.want("Terminate")
    body = task.wait_for_state("Terminated")
    assert condition(body, "CleanedUp")["reason"] == "CleanupFailed"
    assert "DeadlineExceeded" in condition(body, "CleanedUp")["message"] or "active longer" in str(body["status"])


# --- kubectl delete ---


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
def test_a_deleted_task_waits_for_its_cleanup(lab: Lab, propagation: str) -> None:
    wait = ["sh", "-c", "until [ -e /data/sweep ]; do sleep 0.1; done; echo cleaned {} >> /data/cleaned"]
    task = lab.start(with_cleanup(items(count=500), wait))
    task.wait_for_saved(3)
    task.delete(propagation=propagation)

    wait_for(lambda: cleanup_jobs(task), timeout=SETTLED, what="the Job that cleans up")
    assert task.active_pods() == []
    body = task.wait("told", lambda body: condition(body, "Ready").get("reason") == "CleaningUp")
    assert "kubectl logs job/items-" in condition(body, "Ready")["message"]
    lab.touch("sweep")
    wait_until_gone(task)

    assert lab.lines("cleaned") == ["cleaned {}"]
    wait_for(lambda: not cleanup_jobs(task), what="its Job to be gone")


def test_taking_the_cleanup_out_of_the_spec_is_the_way_out(lab: Lab) -> None:
    never = ["sh", "-c", "sleep 600"]
    task = lab.start(with_cleanup(items(count=500), never))
    task.wait_for_saved(3)
    task.delete()
    wait_for(lambda: cleanup_jobs(task), timeout=SETTLED, what="the Job that cleans up")
    task.patch({"spec": {"cleanup": None}})
    wait_until_gone(task)
    wait_for(lambda: not cleanup_jobs(task), timeout=SETTLED, what="its Job to be gone")


def test_a_namespace_can_be_deleted_though_a_task_has_a_cleanup(lab: Lab) -> None:
    """Nothing can be created there any more, so there is nothing to wait for."""
    task = lab.start(with_cleanup(items(count=500), SAY))
    task.wait_for_saved(3)
    lab.api.delete("Namespace", lab.namespace)
    wait_until_gone(task)


def test_a_task_without_a_cleanup_has_no_finalizer(lab: Lab) -> None:
    task = lab.start(items(count=3))
    assert "finalizers" not in task.wait_for_state("Complete")["metadata"]


# --- programs with a file ---


def test_a_program_that_keeps_a_file_finds_it_there_when_it_cleans_up(lab: Lab) -> None:
    script = (
        "n=$(cat /w/n 2>/dev/null || echo 0); while :; do n=$((n+1)); echo $n > /w/t; mv /w/t /w/n; sleep 0.2; done"
    )
    body = long_task("script", plain(["sh", "-c", script]))
    body["spec"]["checkpoint"] = {"file": "/w/n", "interruptedExitCodes": [143]}
    task = lab.start(with_cleanup(body, ["sh", "-c", "echo cleaned $(cat /w/n) >> /data/cleaned"]))
    task.wait("a save", lambda body: body["status"].get("checkpoint", {}).get("sequence", 0) >= 2)
    task.want("Suspend")
    saved = json.loads(task.wait_for_state("Suspended")["status"]["checkpoint"]["data"])["file"]["text"].strip()
    task.want("Terminate")
    task.wait_for_state("Terminated")
    assert lab.lines("cleaned") == [f"cleaned {saved}"]


# --- bad input ---


@pytest.mark.parametrize(
    ("cleanup", "words"),
    [
        ({}, "cleanup must have either a command"),
        ({"command": ["a"], "template": {"spec": {"containers": [{"name": "a"}]}}}, "cleanup must have either"),
        ({"template": {"spec": {}}}, "must list at least one container"),
        ({"command": []}, "should have at least 1 items"),
    ],
)
def test_a_cleanup_that_can_not_be_meant_is_refused_with_what_to_do(lab: Lab, cleanup: Body, words: str) -> None:
    body = items(count=3)
    body["spec"]["cleanup"] = cleanup
    with pytest.raises(ApiError, match=words):
        lab.start(body)
