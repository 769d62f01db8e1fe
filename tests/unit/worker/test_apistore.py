"""Checkpoints at the API server: what is sent, and what every answer means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from longtask.clock import ServerClock
from longtask.worker.api import Answer, Door
from longtask.worker.apistore import PERMISSION_PATIENCE, ApiStore
from longtask.worker.errors import (
    AlreadyDone,
    AwayError,
    FencedError,
    LongTaskError,
    RefusedError,
    TaskFinalError,
    TaskGoneError,
)
from longtask.worker.store import Cause, Claim, Wanted
from tests.unit.worker.fakes import a_checkpoint, a_snapshot, a_task, found, refused, who
from tests.unit.worker.standin import NAME, PATH, UID

if TYPE_CHECKING:
    from unittest.mock import Mock

    from pytest_mock import MockerFixture


@pytest.fixture
def door(mocker: MockerFixture) -> Mock:
    """A door whose patches are carried out on the task that a GET shows."""
    door: Mock = mocker.create_autospec(Door, instance=True)
    door.clock = ServerClock()
    door.get.side_effect = lambda *_: found(door.task)
    door.patch.side_effect = lambda _path, operations, _seconds: carried_out(door, operations)
    door.task = a_task()
    return door


def carried_out(door: Mock, operations: list[dict[str, Any]]) -> Answer:
    """Set what a patch sets."""
    for operation in operations[1:]:
        door.task["status"][operation["path"].rpartition("/")[2]] = dict(operation["value"])
    return found(door.task)


def sent(door: Mock, number: int = -1) -> Any:  # noqa: ANN401
    """Return the checkpoint of a patch."""
    return door.patch.call_args_list[number].args[1][1]["value"]


def claimed(door: Mock, **changes: Any) -> ApiStore:  # noqa: ANN401
    """Return a store that has claimed, as pod 1 with epoch 2, a task with something saved."""
    door.task = a_task(a_checkpoint(holder="pod-0", **changes))
    store = ApiStore(door, who())
    store.claim()
    door.patch.reset_mock()
    return store


def verdict(store: ApiStore) -> LongTaskError:
    """Save, and return the error."""
    with pytest.raises(LongTaskError) as caught:
        store.save(a_snapshot(), 5, 1.0)
    return caught.value


# --- Claiming ---


def test_the_first_claim_has_epoch_1_and_nothing_saved(door: Mock) -> None:
    assert ApiStore(door, who()).claim() == Claim(1, 0, "")
    assert sent(door) | {"time": ""} == {
        "epoch": 1, "holder": "pod-1", "attempt": 1, "sequence": 0, "cause": "Claim", "time": "", "data": "",
    }  # fmt: skip


def test_a_claim_raises_the_epoch_by_one_and_keeps_what_is_saved(door: Mock) -> None:
    door.task = a_task(a_checkpoint(epoch=7, holder="pod-0", sequence=41, data="row 17"))
    assert ApiStore(door, who()).claim() == Claim(8, 41, "row 17")
    assert sent(door)["holder"] == "pod-1"


def test_every_write_tests_the_uid_before_anything_else(door: Mock) -> None:
    claimed(door).save(a_snapshot(done=3), 5, 1.0)
    path, operations, seconds = door.patch.call_args.args
    assert (path, seconds) == (f"{PATH}/status", 1.0)
    assert operations[0] == {"op": "test", "path": "/metadata/uid", "value": UID}
    assert [operation["path"] for operation in operations[1:]] == ["/status/checkpoint", "/status/progress"]


def test_a_claim_sends_no_progress(door: Mock) -> None:
    ApiStore(door, who()).claim()
    assert [operation["path"] for operation in door.patch.call_args.args[1]] == ["/metadata/uid", "/status/checkpoint"]


def test_a_claim_whose_answer_was_lost_is_recognised(door: Mock) -> None:
    store = ApiStore(door, who())

    def lost(_path: str, operations: list[dict[str, Any]], _seconds: float) -> Answer:
        carried_out(door, operations)
        raise AwayError("reset by peer")

    door.patch.side_effect = lost
    with pytest.raises(AwayError):
        store.claim()
    assert store.claim() == Claim(1, 0, "")
    assert door.patch.call_count == 1


def test_a_claim_that_did_not_arrive_is_sent_again_as_it_was(door: Mock) -> None:
    store = ApiStore(door, who())
    carry_out = door.patch.side_effect
    door.patch.side_effect = AwayError("reset by peer")
    with pytest.raises(AwayError):
        store.claim()
    door.patch.side_effect = carry_out
    store.claim()
    assert sent(door, 0) == sent(door, 1)


def test_a_claim_that_another_pod_has_overtaken_is_made_anew_on_top_of_it(door: Mock) -> None:
    store = ApiStore(door, who())
    carry_out = door.patch.side_effect
    door.patch.side_effect = lambda *_: refused(422, "a claim must raise epoch by exactly 1")
    with pytest.raises(AwayError, match="the claim is refused: a claim must raise epoch") as caught:
        store.claim()
    assert caught.value.patience == PERMISSION_PATIENCE
    door.task = a_task(a_checkpoint(epoch=1, holder="pod-9", sequence=3, data="theirs"))
    door.patch.side_effect = carry_out
    assert store.claim() == Claim(2, 3, "theirs")


def test_an_answer_with_another_checkpoint_is_no_claim(door: Mock) -> None:
    door.patch.side_effect = lambda *_: found(a_task(a_checkpoint(holder="pod-9")))
    with pytest.raises(AwayError, match="another checkpoint"):
        ApiStore(door, who()).claim()


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (a_task(desired="Suspend"), "the task is to suspend"),
        (a_task(desired="Terminate"), "the task is to terminate"),
        (a_task(state="Complete"), "the task is Complete"),
        (a_task(state="Terminated"), "the task is Terminated"),
        (a_task(attempt=2), "this pod is of attempt 1, and the task is at 2"),
        (a_task() | {"metadata": {"uid": UID, "deletionTimestamp": "t"}}, "the task is being deleted"),
    ],
)
def test_where_no_claim_is_allowed_none_is_sent(door: Mock, task: dict[str, Any], words: str) -> None:
    door.task = task
    with pytest.raises(AwayError, match=words) as caught:
        ApiStore(door, who()).claim()
    assert caught.value.patience == PERMISSION_PATIENCE
    door.patch.assert_not_called()


def test_a_desired_state_of_the_future_is_left_to_the_server(door: Mock) -> None:
    door.task = a_task(desired="Hibernate")
    assert ApiStore(door, who()).claim().epoch == 1


def test_work_that_this_attempt_has_done_is_not_claimed(door: Mock) -> None:
    door.task = a_task(a_checkpoint(cause="Done", holder="pod-0"))
    with pytest.raises(AlreadyDone):
        ApiStore(door, who()).claim()
    door.patch.assert_not_called()


def test_what_an_earlier_attempt_has_done_is_claimed_by_the_next(door: Mock) -> None:
    door.task = a_task(a_checkpoint(cause="Done", holder="pod-0"), attempt=2)
    assert ApiStore(door, who(attempt=2)).claim() == Claim(2, 4, "d")


@pytest.mark.parametrize("answer", [refused(404, name=NAME), found(a_task(uid="another"))])
def test_a_task_that_is_gone_is_not_claimed(door: Mock, answer: Answer) -> None:
    door.get.side_effect = lambda *_: answer
    with pytest.raises(TaskGoneError):
        ApiStore(door, who()).claim()
    door.patch.assert_not_called()


@pytest.mark.parametrize("answer", [refused(404, "404 page not found"), refused(403), refused(404, name="another")])
def test_a_task_that_can_not_be_read_may_still_be_there(door: Mock, answer: Answer) -> None:
    door.get.side_effect = lambda *_: answer
    with pytest.raises(AwayError, match="can't be read") as caught:
        ApiStore(door, who()).claim()
    assert caught.value.patience == PERMISSION_PATIENCE


# --- Saving ---


def test_a_save_keeps_epoch_holder_and_attempt(door: Mock) -> None:
    claimed(door).save(a_snapshot(Cause.STOP, "row 18"), 5, 1.0)
    assert sent(door) == {
        "epoch": 2, "holder": "pod-1", "attempt": 1, "sequence": 5, "cause": "Stop",
        "time": "2026-01-01T00:00:00.000000Z", "data": "row 18",
    }  # fmt: skip


@pytest.mark.parametrize("desired", ["Run", "Suspend", "Terminate"])
def test_the_answer_to_a_save_tells_what_is_wanted(door: Mock, desired: str) -> None:
    store = claimed(door)
    door.task["spec"]["desiredState"] = desired
    assert store.save(a_snapshot(), 5, 1.0) == desired


def test_a_task_that_is_being_deleted_is_wanted_to_be_deleted(door: Mock) -> None:
    store = claimed(door)
    door.task["metadata"]["deletionTimestamp"] = "t"
    assert store.save(a_snapshot(), 5, 1.0) is Wanted.DELETE


def test_a_save_that_an_earlier_try_has_done_is_acknowledged(door: Mock) -> None:
    store = claimed(door)
    store.save(a_snapshot(), 5, 1.0)
    door.patch.side_effect = lambda *_: refused(403, "the policy isn't there yet")
    door.task["spec"]["desiredState"] = "Suspend"
    assert store.save(a_snapshot(), 5, 1.0) is Wanted.SUSPEND


@pytest.mark.parametrize("status", [403, 404, 422])
@pytest.mark.parametrize(
    "task",
    [
        a_task(a_checkpoint(epoch=3, holder="pod-9")),
        a_task(a_checkpoint(epoch=2, holder="pod-9")),
        a_task(a_checkpoint(epoch=2, holder="pod-1"), attempt=2),
        a_task(),
    ],
    ids=["later epoch", "another holder", "another attempt", "no checkpoint"],
)
def test_a_worker_whose_task_is_anothers_is_fenced(door: Mock, status: int, task: dict[str, Any]) -> None:
    store = claimed(door)
    door.task = task
    door.patch.side_effect = lambda *_: refused(status)
    assert isinstance(verdict(store), FencedError)


def test_fenced_says_who_holds_the_task(door: Mock) -> None:
    store = claimed(door)
    door.task = a_task(a_checkpoint(epoch=3, holder="pod-9"))
    door.patch.side_effect = lambda *_: refused(422)
    assert str(verdict(store)) == "pod pod-9 holds the task with epoch 3; this one is 2"


def test_a_refused_save_on_a_deleted_task_is_gone(door: Mock) -> None:
    store = claimed(door)
    door.patch.side_effect = lambda *_: refused(404, name=NAME)
    door.get.side_effect = lambda *_: refused(404, name=NAME)
    assert isinstance(verdict(store), TaskGoneError)


def test_a_refused_save_on_a_task_made_again_is_gone(door: Mock) -> None:
    store = claimed(door)
    door.patch.side_effect = lambda *_: refused(422, "testing value failed")
    door.task = a_task(a_checkpoint(), uid="another")
    assert isinstance(verdict(store), TaskGoneError)


@pytest.mark.parametrize("state", ["Complete", "Terminated"])
def test_a_final_task_takes_no_save(door: Mock, state: str) -> None:
    store = claimed(door)
    door.task["status"]["state"] = state
    door.patch.side_effect = lambda *_: refused(403)
    error = verdict(store)
    assert isinstance(error, TaskFinalError)
    assert error.state == state


@pytest.mark.parametrize("status", [403, 404])
def test_a_permission_that_is_missing_is_borne_for_a_while(door: Mock, status: int) -> None:
    store = claimed(door)
    door.patch.side_effect = lambda *_: refused(status, "no such role")
    error = verdict(store)
    assert isinstance(error, AwayError)
    assert error.patience == PERMISSION_PATIENCE
    assert "no such role" in str(error)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_save_that_is_wrong_in_itself_is_refused_with_the_servers_words(door: Mock, status: int) -> None:
    store = claimed(door)
    door.patch.side_effect = lambda *_: refused(status, "data: Too long")
    error = verdict(store)
    assert isinstance(error, RefusedError)
    assert str(error) == f"the save is refused ({status}): data: Too long"


def test_an_answer_with_another_checkpoint_is_no_acknowledgement(door: Mock) -> None:
    store = claimed(door)
    door.patch.side_effect = lambda *_: found(door.task)
    assert isinstance(verdict(store), AwayError)


def test_a_look_that_fails_leaves_the_outcome_unknown(door: Mock) -> None:
    store = claimed(door)
    door.patch.side_effect = lambda *_: refused(403)
    door.get.side_effect = AwayError("reset by peer")
    assert isinstance(verdict(store), AwayError)


def test_closing_the_store_closes_its_connection(door: Mock) -> None:
    ApiStore(door, who()).close()
    door.close.assert_called_once_with()
