"""What runs is changed: while a worker is at work, while the task is suspended, after it has failed, before it starts.

Shows that a new attempt goes on from the checkpoint of the earlier one, and with that traps 8 (a finished Job is so for
ever, and its earlier failures count) and 11 (the pod template of a Job is frozen, so a change needs another Job).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.support.client import JSON_PATCH, wait_for
from tests.e2e.support.tasks import condition, done_of, items
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import false_suspensions, side_by_side

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab

NOWHERE: Body = {"nodeSelector": {"longtask.dev/no-such-node": "true"}}


def change_template(task: Handle, body: Body) -> None:
    """Give it the template of another manifest."""
    patch = [{"op": "replace", "path": "/spec/template", "value": body["spec"]["template"]}]
    task.api.patch("LongTask", task.name, task.namespace, patch, how=JSON_PATCH)


def attempts_of_jobs(task: Handle) -> list[str]:
    """The attempts that have a Job."""
    return [job["metadata"]["labels"]["longtask.dev/attempt"] for job in task.jobs()]


def test_a_change_while_running_takes_effect_when_it_is_suspended_and_resumed(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)
    first = task.running_pod()["metadata"]["uid"]

    change_template(task, items(count=400))
    body = task.wait_for_state("Running")
    assert "earlier template" in condition(body, "Ready")["message"]
    assert body["status"]["attempt"] == 1
    assert task.running_pod()["metadata"]["uid"] == first

    task.want("Suspend")
    task.wait_for_state("Suspended")
    done = len(lab.items())
    lab.touch("hurry")
    task.want("Run")
    body = task.wait_for_state("Complete")

    assert body["status"]["attempt"] == 2
    assert body["status"]["checkpoint"]["attempt"] == 2
    assert body["status"]["progress"]["total"] == 400
    assert lab.lines("log")[2].startswith(f"setup at {done} epoch 2")
    assert lab.items() == list(range(400))
    assert attempts_of_jobs(task) == ["2"]


def test_a_change_while_suspended_starts_nothing_and_goes_on_from_the_same_checkpoint(lab: Lab) -> None:
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=500))
        task.wait_for_saved(3)
        task.want("Suspend")
        saved = task.wait_for_state("Suspended")["status"]["checkpoint"]
        done = len(lab.items())

        change_template(task, items(count=done + 5))
        body = task.wait_for_state("Suspended")
        assert body["status"]["checkpoint"] == saved
        assert condition(body, "Suspended")["observedGeneration"] == body["metadata"]["generation"]

        task.want("Run")
        body = task.wait_for_state("Complete")

    assert false_suspensions(observer.log()) == []
    assert side_by_side(observer.log()) == []
    assert body["status"]["attempt"] == 2
    assert lab.lines("log")[2].startswith(f"setup at {done} epoch 2")
    assert lab.items() == list(range(done + 5))
    assert attempts_of_jobs(task) == ["2"]


def test_a_change_after_failed_tries_again_with_fresh_retries(lab: Lab) -> None:
    """The mended task goes on from the last save of the attempt that failed."""
    task = lab.start(items(count=25, CRASH=20, backoff_limit=0))
    failed = task.wait_for_state("Failed")
    assert failed["status"]["failures"] == 1
    assert condition(failed, "Failed")["status"] == "True"
    assert condition(failed, "Stalled")["status"] == "True"

    change_template(task, items(count=25))
    body = task.wait_for_state("Complete")

    assert body["status"]["attempt"] == 2
    assert body["status"]["failures"] == 0
    assert condition(body, "Failed")["status"] == "False"
    assert condition(body, "Stalled")["status"] == "False"
    assert done_of(failed) > 0
    assert lab.lines("log")[2].startswith(f"setup at {done_of(failed)} epoch 2")
    assert sorted(set(lab.items())) == list(range(25))


def test_a_failed_task_that_is_suspended_and_run_again_has_fresh_retries(lab: Lab) -> None:
    """It fails at the same item until somebody mends what it reads, which needs no change of its template."""
    task = lab.start(items(count=8, CRASH=3, backoff_limit=0))
    task.wait_for_state("Failed")

    task.want("Suspend")
    suspended = task.wait_for_state("Suspended")
    assert condition(suspended, "Failed")["status"] == "True"
    lab.touch("mended")
    task.want("Run")
    body = task.wait_for_state("Complete")

    assert body["status"]["attempt"] == 2
    assert body["status"]["failures"] == 0
    assert sorted(set(lab.items())) == list(range(8))


def test_a_change_before_its_pod_has_a_node_takes_effect_at_once(lab: Lab) -> None:
    """No worker is at work that could lose anything, so nobody has to suspend it first."""
    task = lab.start(items(count=5, pod=NOWHERE))
    wait_for(task.active_pods, what="a pod that waits for a node")

    change_template(task, items(count=5))
    body = task.wait_for_state("Complete")

    assert body["status"]["attempt"] == 2
    assert lab.items() == list(range(5))


def test_a_larger_backoff_limit_is_no_change_of_what_runs(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)
    task.want("Suspend")
    task.wait_for_state("Suspended")

    task.patch({"spec": {"backoffLimit": 9, "desiredState": "Run"}})
    lab.touch("hurry")
    body = task.wait_for_state("Complete")

    assert body["status"]["attempt"] == 1
    assert lab.items() == list(range(500))


def test_a_worker_that_finds_another_schema_touches_nothing_and_the_earlier_one_goes_on(lab: Lab) -> None:
    body = items(count=500)
    body["spec"]["checkpoint"] = {"schema": "items/1"}
    task = lab.start(body)
    task.wait_for_saved(3)
    task.want("Suspend")
    saved = task.wait_for_state("Suspended")["status"]["checkpoint"]

    task.patch({"spec": {"checkpoint": {"schema": "items/2"}, "desiredState": "Run"}})
    body = task.wait_for_state("Failed")
    assert body["status"]["checkpoint"] == saved
    words = condition(body, "Failed")["message"]
    assert "under the schema 'items/1'" in words
    assert "under the schema 'items/2'" in words
    assert condition(body, "Failed")["reason"] == "NeverRetry"

    lab.touch("hurry")
    task.patch({"spec": {"checkpoint": {"schema": "items/1"}}})
    body = task.wait_for_state("Complete")
    assert lab.items() == list(range(500))
