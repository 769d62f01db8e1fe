"""What goes wrong inside a task: its work goes on from the last save (G1), and nothing else passes for done (G5).

Retries come after pauses of 10, 20, 40 seconds: no test here waits for a second one in a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import condition, items, long_task, plain, settled_in, worker

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab

EVERY_BATCH = 0.001  # seconds between two saves: what was done is saved, so a test knows where work must go on
RETRY = 60.0  # seconds, with one pause of the Job controller in them


def failing(name: str = "failing", *, count: int = 30, kind: str = "Failing", **settings: Any) -> Body:  # noqa: ANN401
    """A task that runs a class of programs/failing.py, and saves after every batch."""
    env = {key: value for key, value in settings.items() if key.isupper()}
    others = {key: value for key, value in settings.items() if not key.isupper()}
    made = worker(f"failing.py:{kind}", save_every=EVERY_BATCH, env={"ITEMS": count, "PACE": 0.05, **env})
    return long_task(name, made, **others)


def setups(lab: Lab) -> list[int]:
    """The items at which its workers began, one after the other."""
    return [int(line.split()[2]) for line in lab.lines("log") if line.startswith("setup")]


def failure(task: Handle, *, seconds: float = RETRY) -> Body:
    """Wait until the task has failed; its condition `Failed`."""
    task.wait_for_state("Failed", seconds=seconds)
    failed = task.condition("Failed")
    assert failed["status"] == "True"
    assert task.condition("Ready")["status"] == "False"
    return failed


# --- What a failure costs (G1) ---


def test_a_crash_uses_one_retry_and_the_work_goes_on_from_the_last_save(lab: Lab) -> None:
    task = lab.start(failing(ONCE=10))

    said = task.wait("the retry", lambda body: "1 of 6 retries used" in condition(body, "Ready").get("message", ""))
    task.wait_for_state("Complete", seconds=RETRY)

    assert condition(said, "Ready")["reason"] == "Retrying"
    assert "ValueError: item 10 has no name" in condition(said, "Ready")["message"]
    assert setups(lab) == [0, 10]
    assert lab.items() == list(range(30))
    assert task.status["failures"] == 1
    assert task.status["attempt"] == 2
    assert "nextTryTime" in said["status"]
    assert "nextTryTime" not in task.status


def test_a_worker_that_gets_on_may_fail_more_often_than_the_limit(lab: Lab) -> None:
    """With one retry it survives two crashes, because it has got on in between."""
    task = lab.start(failing("failing", kind="FailsTwice", backoff_limit=1))

    task.wait_for_state("Complete", seconds=2 * RETRY)

    assert setups(lab) == [0, 10, 20]
    assert lab.items() == list(range(30))
    assert task.status["failures"] == 1


def test_a_task_without_retries_left_is_failed_and_says_what_its_worker_died_of(lab: Lab) -> None:
    task = lab.start(failing(RAISE=3, backoff_limit=1))

    failed = failure(task)

    assert failed["reason"] == "BackoffLimitExceeded"
    assert "exited with code 1" in failed["message"]
    assert "ValueError: item 3 has no name" in failed["message"]
    assert "suspend the task and run it again, or change its spec" in failed["message"]
    assert task.status["failures"] == 2
    assert setups(lab) == [0, 3]
    assert "item 3 has no name" in lab.kubectl("describe", "lt", task.name)


def test_failures_of_earlier_attempts_count_until_there_is_progress(lab: Lab) -> None:
    """One of one retry is used up; then somebody deletes the Job, which gives no retry back."""
    task = lab.start(failing(RAISE=5, HOLD=5, backoff_limit=1))
    task.wait("a retry", lambda body: body["status"].get("failures") == 1)
    lab.touch("mended")
    lab.wait_for_line("log", "holding at 5 epoch 2")
    (job,) = task.jobs()

    lab.api.delete("Job", job["metadata"]["name"], lab.namespace)
    task.wait("the next attempt", lambda body: body["status"]["attempt"] == 3)
    lab.wait_for_line("log", "holding at 5 epoch 3")
    pod = task.running_pod()
    assert task.jobs()[0]["spec"]["backoffLimit"] == 0
    assert pod["metadata"]["labels"]["longtask.dev/attempt"] == "3"

    task.kill()
    failed = failure(task)

    assert failed["reason"] == "BackoffLimitExceeded"
    assert "exited with code 137" in failed["message"]
    assert task.status["failures"] == 2


def test_a_worker_that_says_never_retry_fails_the_task_at_once(lab: Lab) -> None:
    task = lab.start(items(NEVER=5, save_every=EVERY_BATCH))

    failed = failure(task)

    assert failed["reason"] == "NeverRetry"
    assert "exited with code 78" in failed["message"]
    assert "the input can never be read" in failed["message"]
    assert task.status["failures"] == 1
    assert setups(lab) == [0]


def test_workers_whose_access_somebody_has_removed_say_so_and_get_it_back_with_the_next_attempt(lab: Lab) -> None:
    """They bear it for half a minute, because a permission may be slow to take effect."""
    task = lab.start(items(count=1000, backoff_limit=0))
    task.wait_for_saved(5)

    lab.api.delete("RoleBinding", "longtask-worker", lab.namespace)
    failed = failure(task, seconds=2 * RETRY)
    assert 'cannot get resource "longtasks"' in failed["message"]

    task.want("Suspend")
    task.wait_for_state("Suspended")
    lab.touch("hurry")
    task.want("Run")
    task.wait_for_state("Complete", seconds=RETRY)
    assert sorted(set(lab.items())) == list(range(1000))


# --- Never a false success (G5) ---


def test_a_worker_that_exits_0_with_work_left_has_failed(lab: Lab) -> None:
    """Each time it uses a retry, as any failure does."""
    task = lab.start(items(EXIT_ZERO=5, save_every=EVERY_BATCH, backoff_limit=1))

    failed = failure(task)

    assert failed["reason"] == "FalseSuccess"
    assert "exited with code 0 but its work is not done" in failed["message"]
    assert task.status["failures"] == 2
    assert {entry["state"] for entry in task.status["history"]} == {"Running", "Failed"}


def test_a_program_that_exits_0_because_it_was_asked_to_stop_is_not_complete(lab: Lab) -> None:
    """As servers do, and programs in a drain: their Job is Complete with work left."""
    script = "trap 'exit 0' TERM; echo began >> /data/log; until [ -e /data/go ]; do sleep 0.1; done"
    task = lab.start(long_task("polite", plain(["sh", "-c", script])))
    pod = task.running_pod()
    lab.wait_for_line("log", "began")

    lab.api.delete("Pod", pod["metadata"]["name"], lab.namespace)
    task.running_pod(but_not=pod["metadata"]["uid"])
    states = {entry["state"] for entry in task.status["history"]}
    lab.touch("go")
    task.wait_for_state("Complete")

    assert states == {"Running"}
    assert lab.lines("log") == ["began", "began"]
    assert task.status["failures"] == 0


def test_a_complete_job_whose_pod_is_gone_is_no_proof_of_success(lab: Lab) -> None:
    """Nobody can tell any more whether that pod had been asked to stop.

    The Job is made by hand, and given to the task only when it is complete and without its pod.
    """
    task = lab.start(items(count=10, desired="Suspend"))
    task.wait_for_state("Suspended")
    name = f"{task.name}-{task.uid[:8]}-1"
    stranger = {"restartPolicy": "Never", "containers": [plain(["true"], volumeMounts=[])]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": stranger}},
    }
    made = lab.api.create(job, lab.namespace)
    wait_for(lambda: is_complete(lab.api.get("Job", name, lab.namespace)), what="the Job to be complete")
    for pod in lab.api.list_all("Pod", lab.namespace, f"labelSelector=job-name%3D{name}"):
        lab.api.delete("Pod", pod["metadata"]["name"], lab.namespace)

    lab.api.patch("Job", name, lab.namespace, {"metadata": adopted(task, made)})
    body = task.wait("the next attempt", lambda body: body["status"]["attempt"] == 2 and settled_in(body, "Suspended"))
    assert lab.api.find("Job", name, lab.namespace) is None or "Complete" not in str(body["status"]["conditions"])
    task.want("Run")
    task.wait_for_state("Complete")

    assert lab.items() == list(range(10))
    assert [entry["state"] for entry in task.status["history"]].count("Complete") == 1


# --- What others do to its Job and its pod ---


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
def test_a_job_that_somebody_deletes_is_followed_by_an_attempt_that_goes_on(lab: Lab, propagation: str) -> None:
    task = lab.start(items(count=100))
    task.wait_for_saved(5)
    (job,) = task.jobs()

    lab.api.delete("Job", job["metadata"]["name"], lab.namespace, propagation=propagation)
    task.wait_for_state("Complete", seconds=RETRY)

    first, second = setups(lab)
    assert first == 0
    assert second >= 5
    assert sorted(set(lab.items())) == list(range(100))
    assert (task.status["attempt"], task.status["failures"]) == (2, 0)
    assert task.checkpoint["attempt"] == 2


def test_a_pod_that_somebody_deletes_is_replaced_at_once_and_uses_no_retry(lab: Lab) -> None:
    """The Job controller would pause for 10 s; the operator's next attempt does not wait for that."""
    task = lab.start(items(count=60, backoff_limit=0))
    task.wait_for_saved(5)
    pod = task.running_pod()

    lab.api.delete("Pod", pod["metadata"]["name"], lab.namespace)
    task.wait_for_state("Complete")

    assert lab.items() == list(range(60))
    assert lab.lines("log")[1] == "cleanup interrupted epoch 1"
    assert (task.status["attempt"], task.status["failures"]) == (2, 0)


# --- What can't be saved ---


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("TooLarge", ["what save() returned is too large", "bytes with its envelope, and the limit is 32768"]),
        ("NotJson", ["what save() returned can't be written as JSON", "set is not JSON serializable"]),
    ],
)
def test_a_state_that_can_not_be_saved_fails_the_task_with_the_reason(lab: Lab, kind: str, words: list[str]) -> None:
    task = lab.start(failing(kind=kind))

    failed = failure(task)

    assert failed["reason"] == "NeverRetry"
    for part in words:
        assert part in failed["message"]
    assert len(setups(lab)) == 1


def is_complete(job: Body) -> bool:
    """Whether the Job controller says so."""
    return any(c["type"] == "Complete" and c["status"] == "True" for c in job["status"].get("conditions", []))


def adopted(task: Handle, job: Body) -> Body:
    """Metadata that make a Job the first attempt of a task."""
    owner = {"apiVersion": "longtask.dev/v1alpha1", "kind": "LongTask", "name": task.name, "uid": task.uid}
    labels = {"longtask.dev/task-uid": task.uid, "longtask.dev/attempt": "1"}
    return {"uid": job["metadata"]["uid"], "labels": labels, "ownerReferences": [{**owner, "controller": True}]}
