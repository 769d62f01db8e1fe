"""What tools and people read of a task while it lives: conditions, history, columns, last words.

Tools know no LongTask: kstatus (Helm, Flux, Argo CD, kubectl's own `wait`) reads generation, `Ready` and `Stalled`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import condition, items
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import changes, pods_of, versions

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Lab


def kstatus(body: Body) -> str:
    """What kstatus makes of any object: InProgress, Failed or Current."""
    if body["status"]["observedGeneration"] != body["metadata"]["generation"]:
        return "InProgress"
    if condition(body, "Stalled").get("status") == "True":
        return "Failed"
    return "Current" if condition(body, "Ready").get("status") == "True" else "InProgress"


def test_a_batch_that_outlasts_the_grace_period_is_warned_of_until_that_is_raised(lab: Lab) -> None:
    task = lab.start(items(count=10, pace=6, grace=3, save_every=0))

    body = task.wait("a warning", lambda body: condition(body, "BatchesTooLong").get("status") == "True")
    assert "a stop leaves 3 s" in condition(body, "BatchesTooLong")["message"]
    assert condition(body, "Ready")["status"] == "True"

    task.patch({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 60}}}})
    task.wait("no warning", lambda body: condition(body, "BatchesTooLong")["status"] == "False")
    lab.touch("hurry")
    assert task.wait_for_state("Complete")["status"]["attempt"] == 1


def test_kstatus_calls_a_task_current_only_when_it_is_as_desired(lab: Lab) -> None:
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=20, HOLD=3, grace=120))
        lab.wait_for_line("log", "holding")
        task.wait_for_state("Running")
        task.want("Suspend")
        lab.pod_asked_to_stop(task)
        assert kstatus(task.read()) == "InProgress"
        lab.touch("go")
        task.wait_for_state("Suspended")
        task.want("Run")
        task.wait_for_state("Complete")

    seen = versions(observer.log(), task.uid)
    wanted_and_found = [(kstatus(body), body["spec"]["desiredState"], body["status"]["state"]) for body in seen]
    assert {found[1:] for found in wanted_and_found if found[0] == "Current"} == {
        ("Run", "Running"),
        ("Suspend", "Suspended"),
        ("Run", "Complete"),
    }
    assert changes(found[0] for found in wanted_and_found) == [
        "InProgress",  # starting
        "Current",  # at work
        "InProgress",  # to be suspended
        "Current",  # suspended
        "InProgress",  # resuming
        "Current",  # at work, and complete
    ]


def test_kstatus_calls_a_task_failed_when_its_retries_are_used_up(lab: Lab) -> None:
    task = lab.start(items(count=5, CRASH=2, backoff_limit=0))

    assert kstatus(task.wait_for_state("Failed")) == "Failed"


def test_every_condition_says_of_which_generation_it_speaks(lab: Lab) -> None:
    """A tool that waits for a condition must not take one of an earlier wish for an answer to the present one."""
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=500))
        task.wait_for_saved(3)
        for desired, state in (("Suspend", "Suspended"), ("Run", "Running"), ("Terminate", "Terminated")):
            task.want(desired)
            task.wait_for_state(state)

    for body in versions(observer.log(), task.uid):
        spoken_of = {found["observedGeneration"] for found in body["status"].get("conditions", [])}
        assert spoken_of <= {body["status"]["observedGeneration"]}


def test_kubectl_wait_returns_when_nothing_of_the_task_is_at_work(lab: Lab) -> None:
    """Not while a batch is in hand; and also the second time, when the condition is there already, and false."""
    task = lab.start(items(count=5000, HOLD=3, grace=120))
    lab.wait_for_line("log", "holding")
    for first in (True, False):
        with ThreadPoolExecutor() as pool:
            task.want("Suspend")
            waiting = pool.submit(lab.kubectl, "wait", "--for=condition=Suspended", "lt/items", "--timeout=60s")
            if first:
                lab.pod_asked_to_stop(task)
                assert not waiting.done()
                lab.touch("go")
            assert "condition met" in waiting.result()
        assert task.active_pods() == []
        task.want("Run")
        task.wait_for_state("Running")


@pytest.mark.parametrize(
    ("desired", "selected"), [("Run", "status.state=Running"), ("Suspend", "status.state=Suspended")]
)
def test_get_shows_where_a_task_stands(lab: Lab, desired: str, selected: str) -> None:
    task = lab.start(items(count=50, pace=0.2))
    task.wait_for_saved(3)
    task.want(desired)
    state = selected.partition("=")[2]
    body = task.wait_for_state(state)

    output = lab.kubectl("get", "lt", f"--field-selector={selected}", "--output=wide")

    header, row = (dict(enumerate(line.split())) for line in output.splitlines())
    columns = {name: row[number] for number, name in header.items() if number < 5}
    assert columns["NAME"] == "items"
    assert columns["DESIRED"] == desired
    assert columns["STATE"] == state
    assert int(columns["DONE"]) >= body["status"]["progress"]["done"]
    assert int(columns["PROGRESS%"]) == int(columns["DONE"]) * 2


def test_history_tells_every_change_of_state_with_its_reason(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)
    task.want("Suspend")
    task.wait_for_state("Suspended")
    lab.touch("hurry")
    task.want("Run")
    task.wait_for_state("Complete")

    assert task.history() == [
        ("Running", "Running"),
        ("Suspended", "Saved"),
        ("Running", "Running"),
        ("Complete", "Done"),
    ]
    sequences = [entry.get("sequence", 0) for entry in task.status["history"]]
    assert sequences == sorted(sequences)
    assert [entry["attempt"] for entry in task.status["history"]] == [1, 1, 1, 1]


def test_history_keeps_the_last_ten_changes(lab: Lab) -> None:
    task = lab.start(items(count=5000))
    for _ in range(5):
        task.wait_for_state("Running")
        task.want("Suspend")
        task.wait_for_state("Suspended")
        task.want("Run")
    task.wait_for_state("Running")

    assert [state for state, _ in task.history()] == ["Suspended", "Running"] * 5


def test_the_worker_leaves_with_words_that_say_where_it_stopped(lab: Lab) -> None:
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=500))
        task.wait_for_saved(3)
        log = lab.kubectl("logs", task.running_pod()["metadata"]["name"])
        task.want("Suspend")
        saved = task.wait_for_state("Suspended")["status"]
        wait_for(lambda: not task.pods(), what="its pod to be gone")

    [pod] = pods_of(observer.log(), task.uid)
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert "claimed with epoch 1: from the start" in log
    assert ended["exitCode"] == 75
    assert ended["message"].startswith(f"suspended: checkpoint {saved['checkpoint']['sequence']}, ")
    assert (
        f"suspended at checkpoint {saved['checkpoint']['sequence']}"
        in condition({"status": saved}, "Suspended")["message"]
    )


def test_describe_shows_a_failure_with_the_last_words_of_the_worker(lab: Lab) -> None:
    task = lab.start(items(count=5, NEVER=2))
    body = task.wait_for_state("Failed")

    described = wait_for(lambda: warned(lab, "TaskFailed"), what="the warning in kubectl describe")

    assert condition(body, "Failed")["reason"] == "NeverRetry"
    assert "the input can never be read" in condition(body, "Failed")["message"]
    assert "the input can never be read" in described
    assert "suspend the task and run it again" in described


def warned(lab: Lab, reason: str) -> str | None:
    """What kubectl describe says, once it has that event."""
    text = lab.kubectl("describe", "lt", "items")
    return text if reason in text else None
