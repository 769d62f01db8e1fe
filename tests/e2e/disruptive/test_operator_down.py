"""The operator is away, or dies in the middle of something (G7): tasks go on, and what changed is caught up.

No service of ours is in the way of a save, retries are the Job controller's, and the operator keeps nothing in its
memory that it can't read again: it may be killed between any two of its writes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.outage import kill_operator, wait_for_operator, without_operator
from tests.e2e.support.tasks import Handle, done_of, items

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.support.tasks import Lab

pytestmark = pytest.mark.disruptive

LONG = 100_000  # items: a task that is at work for as long as a test lasts
CAUGHT_UP = 60.0


def start(lab: Lab, *names: str) -> list[Handle]:
    """Start tasks that are at work for as long as a test lasts, each with a folder of its own."""
    bodies = [items(name, count=LONG, pace=0.2, save_every=0, backoff_limit=1, DATA=f"/data/{name}") for name in names]
    return [lab.start(body) for body in bodies]


def test_tasks_run_save_retry_and_finish_while_the_operator_is_down(lab: Lab) -> None:
    running, killed = start(lab, "running", "killed")
    finishing = lab.start(items("finishing", count=20, HOLD=10, save_every=0, DATA="/data/finishing"))
    for task in (running, killed, finishing):
        task.wait_for_saved(3)

    with without_operator(lab.api):
        killed.kill()
        died_at = done_of(killed.read())
        lab.touch("finishing/go")
        finishing.wait("all work done", lambda body: body["status"]["checkpoint"]["cause"] == "Done")
        running.wait_for_saved(done_of(running.read()) + 5)
        killed.wait("a new worker", lambda body: body["status"]["checkpoint"]["epoch"] == 2, seconds=CAUGHT_UP)
        killed.wait_for_saved(died_at + 5)
        assert finishing.status["state"] == "Running"  # nobody was there to say otherwise

    finishing.wait_for_state("Complete", seconds=CAUGHT_UP)
    told = killed.wait("its failure counted", lambda body: body["status"]["failures"] == 1, seconds=CAUGHT_UP)
    assert lab.items("finishing") == list(range(20))
    assert told["status"]["state"] == "Running"
    assert [running.status["state"], running.status["failures"]] == ["Running", 0]
    assert running.checkpoint["epoch"] == 1


def test_what_is_asked_for_while_the_operator_is_down_is_done_when_it_is_back(lab: Lab) -> None:
    names = ("suspended", "resumed", "terminated", "unchanged", "deleted")
    suspended, resumed, terminated, unchanged, deleted = tasks = start(lab, *names)
    for task in tasks:
        task.wait_for_saved(3)
    resumed.want("Suspend")
    left_off = done_of(resumed.wait_for_state("Suspended"))

    with without_operator(lab.api):
        suspended.want("Suspend")
        resumed.want("Run")
        terminated.want("Terminate")
        unchanged.want("Suspend")
        unchanged.want("Run")
        deleted.delete()
        deleted.wait_until_bare()
        created = lab.start(items("created", count=5, DATA="/data/created"))
        suspended.wait_for_saved(done_of(suspended.read()) + 5)
        states = [task.status["state"] for task in (suspended, resumed, terminated, created)]
        assert states == ["Running", "Suspended", "Running", "Init"]

    done = done_of(suspended.wait_for_state("Suspended", seconds=CAUGHT_UP))
    terminated.wait_for_state("Terminated", seconds=CAUGHT_UP)
    created.wait_for_state("Complete", seconds=CAUGHT_UP)
    resumed.wait_for_state("Running", seconds=CAUGHT_UP)
    unchanged.wait("its generation seen", lambda body: body["status"]["observedGeneration"] == 3)
    assert suspended.condition("Suspended")["reason"] == "Saved"
    assert lab.items("suspended") == list(range(done))
    assert terminated.jobs() + terminated.pods() == []
    resumed.wait_for_saved(left_off + 5)
    assert lab.items("resumed")[: left_off + 5] == list(range(left_off + 5))
    assert [unchanged.status["state"], unchanged.checkpoint["epoch"]] == ["Running", 1]


def asked_to_suspend(task: Handle) -> bool:
    """Whether its Job has been told to suspend."""
    return bool(task.jobs()[0]["spec"].get("suspend"))


MOMENTS: list[tuple[str, str, Callable[[Handle], object]]] = [
    ("Suspend", "Suspended", lambda _: True),
    ("Run", "Running", lambda _: True),
    ("Suspend", "Suspended", asked_to_suspend),
    ("Run", "Running", lambda task: task.status["state"] == "Init"),
    ("Suspend", "Suspended", lambda task: not task.active_pods()),
    ("Run", "Running", lambda task: not asked_to_suspend(task)),
]
"""What is asked for, what it leads to, and when on the way there the operator dies."""


def test_an_operator_that_is_killed_at_any_moment_goes_on_from_what_is_there(lab: Lab) -> None:
    [task] = start(lab, "task")
    task.wait_for_saved(3)
    for desired, state, moment in MOMENTS:
        done = done_of(task.read())
        task.want(desired)
        wait_for(partial(moment, task), every=0.02, what=f"the moment to die on the way to {state}")
        kill_operator(lab.api)
        task.wait_for_state(state, seconds=CAUGHT_UP)
        if state == "Running":
            task.wait_for_saved(done + 3)
    wait_for_operator(lab.api)
    lab.touch("task/hurry")
    task.want("Terminate")
    kill_operator(lab.api)
    task.wait_for_state("Terminated", seconds=CAUGHT_UP)

    written = lab.items("task")
    assert written == list(range(len(written)))
    assert [task.status["attempt"], task.status["failures"], task.checkpoint["epoch"]] == [1, 0, 4]
    assert task.jobs() + task.pods() == []
