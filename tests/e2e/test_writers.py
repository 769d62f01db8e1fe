"""One writer (G3): whose token may write into a task at all, and when.

On a copy of the resource, its rules and its policies that no operator watches, so that a test alone decides what the
task, its attempt and its pods are. What the right pod must not write is the matter of test_attacks.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.attacks import ON_CHECKPOINT, a_claim, a_save
from tests.e2e.support.client import ApiError, wait_for
from tests.e2e.support.rules import claim, pod_name, save

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.support.attacks import Attack
    from tests.e2e.support.client import Api, Body
    from tests.e2e.support.rules import Bench

NOT_OF_THIS_ATTEMPT = "is not of the current attempt of this task"


def refused(bench: Bench, who: Api, task: Body, words: str, **parts: object) -> None:
    """Try to write parts of the status: the server must say why not, and the task must be as it was."""
    before = bench.api.get("LongTask", task["metadata"]["name"], task["metadata"]["namespace"])
    with pytest.raises(ApiError, match=words):
        bench.write(who, task, **parts)
    assert bench.api.get("LongTask", task["metadata"]["name"], task["metadata"]["namespace"]) == before


def words_for(bench: Bench, who: Api, task: Body, pod: Body) -> str:
    """What the server says to a claim."""
    with pytest.raises(ApiError) as caught:
        bench.write(who, task, checkpoint=claim(task, pod))
    return caught.value.message


def claimed(bench: Bench, name: str = "import") -> tuple[Body, Body, Api]:
    """A task at work: as it is after its worker's first save, the pod, and the worker's client."""
    task = bench.task(name)
    pod = bench.pod_of(task)
    worker = bench.worker(pod)
    task = bench.write(worker, task, checkpoint=claim(task, pod))
    return bench.write(worker, task, checkpoint=save(task), progress={"done": 1}), pod, worker


def test_a_pod_of_the_current_attempt_claims_saves_and_reports(bench: Bench) -> None:
    """The counterpart of every refusal below."""
    task, pod, worker = claimed(bench)

    task = bench.write(worker, task, progress={"done": 2, "total": 9, "percent": 22})

    assert task["status"]["checkpoint"]["holder"] == pod["metadata"]["uid"]
    assert task["status"]["checkpoint"]["data"] == "saved"
    assert task["status"]["progress"]["done"] == 2


@pytest.mark.parametrize("suffix", ["abcde", "0-abcde", "12345-00000"])
def test_pods_are_known_by_the_names_that_their_job_gives_them(bench: Bench, suffix: str) -> None:
    task = bench.task()
    pod = bench.pod_of(task, suffix)

    task = bench.write(bench.worker(pod), task, checkpoint=claim(task, pod))

    assert task["status"]["checkpoint"]["epoch"] == 1


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("abcde", id="any name"),
        pytest.param("{task}-abcde", id="the name of the task alone"),
        pytest.param("{task}-{uid}-1-abcd", id="suffix too short"),
        pytest.param("{task}-{uid}-1-abcdef", id="suffix too long"),
        pytest.param("{task}-{uid}-1-abc.d", id="dot in the suffix"),
        pytest.param("{task}-{uid}-1-x-abcde", id="index of letters"),
        pytest.param("{task}-{uid}-1-0-0-abcde", id="two indices"),
        pytest.param("{task}-{uid}-1-123456-abcde", id="index too long"),
        pytest.param("x{task}-{uid}-1-abcde", id="name of a task that ends like ours"),
        pytest.param("{task}-{uid}-1-ffffffff-1-abcde", id="name of a task that begins with all of ours"),
        pytest.param("{task}-{uid}-11-abcde", id="attempt that begins with ours"),
        pytest.param("{task}-{uid}-2-abcde", id="next attempt"),
        pytest.param("{task}-{uid}-0-abcde", id="attempt 0"),
        pytest.param("{task}-ffffffff-1-abcde", id="another task of the name"),
        pytest.param("{task}-{full}-1-abcde", id="the UID in full"),
    ],
)
def test_a_pod_of_any_other_name_can_write_nothing(bench: Bench, name: str) -> None:
    task = bench.task()
    uid = task["metadata"]["uid"]
    pod = bench.pod(name.format(task="import", uid=uid[:8], full=uid))

    refused(bench, bench.worker(pod), task, NOT_OF_THIS_ATTEMPT, checkpoint=claim(task, pod))


def test_a_token_that_is_bound_to_no_pod_can_write_nothing(bench: Bench) -> None:
    task, pod, _ = claimed(bench)
    account = bench.account("anybody")

    for part in ({"checkpoint": save(task)}, {"checkpoint": a_claim(task)}, {"progress": {"done": 9}}):
        refused(bench, account, task, "must use the token of a pod", **part)
    unbound = bench.api.with_token(bench.api.token(pod["spec"]["serviceAccountName"], bench.namespace))
    refused(bench, unbound, task, "this token is bound to none", checkpoint=save(task))


def test_a_pod_of_another_namespace_can_write_nothing_even_with_the_right_name_and_rights(
    bench: Bench, new_namespace: Callable[[], str]
) -> None:
    """Somebody who has a namespace of their own makes a pod there that is named like one of ours."""
    task = bench.task()
    elsewhere = type(bench)(rules=bench.rules, namespace=new_namespace())
    pod = elsewhere.pod(pod_name(task), account="visitor")
    visitor = elsewhere.worker(pod)

    refused(bench, visitor, task, "cannot patch resource", checkpoint=claim(task, pod))
    bench.bind("visitor", "longtask-worker", namespace=elsewhere.namespace)
    wait_for(lambda: "cannot patch" not in words_for(bench, visitor, task, pod), what="the role to be in force")
    refused(bench, visitor, task, "is of another namespace", checkpoint=claim(task, pod))


def test_a_worker_of_an_earlier_attempt_can_write_nothing(bench: Bench) -> None:
    """The operator records the next attempt before it deletes the old Job: from that write on the old pod is out."""
    task, pod, worker = claimed(bench)

    task = bench.set_status(attempt=2)

    refused(bench, worker, task, NOT_OF_THIS_ATTEMPT, checkpoint=save(task))
    refused(bench, worker, task, NOT_OF_THIS_ATTEMPT, checkpoint=claim(task, pod))
    refused(bench, worker, task, NOT_OF_THIS_ATTEMPT, progress={"done": 9})


def test_a_worker_of_a_task_that_was_deleted_and_made_anew_can_write_nothing(bench: Bench) -> None:
    """Same name, same attempt; the UID in the pod's name tells them apart, and the test of the UID in the patch."""
    old, pod, worker = claimed(bench)
    bench.api.delete("LongTask", "import", bench.namespace)
    task = bench.task()

    refused(bench, worker, task, NOT_OF_THIS_ATTEMPT, checkpoint=claim(task, pod))
    refused(bench, worker, task, NOT_OF_THIS_ATTEMPT, progress={"done": 9})
    with pytest.raises(ApiError) as caught:
        bench.write(worker, old, checkpoint=save(old))
    assert caught.value.status == 422
    assert bench.read()["status"] == task["status"]


