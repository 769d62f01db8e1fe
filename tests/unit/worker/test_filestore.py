"""Checkpoints in a local file: nothing lost, nothing mixed up, no damage taken for a fresh start."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtask.worker import filestore
from longtask.worker.errors import AlreadyDone, DamagedError, FencedError, RefusedError, UsageError
from longtask.worker.filestore import FileStore, parse, render
from longtask.worker.store import Cause, Claim, Wanted
from tests.unit.worker.fakes import a_checkpoint, a_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

RECORD = {"format": "longtask checkpoint 1", "task": "Count", "checkpoint": a_checkpoint()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file, in a folder that is yet to be made."""
    return tmp_path / "deep" / "Count.checkpoint.json"


@pytest.fixture
def open_store(path: Path) -> Iterator[Callable[..., FileStore]]:
    """Make stores on the file; they are closed at the end."""
    made: list[FileStore] = []

    def make(task: str = "Count", *, restart: bool = False) -> FileStore:
        made.append(FileStore(path, task, restart=restart))
        return made[-1]

    yield make
    for store in made:
        store.close()


def test_a_new_file_begins_at_nothing(open_store: Callable[..., FileStore], path: Path) -> None:
    assert open_store().claim() == Claim(1, 0, "")
    assert parse(path.read_bytes())["task"] == "Count"


def test_the_next_run_has_what_the_last_one_saved_and_a_greater_epoch(open_store: Callable[..., FileStore]) -> None:
    first = open_store()
    first.claim()
    assert first.save(a_snapshot(Cause.INTERVAL, "row 17"), 1, 1.0) is Wanted.SUSPEND
    assert first.save(a_snapshot(Cause.STOP, "row 18", done=18), 2, 1.0) is Wanted.SUSPEND
    first.close()
    assert open_store().claim() == Claim(2, 2, "row 18")


def test_a_claim_alone_loses_nothing(open_store: Callable[..., FileStore]) -> None:
    for epoch in (1, 2, 3):
        store = open_store()
        assert store.claim().epoch == epoch
        store.close()


def test_work_that_is_done_is_not_done_again(open_store: Callable[..., FileStore]) -> None:
    store = open_store()
    store.claim()
    store.save(a_snapshot(Cause.DONE), 1, 1.0)
    store.close()
    with pytest.raises(AlreadyDone, match="--restart begins anew"):
        open_store().claim()


def test_restart_begins_anew_and_keeps_the_old_file(open_store: Callable[..., FileStore], path: Path) -> None:
    store = open_store()
    store.claim()
    store.save(a_snapshot(Cause.DONE, "all"), 1, 1.0)
    store.close()
    assert open_store(restart=True).claim() == Claim(1, 0, "")
    assert parse(path.with_name(f"{path.name}.old").read_bytes())["checkpoint"]["data"] == "all"


def test_restart_needs_no_old_file(open_store: Callable[..., FileStore]) -> None:
    assert open_store(restart=True).claim() == Claim(1, 0, "")


def test_the_file_of_another_task_is_not_taken(open_store: Callable[..., FileStore]) -> None:
    store = open_store("Other")
    store.claim()
    store.close()
    with pytest.raises(UsageError, match="belongs to the task 'Other', and this is 'Count'"):
        open_store().claim()


def test_two_processes_can_not_work_with_one_file(open_store: Callable[..., FileStore]) -> None:
    open_store().claim()
    with pytest.raises(UsageError, match=rf"another process \(pid {os.getpid()}\) is working with"):
        open_store().claim()


def test_restart_does_not_touch_a_file_that_another_process_works_with(
    open_store: Callable[..., FileStore], path: Path
) -> None:
    open_store().claim()
    before = path.read_bytes()
    with pytest.raises(UsageError):
        open_store(restart=True).claim()
    assert path.read_bytes() == before


def test_the_lock_is_given_up_with_the_store(open_store: Callable[..., FileStore]) -> None:
    first = open_store()
    first.claim()
    first.close()
    open_store().claim()
    with pytest.raises(FencedError):
        first.save(a_snapshot(), 1, 1.0)


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"\xff", b"{", b"[" * 100_000, b'{"format": "v2"}'])
def test_a_damaged_file_is_an_error_and_stays_as_it_is(
    open_store: Callable[..., FileStore], path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"is damaged .* begin anew with --restart"):
        open_store().claim()
    assert path.read_bytes() == content


def test_what_was_written_is_read() -> None:
    assert parse(render(RECORD)) == RECORD


