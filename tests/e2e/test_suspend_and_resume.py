"""The main job: a task is suspended and resumed, exactly where it was, and what can happen on the way.

Shows G2 and G6, and with that traps 1 (a Job says `Suspended` while its pods live on), 2 (resuming early overlaps old
and new pods), 4 (a worker that finishes in its grace period is counted by nobody), 7 (the end of a suspended pod must
not fail its Job), 8 (what a suspended pod ends with must use no retry) and 12 (the end of a Job is told late).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import condition, done_of, items
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import false_suspensions, pods_of, side_by_side, states, suspensions

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab

NOWHERE: Body = {"nodeSelector": {"longtask.dev/no-such-node": "true"}}


def start_and_hold(lab: Lab, body: Body) -> Handle:
    """Start a task and wait until it is in the middle of the batch that takes until `go`."""
    task = lab.start(body)
    lab.wait_for_line("log", "holding")
    task.wait_for_state("Running")
    return task


def test_a_resumed_task_goes_on_exactly_where_it_was_suspended(lab: Lab) -> None:
    task = lab.start(items(count=60))
    task.wait_for_saved(10)
    first = task.running_pod()

    task.want("Suspend")
    task.wait_for_state("Suspended")
    suspended = task.checkpoint
    done = lab.items()
    assert task.active_pods() == []
    assert suspended["cause"] == "Stop"
    assert task.condition("Suspended")["reason"] == "Saved"

    task.want("Run")
    task.wait_for_state("Complete", seconds=60)

    assert done == list(range(len(done)))
    assert lab.items() == list(range(60))
    assert lab.lines("log")[2].startswith(f"setup at {len(done)} epoch 2")
    assert task.checkpoint["holder"] != first["metadata"]["uid"]
    assert task.status["attempt"] == 1
    assert task.status["failures"] == 0


def test_twenty_suspends_and_resumes_use_no_retry(lab: Lab) -> None:
    """With one retry allowed: the second one that was counted would end the task."""
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=2000, pace=0.02, save_every=0.1, backoff_limit=1))
        done = 0
        for _ in range(20):
            task.wait_for_saved(done + 1)
            done = done_of(suspend(task))
            task.want("Run")
        lab.touch("hurry")
        task.wait_for_state("Complete", seconds=60)

    log = observer.log()
    assert suspensions(log) == 20
    assert false_suspensions(log) == []
    assert side_by_side(log) == []
    assert lab.items() == list(range(2000))
    assert [task.status["attempt"], task.status["failures"]] == [1, 0]
    assert task.jobs()[0]["status"].get("failed", 0) == 0
    assert task.checkpoint["epoch"] == 21


def suspend(task: Handle) -> Body:
    """Suspend and return the object that says so, with everything saved."""
    task.want("Suspend")
    body = task.wait_for_state("Suspended")
    assert condition(body, "Suspended")["reason"] == "Saved"
    return body


def test_a_resumed_task_is_init_until_its_worker_is_at_work(lab: Lab) -> None:
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=40))
        task.wait_for_saved(3)
        suspend(task)
        task.want("Run")
        task.wait_for_state("Complete")

    assert states(observer.log(), task.uid) == ["Init", "Running", "Suspended", "Init", "Running", "Complete"]


def test_a_task_that_is_created_suspended_starts_when_it_is_resumed(lab: Lab) -> None:
    task = lab.start(items(count=5, desired="Suspend"))
    task.wait_for_state("Suspended")
    assert task.jobs() == []
    assert task.condition("Suspended")["reason"] == "NotStarted"

    task.want("Run")
    task.wait_for_state("Complete")

    assert lab.items() == list(range(5))
    assert [pod["status"]["phase"] for pod in task.pods()] == ["Succeeded"]


def test_a_task_is_suspended_before_its_pod_has_a_node(lab: Lab) -> None:
    task = lab.start(items(pod=NOWHERE))
    wait_for(task.active_pods, what="a pod that waits for a node")

    task.want("Suspend")
    task.wait_for_state("Suspended")

    assert task.pods() == []
    assert task.condition("Suspended")["reason"] == "NotStarted"
    assert task.condition("Stalled").get("status", "False") == "False"
    assert "checkpoint" not in task.status


def test_a_suspended_task_starts_nothing_when_its_pod_could_run(lab: Lab) -> None:
    """Suspended and resumed at once, before the pod's first container has run: one worker, from the start."""
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=10))
        wait_for(task.jobs, what="its Job")
        task.want("Suspend")
        task.wait_for_state("Suspended")
        task.want("Run")
        task.wait_for_state("Complete")

    assert false_suspensions(observer.log()) == []
    assert lab.items() == list(range(10))


def test_a_batch_is_finished_before_the_task_is_suspended(lab: Lab) -> None:
    with Observer(lab.api, lab.namespace) as observer:
        task = start_and_hold(lab, items(count=20, HOLD=3, grace=120))
        task.want("Suspend")
        lab.pod_asked_to_stop(task)
        wait_for(lambda: job_says_suspended(task), what="the Job to say that it is suspended")
        assert task.status["state"] == "Running"  # the Job says so, and a worker is still at work

        lab.touch("go")
        task.wait_for_state("Suspended")

    assert false_suspensions(observer.log()) == []
    assert lab.items() == [0, 1, 2, 3]
    assert task.checkpoint["cause"] == "Stop"
    assert lab.lines("log")[-1] == "cleanup suspended epoch 1"
    task.want("Run")
    task.wait_for_state("Complete")
    assert lab.items() == list(range(20))