def test_a_worker_whose_place_was_taken_can_write_nothing(bench: Bench) -> None:
    """Two pods of one attempt: a node was lost, and the Job has made another pod."""
    task, _, first = claimed(bench)
    pod = bench.pod_of(task, "fghij")
    second = bench.worker(pod)

    refused(bench, second, task, r"must hold the checkpoint to write", progress={"done": 9})
    refused(
        bench, second, task, r"a save must keep epoch, holder", checkpoint=a_save(task, holder=pod["metadata"]["uid"])
    )
    taken = bench.write(second, task, checkpoint=claim(task, pod))

    refused(bench, first, taken, "a claim must raise epoch by exactly 1", checkpoint=a_save(task))
    refused(bench, first, taken, "must hold the checkpoint to write", checkpoint=a_save(taken))
    refused(bench, first, taken, "must hold the checkpoint to write", progress={"done": 0})
    assert taken["status"]["checkpoint"]["data"] == task["status"]["checkpoint"]["data"]


def test_whoever_may_create_pods_may_play_a_worker_and_loses_no_save_by_it(bench: Bench) -> None:
    """The limit of what is promised: nothing in a token tells a Job's pod from one that is made by hand with its name.

    The right to create pods in a namespace includes that to exec into the worker's, so nothing is given away.
    """
    task, _, first = claimed(bench)
    pod = bench.pod(pod_name(task, "00000"), account="somebody")

    taken = bench.write(bench.worker(pod), task, checkpoint=claim(task, pod))

    assert taken["status"]["checkpoint"] == task["status"]["checkpoint"] | {
        "epoch": 2,
        "holder": pod["metadata"]["uid"],
        "cause": "Claim",
        "time": taken["status"]["checkpoint"]["time"],
    }
    refused(bench, first, taken, "must hold the checkpoint to write", checkpoint=a_save(taken))


