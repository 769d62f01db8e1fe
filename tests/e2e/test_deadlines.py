"""Workers that are stopped because their time is over, or their user wants them to begin again: gently, as for a
suspension, so that the next attempt does nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.e2e.support.tasks import condition, items

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Lab

RETRY = 90.0  # seconds, with a pause of ten in them


def with_spec(body: Body, **spec: Any) -> Body:  # noqa: ANN401
    """The manifest with further fields of the spec."""
    return {**body, "spec": {**body["spec"], **spec}}


def setups(lab: Lab) -> list[int]:
    """The items at which its workers began, one after the other."""
    return [int(line.split()[2]) for line in lab.lines("log") if line.startswith("setup")]


# --- activeDeadlineSeconds ---


def test_a_task_fails_when_it_was_running_for_as_long_as_it_may_and_nothing_is_lost(lab: Lab) -> None:
    task = lab.start(with_spec(items(count=500), activeDeadlineSeconds=6))
    task.wait_for_saved(3)
    task.want("Suspend")
    stopped = task.wait_for_state("Suspended")
    task.want("Run")
    body = task.wait_for_state("Failed")

    assert stopped["status"]["activeSeconds"] < 6
    assert condition(body, "Failed")["reason"] == "DeadlineExceeded"
    assert "activeDeadlineSeconds (6 s)" in condition(body, "Failed")["message"]
    assert 6 <= body["status"]["activeSeconds"] <= 16
    assert body["status"]["attempt"] == 1
    assert body["status"]["checkpoint"]["cause"] == "Stop"
    assert lab.lines("log")[-1] == "cleanup interrupted epoch 2"
    task.wait_until_bare()

    lab.touch("hurry")
    task.patch({"spec": {"activeDeadlineSeconds": 600}})
    task.wait_for_state("Complete")
    assert lab.items() == list(range(500))


# --- progressDeadlineSeconds ---


def test_a_worker_that_stands_still_is_stopped_and_the_next_one_goes_on(lab: Lab) -> None:
    task = lab.start(with_spec(items(HOLD=5, save_every=0.05, grace=40), progressDeadlineSeconds=4))
    pod = lab.pod_asked_to_stop(task)
    said = task.wait("the reason", lambda body: condition(body, "Ready")["reason"] == "ProgressDeadlineExceeded")
    assert pod["metadata"]["labels"]["longtask.dev/attempt"] == "1"
    assert condition(said, "Ready")["status"] == "False"
    assert "no progress for progressDeadlineSeconds (4 s)" in condition(said, "Ready")["message"]

    lab.touch("go")
    task.wait_for_state("Complete", seconds=RETRY)

    assert lab.items() == list(range(40))
    assert setups(lab) == [0, 6]
    assert task.status["attempt"] == 2
    assert task.status["failures"] == 1


def test_a_worker_that_gets_on_is_not_stopped_however_slow_it_is(lab: Lab) -> None:
    task = lab.start(with_spec(items(count=20, pace=0.5, save_every=0.1), progressDeadlineSeconds=4))
    task.wait_for_state("Complete")
    assert task.status["attempt"] == 1
    assert lab.items() == list(range(20))


# --- restartNonce ---


def test_a_worker_at_work_begins_again_where_it_stopped(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)

    task.patch({"spec": {"restartNonce": 1}})
    task.wait("the next attempt", lambda body: body["status"]["attempt"] == 2)
    lab.touch("hurry")
    body = task.wait_for_state("Complete")

    assert lab.items() == list(range(500))
    assert body["status"]["restartNonce"] == 1
    assert body["status"]["attempt"] == 2


def test_a_task_is_started_over_and_keeps_what_was_saved_until_the_new_attempt_saves(lab: Lab) -> None:
    task = lab.start(items(count=60, HOLD=30, save_every=0.05))
    lab.wait_for_line("log", "holding at 30")
    task.want("Suspend")
    lab.pod_asked_to_stop(task)
    lab.touch("go")
    saved = task.wait_for_state("Suspended")["status"]["checkpoint"]

    task.patch({"spec": {"restartNonce": 1, "restartFrom": "Beginning"}})
    assert task.wait_for_state("Suspended")["status"]["checkpoint"] == saved
    task.want("Run")
    body = task.wait_for_state("Complete")

    assert setups(lab) == [0, 0]
    assert lab.items() == [*range(31), *range(60)]
    assert body["status"]["startOverSequence"] == saved["sequence"]
    assert body["status"]["progress"]["done"] == 60


def test_an_attempt_that_started_over_and_crashed_goes_on_from_its_own_saves(lab: Lab) -> None:
    task = lab.start(items(count=40, CRASH=20, save_every=0.001, backoff_limit=0))
    task.wait_for_state("Failed")

    task.patch({"spec": {"restartNonce": 7, "restartFrom": "Beginning", "backoffLimit": 1}})
    task.wait("the crash", lambda body: body["status"]["attempt"] == 3)
    lab.touch("mended")
    task.wait_for_state("Complete", seconds=RETRY)

    assert setups(lab) == [0, 0, 20]
    assert lab.items() == [*range(20), *range(40)]


def test_a_task_that_is_complete_stays_so(lab: Lab) -> None:
    task = lab.start(items(count=3))
    task.wait_for_state("Complete")
    task.patch({"spec": {"restartNonce": 1, "restartFrom": "Beginning"}})
    body = task.wait_for_state("Complete")
    assert body["status"]["attempt"] == 1
    assert lab.items() == [0, 1, 2]
