"""Events: one for what a person may want to hear of, none for what goes well."""

from __future__ import annotations

import pytest

from longtask.api.names import ConditionType, Reason
from longtask.api.status import LongTaskStatus, State
from longtask.shell.announce import event, warning
from tests.unit.core.builders import NOW, UID, a_condition, a_task


def status(state: State = State.INIT, *conditions: tuple[ConditionType, str, bool]) -> LongTaskStatus:
    made = [a_condition(kind, reason, status=value, message=f"because {reason}") for kind, reason, value in conditions]
    return LongTaskStatus(state=state, conditions=tuple(made))


def stalled(reason: str, *, value: bool = True) -> LongTaskStatus:
    return status(State.INIT, (ConditionType.READY, reason, False), (ConditionType.STALLED, reason, value))


def suspended(reason: str) -> LongTaskStatus:
    return status(State.SUSPENDED, (ConditionType.READY, reason, True), (ConditionType.SUSPENDED, reason, True))


def test_a_failure_is_worth_an_event() -> None:
    failed = status(State.FAILED, (ConditionType.READY, Reason.BACKOFF_LIMIT_EXCEEDED, False))

    assert warning(status(State.RUNNING), failed) == ("TaskFailed", "because BackoffLimitExceeded")
    assert warning(failed, failed) is None, "but only once"


def test_a_failure_that_is_followed_by_another_attempt_is_worth_an_event_with_the_last_words() -> None:
    retried = status(State.INIT, (ConditionType.READY, Reason.RETRYING, False))
    after = retried.model_copy(update={"attempt": 2, "failures": 1})
    assert warning(status(State.RUNNING), after) == ("TaskRetried", "because Retrying")
    assert warning(after, after) is None
    assert warning(status(State.FAILED), after.model_copy(update={"failures": 0})) is None, "its user wants it again"


@pytest.mark.parametrize(
    ("kind", "reason", "value", "event_reason"),
    [
        (ConditionType.CHECKPOINT_DAMAGED, Reason.FELL_BACK, True, "CheckpointDamaged"),
        (ConditionType.CLEANED_UP, Reason.CLEANUP_FAILED, False, "CleanupFailed"),
    ],
)
def test_what_is_lost_is_worth_an_event_once(
    kind: ConditionType, reason: Reason, value: bool, event_reason: str
) -> None:
    found = status(State.RUNNING, (kind, reason, value))
    assert warning(status(State.RUNNING), found) == (event_reason, f"because {reason}")
    assert warning(found, found) is None


def test_a_task_that_stalls_is_worth_an_event() -> None:
    assert warning(status(), stalled(Reason.QUOTA_EXCEEDED)) == ("TaskStalled", "because QuotaExceeded")


def test_the_same_complaint_again_is_not() -> None:
    assert warning(stalled(Reason.QUOTA_EXCEEDED), stalled(Reason.QUOTA_EXCEEDED)) is None


def test_another_complaint_is() -> None:
    assert warning(stalled(Reason.QUOTA_EXCEEDED), stalled(Reason.FORBIDDEN)) is not None


def test_the_end_of_a_stall_is_not() -> None:
    assert warning(stalled(Reason.QUOTA_EXCEEDED), stalled(Reason.AS_DESIRED, value=False)) is None


@pytest.mark.parametrize("reason", [Reason.KILLED, Reason.NODE_LOST])
def test_a_suspension_that_cost_work_is_worth_an_event(reason: Reason) -> None:
    found = warning(status(State.RUNNING), suspended(reason))

    assert found == ("TaskSuspended", f"because {reason}")


@pytest.mark.parametrize("reason", [Reason.SAVED, Reason.NOT_STARTED])
def test_a_suspension_that_cost_nothing_is_not(reason: Reason) -> None:
    assert warning(status(State.RUNNING), suspended(reason)) is None


@pytest.mark.parametrize("state", [State.RUNNING, State.COMPLETE, State.TERMINATED])
def test_what_goes_well_is_not(state: State) -> None:
    assert warning(status(), status(state, (ConditionType.READY, Reason.RUNNING, True))) is None


def test_an_event_shows_under_its_task() -> None:
    made = event(a_task(), "TaskStalled", "x" * 5000, now=NOW)

    assert (
        made["involvedObject"].items()
        >= {"kind": "LongTask", "name": "import", "namespace": "team", "uid": UID}.items()
    )
    assert made["metadata"]["namespace"] == "team"
    assert len(made["message"]) == 1024, "the API server takes no more"
    assert made["type"] == "Warning"


def test_no_two_events_have_the_same_name() -> None:
    names = {event(a_task(), "TaskStalled", "", now=NOW)["metadata"]["name"] for _ in range(100)}

    assert len(names) == 100
