"""A store with a volume behind it: what stands in the status, what is gone on from, and what a failure costs."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from longtask.worker.envelope import MAX_BYTES, wrap
from longtask.worker.errors import AwayError, DataError
from longtask.worker.keeping import KeepingStore
from longtask.worker.store import Cause, Claim, Snapshot
from longtask.worker.vault import FolderVault
from tests.unit.worker.builders import COUNT, pod_environment, run_worker
from tests.unit.worker.fakes import who
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from longtask.worker.settings import ClusterSettings

SMALL = {"next": 1}
LARGE = {"next": 1, "made": "x" * (2 * MAX_BYTES)}


class Status:
    """The task's status, as a store: what is saved is there for the next claim. `refuses`: raised by saves."""

    name = "the API server"
    limit = MAX_BYTES

    def __init__(self, data: str = "") -> None:
        self.data, self.epoch, self.sequence = data, 0, 0
        self.refuses: Exception | None = None
        self.progress: Any = None

    def claim(self, accept: Any) -> Claim:  # noqa: ANN401 - as in CheckpointStore
        accept(self.data)
        self.epoch += 1
        return Claim(self.epoch, self.sequence, self.data)

    def save(self, snapshot: Snapshot, sequence: int, seconds: float) -> str:  # noqa: ARG002
        if self.refuses is not None:
            raise self.refuses
        assert len(snapshot.data.encode()) <= MAX_BYTES
        self.data, self.sequence, self.progress = snapshot.data, sequence, snapshot.progress
        return "Run"


def a_store(status: Status, folder: Path, **settings: Any) -> KeepingStore:  # noqa: ANN401
    made: ClusterSettings = who(volume=folder / "task", **settings)
    return KeepingStore(status, FolderVault(folder / "task"), made)  # type: ignore[arg-type]  # plays the API server's part


def saved(store: KeepingStore, number: int, state: Any = LARGE, schema: str = "") -> Snapshot:  # noqa: ANN401
    """Save the state of `number` batches under that number."""
    data = wrap(number, {**state, "number": number}, schema, limit=store.limit)
    snapshot = Snapshot(Cause.INTERVAL, data, {"done": number}, "t")
    store.save(snapshot, number, 1)
    return snapshot


def state_of(claim: Claim) -> Any:  # noqa: ANN401
    return json.loads(claim.data)["state"]


@pytest.mark.parametrize("state", [SMALL, LARGE], ids=["small", "large"])
def test_the_next_worker_gets_what_was_saved_last(tmp_path: Path, state: Any) -> None:  # noqa: ANN401
    status = Status()
    store = a_store(status, tmp_path)
    assert store.claim().data == ""
    for number in (1, 2):
        saved(store, number, state)
    assert ("state" in json.loads(status.data)) == (state is SMALL), "what fits stands in the status, too"
    successor = a_store(status, tmp_path)
    claim = successor.claim()
    assert (claim.epoch, claim.sequence) == (2, 2)
    assert state_of(claim) == {**state, "number": 2}
    assert successor.damage == ""


def test_so_many_versions_are_kept_as_was_asked_for_and_no_file_more(tmp_path: Path) -> None:
    status = Status()
    store = a_store(status, tmp_path, keep=2)
    store.claim()
    for number in range(1, 6):
        saved(store, number)
    kept = json.loads(status.data)["kept"]
    assert [entry["sequence"] for entry in kept] == [5, 4]
    assert sorted(path.name for path in (tmp_path / "task").iterdir()) == sorted(entry["name"] for entry in kept)


def test_the_same_content_saved_again_is_one_version(tmp_path: Path) -> None:
    """As when only a program's progress has changed: what is kept to go back to differs."""
    status = Status()
    store = a_store(status, tmp_path)
    store.claim()
    for number in (1, 2, 3):
        data = wrap(1, SMALL, limit=store.limit)
        store.save(Snapshot(Cause.INTERVAL, data, {"done": number}, "t"), number, 1)
    assert [entry["sequence"] for entry in json.loads(status.data)["kept"]] == [3]


def test_a_save_that_is_tried_again_is_the_same_and_counts_once(tmp_path: Path) -> None:
    status = Status()
    store = a_store(status, tmp_path)
    store.claim()
    saved(store, 1)
    data = wrap(2, LARGE, limit=store.limit)
    snapshot = Snapshot(Cause.INTERVAL, data, None, "t")
    status.refuses = AwayError("no answer")
    for _ in range(3):
        with pytest.raises(AwayError):
            store.save(snapshot, 2, 1)
    status.refuses = None
    store.save(snapshot, 2, 1)
    assert [entry["sequence"] for entry in json.loads(status.data)["kept"]] == [2, 1]


def test_a_worker_that_dies_between_volume_and_status_has_saved_nothing_and_harmed_nothing(tmp_path: Path) -> None:
    status = Status()
    store = a_store(status, tmp_path)
    store.claim()
    saved(store, 1)
    status.refuses = AwayError("dead")
    with pytest.raises(AwayError):
        saved(store, 2)
    status.refuses = None
    successor = a_store(status, tmp_path)
    assert state_of(successor.claim())["number"] == 1
    saved(successor, 2)
    saved(successor, 3)
    assert len(list((tmp_path / "task").iterdir())) == 3, "what the dead one has left behind is gone"


# --- damage ---


def harmed(tmp_path: Path, *sequences: int, state: Any = LARGE) -> Status:  # noqa: ANN401
    """Three versions, of which those are damaged."""
    status = Status()
    store = a_store(status, tmp_path)
    store.claim()
    for number in (1, 2, 3):
        saved(store, number, state, schema="rows/1")
    for entry in json.loads(status.data)["kept"]:
        if entry["sequence"] in sequences:
            (tmp_path / "task" / entry["name"]).write_text("nonsense")
    return status