@given(position=st.integers(min_value=0), flipped=st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(position: int, flipped: int) -> None:
    raw = bytearray(render(RECORD))
    raw[position % len(raw)] ^= flipped
    with contextlib.suppress(DamagedError):
        assert parse(bytes(raw)) == RECORD  # white space between two fields may change


@given(length=st.integers(min_value=0, max_value=len(render(RECORD)) - 2))
def test_a_file_that_was_cut_off_is_damaged(length: int) -> None:
    with pytest.raises(DamagedError):
        parse(render(RECORD)[:length])


@pytest.mark.parametrize(
    "wrong", [{}, a_checkpoint(epoch="1"), a_checkpoint(epoch=True), a_checkpoint(data=None), None]
)
def test_a_checksum_does_not_make_a_wrong_record_right(wrong: object) -> None:
    with pytest.raises(DamagedError, match="a field is missing"):
        parse(render({**RECORD, "checkpoint": wrong}))


@pytest.mark.parametrize("failing", ["fsync", "replace", "write"])
def test_a_full_disk_leaves_the_old_file_whole(
    open_store: Callable[..., FileStore], path: Path, mocker: MockerFixture, failing: str
) -> None:
    store = open_store()
    store.claim()
    store.save(a_snapshot(data="row 17"), 1, 1.0)
    before = path.read_bytes()
    full = OSError(errno.ENOSPC, "No space left on device")
    place = {"fsync": (os, "fsync"), "replace": (type(path), "replace"), "write": (filestore, "render")}[failing]
    mocker.patch.object(*place, side_effect=full)
    with pytest.raises(RefusedError, match=r"can't be written: .*No space left"):
        store.save(a_snapshot(data="row 18"), 2, 1.0)
    mocker.stopall()
    assert path.read_bytes() == before
    assert not path.with_name(f"{path.name}.new").exists()


def test_a_save_counts_when_file_and_folder_are_on_the_disk(
    open_store: Callable[..., FileStore], path: Path, mocker: MockerFixture
) -> None:
    """The file before it takes its name, and the folder afterwards: else a power failure brings the old one back."""
    store = open_store()
    store.claim()
    written: list[str] = []

    def note(descriptor: int) -> None:
        places = {each.name: each.stat() for each in (path.parent, *path.parent.iterdir())}
        written.extend(name for name, stat in places.items() if os.path.samestat(stat, os.fstat(descriptor)))

    mocker.patch.object(os, "fsync", side_effect=note)
    store.save(a_snapshot(data="row 17"), 1, 1.0)

    assert written == [f"{path.name}.new", path.parent.name]


def test_a_disk_that_has_room_again_takes_the_next_save(
    open_store: Callable[..., FileStore], path: Path, mocker: MockerFixture
) -> None:
    store = open_store()
    store.claim()
    mocker.patch.object(os, "fsync", side_effect=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(RefusedError):
        store.save(a_snapshot(data="row 18"), 1, 1.0)
    mocker.stopall()
    store.save(a_snapshot(data="row 18"), 2, 1.0)
    assert parse(path.read_bytes())["checkpoint"]["data"] == "row 18"


@pytest.mark.parametrize("place", ["open", "mkdir"])
def test_a_place_where_nothing_can_be_written_is_named(
    open_store: Callable[..., FileStore], path: Path, mocker: MockerFixture, place: str
) -> None:
    denied = PermissionError(errno.EACCES, "Permission denied")
    mocker.patch.object(*{"open": (os, "open"), "mkdir": (type(path), "mkdir")}[place], side_effect=denied)
    with pytest.raises(
        UsageError, match=r"can't be locked: .*Permission denied.*--checkpoint FILE names another place"
    ):
        open_store().claim()


def test_a_file_system_without_locks_is_not_taken_for_another_process(
    open_store: Callable[..., FileStore], mocker: MockerFixture
) -> None:
    mocker.patch.object(fcntl, "flock", side_effect=OSError(errno.ENOLCK, "No locks available"))
    with pytest.raises(UsageError, match=r"can't be locked: .*No locks available"):
        open_store().claim()


def test_a_file_that_can_not_be_read_is_no_fresh_start(
    open_store: Callable[..., FileStore], path: Path, mocker: MockerFixture
) -> None:
    mocker.patch.object(type(path), "read_bytes", side_effect=PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(RefusedError, match="can't be read"):
        open_store().claim()


def test_the_file_can_be_read_by_people(open_store: Callable[..., FileStore], path: Path) -> None:
    store = open_store()
    store.claim()
    store.save(a_snapshot(Cause.INTERVAL, "row 17", done=17), 1, 1.0)
    record = json.loads(path.read_text())
    assert record["progress"] == {"done": 17}
    assert record["checkpoint"]["data"] == "row 17"
