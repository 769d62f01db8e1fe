"""A hundred quick toggles, in which `Suspended` never coexists with an active pod.

Shows G2, and with that traps 1 (a Job says `Suspended` while its pods live on), 2 (resuming early overlaps old and new
pods) and 10 (a resume that the Job controller can't carry out). The judge is an observer of our own: its log of all
versions of task and pods, in the order in which they were stored, says at each write whether the state was true.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import items, settled_in
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import false_suspensions, pods_of, side_by_side, states, suspensions

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Handle, Lab
    from tests.e2e.support.watch import Seen

TOGGLES = 100
SIGKILLED = 137
LONGEST_PAUSE = 0.8  # seconds; a pod needs about as long to start, and to stop


def test_suspended_is_true_in_a_hundred_quick_toggles(lab: Lab) -> None:
    seed = random.randrange(10**6)  # noqa: S311 - no secret
    print(f"seed {seed}")  # noqa: T201 - to be shown when it fails
    count = 4000

    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=count, pace=0.01, save_every=0.1, backoff_limit=0))
        toggle(task, random.Random(seed))  # noqa: S311
        task.want("Run")
        lab.touch("hurry")
        task.wait_for_state("Complete")

    log = observer.log()
    assert false_suspensions(log) == []
    assert side_by_side(log) == []
    assert suspensions(log) >= TOGGLES // 20, "too few suspensions came about for a verdict"
    assert len(pods_of(log, task.uid)) >= TOGGLES // 10, "too few pods came about for a verdict"
    assert unexplained(redone(lab), log, task.uid) == []
    assert sorted(set(lab.items())) == list(range(count))
    assert task.status["attempt"] == 1
    assert task.status["failures"] == 0


def redone(lab: Lab) -> dict[str, list[int]]:
    """Items that were done more than once, by the pod that did them first: that pod did not save them."""
    pods = {words[4]: words[6] for words in (line.split() for line in lab.lines("log")) if words[0] == "setup"}
    first: dict[int, str] = {}
    again = defaultdict(list)
    for line in lab.lines("items"):
        item, epoch = line.split()
        if int(item) in first:
            again[first[int(item)]].append(int(item))
        first.setdefault(int(item), pods[epoch])
    return again


def unexplained(again: dict[str, list[int]], log: list[Seen], uid: str) -> list[str]:
    """How the pods ended whose work was done again, but for those that were killed before their grace period was over.

    That is nothing that a worker could do anything about: it got no time to save.
    """
    ends = {pod["metadata"]["name"]: pod for pod in pods_of(log, uid)}
    return [
        f"{name} did {items}, did not save them, and ended so: {ends[name]['metadata']} {ends[name]['status']}"
        for name, items in again.items()
        if not killed_early(ends[name])
    ]


def killed_early(pod: Body) -> bool:
    """Whether SIGKILL came sooner than it should."""
    ended = pod["status"]["containerStatuses"][0]["state"].get("terminated", {})
    if ended.get("exitCode") != SIGKILLED or not ended.get("finishedAt"):
        return False
    over = datetime.fromisoformat(pod["metadata"]["deletionTimestamp"])  # the grace period after somebody asked
    return datetime.fromisoformat(ended["finishedAt"]) < over - timedelta(seconds=2)


def toggle(task: Handle, dice: random.Random) -> None:
    """Change what is wanted, again and again: mostly in the middle of whatever goes on, sometimes when it is done."""
    wanted = {"Suspend": "Suspended", "Run": "Running"}
    for number in range(TOGGLES):
        desired = "Run" if number % 2 else "Suspend"
        task.want(desired)
        if dice.random() < 0.15:
            task.wait_for_state(wanted[desired])
        else:
            time.sleep(dice.uniform(0, LONGEST_PAUSE))  # noqa: TID251 - what is tested is any moment


def test_the_observer_sees_a_suspended_that_is_not_true(lab: Lab) -> None:
    """The judge can find somebody guilty; and the operator takes back what was written by somebody else."""
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=40))
        body = task.wait_for_state("Running")
        lie = {"status": {"state": "Suspended", "observedGeneration": body["metadata"]["generation"]}}
        lab.api.patch("LongTask", task.name, lab.namespace, lie, subresource="status")
        task.wait_for_state("Running")

    log = observer.log()
    assert false_suspensions(log) != []
    assert states(log, task.uid)[:4] == ["Init", "Running", "Suspended", "Running"]


def test_suspended_is_taken_back_when_a_pod_turns_up(lab: Lab) -> None:
    """Somebody else resumes the Job of a suspended task: its pod can do no work, and is sent away again."""
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=40))
        task.wait_for_saved(3)
        task.want("Suspend")
        saved = task.wait_for_state("Suspended")["status"]["checkpoint"]
        job = task.jobs()[0]["metadata"]["name"]

        lab.api.patch("Job", job, lab.namespace, {"spec": {"suspend": False}})
        task.wait("Suspended taken back", lambda body: not settled_in(body, "Suspended"))
        task.wait_for_state("Suspended")

    log = observer.log()
    assert states(log, task.uid)[:3] == ["Init", "Running", "Suspended"]
    assert set(states(log, task.uid)[3:-1]) <= {"Init", "Running"}
    assert states(log, task.uid)[-1] == "Suspended"
    assert len(pods_of(log, task.uid)) == 2
    assert task.checkpoint == saved
    wait_for(lambda: not task.pods(), what="no pod of it")