@pytest.mark.parametrize(("sequences", "left"), [((3,), 2), ((3, 2), 1), ((2,), 3)])
def test_the_newest_version_that_is_whole_is_gone_on_from(tmp_path: Path, sequences: tuple[int], left: int) -> None:
    store = a_store(harmed(tmp_path, *sequences), tmp_path)
    assert state_of(store.claim())["number"] == left
    assert (f"went on from checkpoint {left}" in store.damage) == (left != 3)


def test_damage_is_told_of_with_every_save_and_what_is_damaged_is_not_kept(tmp_path: Path) -> None:
    status = harmed(tmp_path, 3)
    store = a_store(status, tmp_path)
    store.claim()
    saved(store, 4)
    assert "checkpoint 3 in the volume is damaged: its SHA-256" in status.progress["damage"]
    assert [entry["sequence"] for entry in json.loads(status.data)["kept"]] == [4, 2, 1]
    successor = a_store(status, tmp_path)
    successor.claim()
    assert successor.damage == ""


def test_nothing_begins_at_zero_when_all_versions_are_damaged(tmp_path: Path) -> None:
    status = harmed(tmp_path, 1, 2, 3)
    with pytest.raises(DataError, match=r"checkpoint 3 .*; checkpoint 2 .*; checkpoint 1 .*restartFrom: Beginning"):
        a_store(status, tmp_path).claim()
    assert status.epoch == 1, "nothing was claimed"


def test_what_stands_in_the_status_needs_no_volume(tmp_path: Path) -> None:
    store = a_store(harmed(tmp_path, 1, 2, 3, state=SMALL), tmp_path)
    assert state_of(store.claim())["number"] == 3


# --- going back ---


def test_an_older_version_is_gone_back_to_until_something_later_is_saved(tmp_path: Path) -> None:
    status = harmed(tmp_path)
    back = {"rewind": 1, "start_over": 3}
    store = a_store(status, tmp_path, **back)
    assert state_of(store.claim())["number"] == 1
    saved(store, 4)
    again = a_store(status, tmp_path, **back)
    assert state_of(again.claim())["number"] == 4


def test_one_that_is_not_kept_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="checkpoint 9 is not kept; kept are 3, 2, 1"):
        a_store(harmed(tmp_path), tmp_path, rewind=9, start_over=9).claim()


def test_one_that_is_damaged_is_refused_and_no_other_taken_for_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="checkpoint 2 in the volume is damaged"):
        a_store(harmed(tmp_path, 2), tmp_path, rewind=2, start_over=3).claim()


# --- the volume refuses ---


def test_a_full_volume_is_borne_and_the_save_made_when_there_is_room(tmp_path: Path, mocker: MockerFixture) -> None:
    status = Status()
    store = a_store(status, tmp_path)
    store.claim()
    saved(store, 1)
    full = mocker.patch("os.fsync", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(AwayError, match="volume can't be written to: No space left"):
        saved(store, 2)
    assert status.sequence == 1
    mocker.stop(full)
    saved(store, 2)
    assert [entry["sequence"] for entry in json.loads(status.data)["kept"]] == [2, 1]


def test_a_place_of_no_use_is_told_before_anything_is_claimed(tmp_path: Path, mocker: MockerFixture) -> None:
    status = Status()
    mocker.patch("os.access", return_value=False)
    with pytest.raises(AwayError, match="nothing can be kept"):
        a_store(status, tmp_path).claim()
    assert status.epoch == 0


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    entry = {"sequence": 1, "name": "../../etc/passwd", "size": 1, "sha256": "x", "head": {}}
    data = json.dumps({"longtask": 1, "done": 1, "kept": [entry]})
    with pytest.raises(DataError, match="no file of the volume"):
        a_store(Status(data), tmp_path).claim()


# --- as a program ---

HEAVY = COUNT.replace('return {"next": self.next}', 'return {"next": self.next, "made": "x" * 100_000}')


def test_a_worker_with_a_large_state_goes_on_where_another_stopped(tmp_path: Path) -> None:
    with StandIn() as server:
        environment = pod_environment(server, tmp_path, LONGTASK_CHECKPOINT_VOLUME=str(tmp_path / "volume" / "it"))
        with run_worker(tmp_path, environment, "count.py:Steps", "--save-every", "0", code=HEAVY) as worker:
            worker.steps(3)
            worker.await_line("checkpoint 1:")
            worker.signal()
            worker.step_if_it_lives()
            assert worker.wait() == 75
        assert "state" not in json.loads(server.checkpoint["data"])
        second = pod_environment(server, tmp_path, 2, LONGTASK_CHECKPOINT_VOLUME=str(tmp_path / "volume" / "it"))
        with run_worker(tmp_path, second, "count.py:Count", code=HEAVY) as worker:
            assert worker.wait() == 0
        (line,) = [line for line in worker.lines if line.startswith("setup")]
        assert "'next': 3" in line or "'next': 4" in line


def test_without_its_volume_a_worker_says_what_is_missing(tmp_path: Path) -> None:
    with StandIn() as server:
        environment = pod_environment(server, tmp_path, LONGTASK_CHECKPOINT_VOLUME=str(tmp_path / "volume" / "it"))
        with run_worker(tmp_path, environment, "count.py:Count", code=HEAVY) as worker:
            worker.wait()
        data = server.checkpoint["data"]
        server.set("status.checkpoint", {**server.checkpoint, "cause": "Stop", "data": data})
        with run_worker(tmp_path, pod_environment(server, tmp_path, 2), "count.py:Count", code=HEAVY) as worker:
            assert worker.wait() == 78
        assert any("give the task its volume back" in line for line in worker.lines), worker.output