def job_says_suspended(task: Handle) -> bool:
    """Whether the Job controller has said that it has suspended the Job."""
    conditions = task.jobs()[0]["status"].get("conditions", [])
    return any(found["type"] == "Suspended" and found["status"] == "True" for found in conditions)


def asking(limit: int = 3600) -> Body:
    """A task whose worker is asked before it is stopped, with a batch that no grace period would be long enough for."""
    body = items(count=40, HOLD=3, grace=1)
    body["spec"]["suspend"] = {"waitForBatch": True, "limitSeconds": limit}
    return body


def is_asked(body: Body) -> bool:
    """Whether it says that its worker was asked, and is at its batch."""
    return bool(condition(body, "Ready")["reason"] == "WaitingForBatch")


def test_a_worker_that_is_asked_finishes_a_batch_longer_than_its_grace_period(lab: Lab) -> None:
    task = start_and_hold(lab, asking())

    task.want("Suspend")
    assert task.wait("a word of the question", is_asked)["status"]["state"] == "Running"
    lab.touch("go")
    task.wait_for_state("Suspended")

    assert task.condition("Suspended")["reason"] == "Saved"
    assert lab.items() == list(range(done_of(task.read())))
    task.want("Run")
    task.wait_for_state("Complete")
    assert lab.items() == list(range(40))
    assert lab.lines("log").count("cleanup suspended epoch 1") == 1


def test_going_back_to_run_before_the_batch_has_ended_costs_nothing(lab: Lab) -> None:
    task = start_and_hold(lab, asking())
    pod = task.running_pod()["metadata"]["uid"]

    task.want("Suspend")
    task.wait("a word of the question", is_asked)
    task.want("Run")
    task.wait("being as desired", lambda body: condition(body, "Ready")["status"] == "True")
    lab.touch("go")
    body = task.wait_for_state("Complete")

    assert (body["status"]["checkpoint"]["epoch"], body["status"]["checkpoint"]["holder"]) == (1, pod)
    assert lab.items() == list(range(40))


def test_a_worker_that_does_not_answer_is_stopped_after_the_limit(lab: Lab) -> None:
    task = start_and_hold(lab, asking(limit=3))

    task.want("Suspend")
    body = task.wait_for_state("Suspended")

    assert condition(body, "Suspended")["reason"] == "Killed"


def test_a_task_that_is_resumed_while_it_stops_never_has_two_workers(lab: Lab) -> None:
    with Observer(lab.api, lab.namespace) as observer:
        task = start_and_hold(lab, items(count=20, HOLD=3, grace=120))
        task.want("Suspend")
        old = lab.pod_asked_to_stop(task)
        task.want("Run")
        wait_for(lambda: job_says_suspended(task), what="the Job to say that it is suspended")
        lab.touch("go")
        new = task.running_pod(but_not=old["metadata"]["uid"])
        task.wait_for_state("Complete")

    log = observer.log()
    assert side_by_side(log) == []
    assert [pod["metadata"]["uid"] for pod in pods_of(log, task.uid)] == [
        old["metadata"]["uid"],
        new["metadata"]["uid"],
    ]
    assert lab.items() == list(range(20))
    assert task.status["failures"] == 0


def test_a_grace_period_that_is_too_short_shows_as_killed(lab: Lab) -> None:
    task = start_and_hold(lab, items(count=8, HOLD=3, grace=1))

    task.want("Suspend")
    body = task.wait_for_state("Suspended")

    suspended = condition(body, "Suspended")
    assert suspended["reason"] == "Killed"
    assert "grace period was too short" in suspended["message"]
    assert task.active_pods() == []
    [warned] = wait_for(lambda: task.warnings("TaskSuspended"), what="a warning event")
    assert warned == suspended["message"]
    lab.touch("go")
    task.want("Run")
    task.wait_for_state("Complete")
    assert sorted(set(lab.items())) == list(range(8))
    assert task.status["failures"] == 0


def test_a_worker_that_finishes_in_its_last_moments_completes_the_task(lab: Lab) -> None:
    """Its Job was suspended, so nobody counts the pod's success: the checkpoint tells."""
    task = start_and_hold(lab, items(count=4, HOLD=3, grace=120))
    task.want("Suspend")
    lab.pod_asked_to_stop(task)

    lab.touch("go")
    task.wait_for_state("Complete")

    assert lab.items() == [0, 1, 2, 3]
    assert task.checkpoint["cause"] == "Done"
    assert task.jobs()[0]["status"].get("succeeded", 0) == 0
    assert task.condition("Complete")["reason"] == "Done"
    assert lab.lines("log")[-1] == "cleanup done epoch 1"


def test_a_suspended_task_gives_its_place_to_another(lab: Lab) -> None:
    """With room for one worker beside the pod that reads: the second task runs only when the first one is gone."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "room"}, "spec": {"hard": {"pods": "2"}}}
    lab.api.create(quota, lab.namespace)
    wait_for(
        lambda: lab.api.get("ResourceQuota", "room", lab.namespace)["status"].get("used", {}).get("pods") == "1",
        what="the quota to have counted",
    )
    first = lab.start(items("first", count=500, DATA="/data/first"))
    first.wait_for_saved(1)

    suspend(first)
    wait_for(lambda: not first.pods(), what="its pod to be gone, and not only to have ended")
    lab.start(items("second", count=3, DATA="/data/second")).wait_for_state("Complete", seconds=60)

    assert lab.items("second") == [0, 1, 2]
    assert first.wait_for_state("Suspended")["status"]["checkpoint"]["cause"] == "Stop"