def test_a_claim_must_wait_while_the_task_is_to_stand_still(bench: Bench) -> None:
    """A save must not: it is how a worker that was asked to stop ends."""
    task, pod, worker = claimed(bench)

    for desired in ("Suspend", "Terminate"):
        task = bench.desire(desired)
        refused(bench, worker, task, r"a claim must wait until spec\.desiredState is Run", checkpoint=claim(task, pod))
        task = bench.write(worker, task, checkpoint=save(task, desired, cause="Stop"))
        assert task["status"]["checkpoint"]["data"] == desired


def test_the_first_claim_must_wait_while_the_task_is_to_stand_still(bench: Bench) -> None:
    task = bench.task(desiredState="Suspend")
    pod = bench.pod_of(task)

    refused(bench, bench.worker(pod), task, "a claim must wait until", checkpoint=claim(task, pod))


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": 2},
        {"epoch": 0},
        {"sequence": 1},
        {"data": "x"},
        {"cause": "Done"},
        {"cause": "Interval"},
        {"attempt": 2},
    ],
    ids=str,
)
def test_a_first_claim_begins_at_the_beginning(bench: Bench, changes: Body) -> None:
    task = bench.task()
    pod = bench.pod_of(task)

    words = "the first checkpoint must be a claim|greater than or equal to 1|for the current attempt"
    refused(bench, bench.worker(pod), task, words, checkpoint=claim(task, pod, **changes))


@pytest.mark.parametrize("state", ["Complete", "Terminated"])
def test_nothing_can_be_written_into_a_task_that_has_ended(bench: Bench, state: str) -> None:
    task, pod, worker = claimed(bench)
    if state == "Terminated":
        bench.desire("Terminate")
        bench.set_status(state=state, checkpoint={"data": ""})
    task = bench.set_status(state=state)

    words = f"{state}, which is final|must keep no saved data|a claim must wait"
    refused(bench, worker, task, words, checkpoint=a_save(task))
    refused(bench, worker, task, words, checkpoint=a_save(task, data=""))
    refused(bench, worker, task, words, checkpoint=claim(task, pod))
    refused(bench, worker, task, f"{state}, which is final", progress={"done": 9})


@pytest.mark.parametrize("attack", ON_CHECKPOINT, ids=str)
def test_the_rules_of_the_checkpoint_hold_for_administrators_too(bench: Bench, attack: Attack) -> None:
    """But for who holds it: an administrator is no worker, so no policy speaks of its pod."""
    claimed(bench)
    before = bench.read()
    where = ("LongTask", "import", bench.namespace)

    if "must be its UID" in attack.words:
        made = bench.api.patch(*where, attack.patch(before), how=attack.how, subresource="status")
        assert made["status"]["checkpoint"]["data"] == before["status"]["checkpoint"]["data"]
        return
    with pytest.raises(ApiError, match=attack.words):
        bench.api.patch(*where, attack.patch(before), how=attack.how, subresource="status")

    assert bench.read() == before
