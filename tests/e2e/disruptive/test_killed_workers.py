"""A worker that dies without a word (G1): the work lost is at most what came after its last acknowledged checkpoint.

SIGKILL is what the kernel does when memory runs out: no handler is called, nothing is saved. The Job controller makes
the next pod by itself, and a death of this kind does use a retry. Trap 4 (the Job does not count pods that a suspension
ends) and trap 8 (a Job that has failed stays so, the task need not) show here as well.
Nothing of the cluster is stopped, so these tests run beside others.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import cluster, done_of, items

if TYPE_CHECKING:
    from tests.e2e.support.tasks import Lab

RETRIED = 90.0  # seconds: the Job controller waits for 10 s before the first retry, and for 20 s before the second


def test_a_worker_killed_in_the_middle_of_a_batch_loses_that_batch_and_no_other(lab: Lab) -> None:
    task = lab.start(items(count=20, HOLD=10, save_every=0, backoff_limit=1))
    lab.wait_for_line("log", "holding at 10")
    task.wait_for_saved(10)

    first = task.kill()
    lab.touch("go")
    task.wait_for_state("Complete", seconds=RETRIED)

    assert lab.items() == list(range(20))
    assert lab.lines("items")[9:11] == ["9 1", "10 2"]
    assert task.checkpoint["epoch"] == 2
    assert task.checkpoint["holder"] != first["metadata"]["uid"]


def test_a_killed_worker_goes_on_from_its_last_checkpoint_and_redoes_only_what_came_after(lab: Lab) -> None:
    task = lab.start(items(count=80, pace=0.1, HOLD=40, save_every=3600, backoff_limit=1))
    lab.wait_for_line("log", "holding at 40")
    saved = done_of(task.read())

    task.kill()
    lab.touch("go")
    task.wait_for_state("Complete", seconds=RETRIED)

    times = Counter(lab.items())
    assert 0 < saved < 40
    assert {item for item, count in times.items() if count == 2} == set(range(saved, 40))
    assert {item for item, count in times.items() if count == 1} == {*range(saved), *range(40, 80)}
    assert lab.lines("log")[2].startswith(f"setup at {saved} epoch 2 ")


def test_a_killed_worker_uses_one_retry_and_the_next_attempt_counts_from_there(lab: Lab) -> None:
    task = lab.start(items(count=20, HOLD=10, save_every=0, backoff_limit=3))
    lab.wait_for_line("log", "holding at 10")

    task.kill()
    told = task.wait("a retry that is told of", lambda body: body["status"].get("failures") == 1)
    lab.touch("go")
    task.wait_for_state("Complete", seconds=RETRIED)

    ready = next(condition for condition in told["status"]["conditions"] if condition["type"] == "Ready")
    assert ready["reason"] == "Retrying"
    assert "exited with code 137; 1 of 3 retries used" in ready["message"]
    assert task.status["attempt"] == 2
    assert task.status["failures"] == 1
    assert len(task.jobs()) == 1


def test_a_worker_killed_as_often_as_there_are_retries_fails_and_keeps_its_checkpoint(lab: Lab) -> None:
    task = lab.start(items(count=20, HOLD=10, save_every=0, backoff_limit=0))
    lab.wait_for_line("log", "holding at 10")
    saved = task.wait_for_saved(10)["status"]["checkpoint"]

    task.kill()
    task.wait_for_state("Failed", seconds=RETRIED)
    failed = task.checkpoint
    task.want("Suspend")
    task.wait_for_state("Suspended")
    task.want("Run")
    lab.touch("go")
    task.wait_for_state("Complete")

    assert failed == saved
    assert lab.items() == list(range(20))


def test_a_worker_killed_while_it_is_being_suspended_goes_on_from_its_last_checkpoint(lab: Lab) -> None:
    task = lab.start(items(count=20, HOLD=10, save_every=0, grace=60))
    lab.wait_for_line("log", "holding at 10")
    task.wait_for_saved(10)
    worker = task.running_pod()

    task.want("Suspend")
    wait_for(lambda: task.active_pods()[0]["metadata"].get("deletionTimestamp"), what="SIGTERM", state=task.story)
    cluster().kill_container(worker["metadata"]["uid"], "worker")
    task.wait_for_state("Suspended")
    ended = task.condition("Suspended")
    task.want("Run")
    lab.touch("go")
    task.wait_for_state("Complete")

    assert ended["reason"] == "Killed"
    assert lab.items() == list(range(20))
    assert task.status["failures"] == 0
