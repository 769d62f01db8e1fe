"""A file that somebody else writes: only whole versions of it are ever seen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from longtask.worker.sidecar.content import LARGEST_FILE, TooLarge
from longtask.worker.sidecar.watched import SETTLED_AFTER, WatchedFile
from longtask.worker.vault import Draft
from tests.unit.worker.fakes import Clock

if TYPE_CHECKING:
    from pathlib import Path


class Seen:
    """A watched file with a clock that a test moves."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "position"
        self.clock = Clock()
        self.watched = WatchedFile(self.path, clock=self.clock)
        self._inode = 0

    def look(self, *, after: float = 0.0) -> bytes | None:
        self.clock.now += after
        found = self.watched.look()
        assert not isinstance(found, Draft)
        return found

    def write(self, content: bytes) -> None:
        """Write into the file itself. Its time moves as it does between two writes that lie apart."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.truncate()
            file.write(content)
        self._inode += 1
        os.utime(self.path, ns=(self._inode, self._inode))

    def replace(self, content: bytes) -> None:
        """Write another and rename it."""
        other = self.path.with_name("other")
        other.write_bytes(content)
        other.rename(self.path)


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return Seen(tmp_path)


def test_a_file_that_is_not_there_is_no_version(seen: Seen) -> None:
    assert seen.look() is None
    assert seen.watched.last() is None


def test_a_version_is_whole_when_nothing_has_changed_for_a_while_and_is_returned_once(seen: Seen) -> None:
    seen.write(b"one")
    assert seen.look() is None
    assert seen.look(after=SETTLED_AFTER / 2) is None
    assert seen.look(after=SETTLED_AFTER / 2) == b"one"
    assert seen.look(after=SETTLED_AFTER) is None


def test_a_file_that_is_being_written_is_waited_for(seen: Seen) -> None:
    seen.write(b"ha")
    assert seen.look() is None
    seen.write(b"half")
    assert seen.look(after=SETTLED_AFTER) is None
    assert seen.look() is None
    assert seen.look(after=SETTLED_AFTER) == b"half"


def test_what_was_written_between_the_two_looks_without_a_trace_is_returned_in_full(seen: Seen) -> None:
    """Within one tick of the file system's clock, and of the same size."""
    seen.write(b"half")
    assert seen.look() is None
    time = seen.path.stat().st_mtime_ns
    seen.path.write_bytes(b"done")
    os.utime(seen.path, ns=(time, time))
    assert seen.look(after=SETTLED_AFTER) == b"done"


def test_a_version_that_was_replaced_is_whole_at_once(seen: Seen) -> None:
    """So a program that replaces its file a hundred times a second is saved, too."""
    seen.replace(b"one")
    assert seen.look() is None
    seen.replace(b"two")
    assert seen.look() == b"one"
    assert seen.look() is None
    seen.replace(b"three")
    assert seen.look() == b"two"


def test_a_version_that_was_changed_and_then_replaced_is_none(seen: Seen) -> None:
    seen.write(b"ha")
    assert seen.look() is None
    seen.write(b"half")
    seen.replace(b"next")
    assert seen.look() is None
    assert seen.look() is None
    assert seen.look(after=SETTLED_AFTER) == b"next"


def test_a_version_that_is_gone_was_whole(seen: Seen) -> None:
    seen.replace(b"one")
    assert seen.look() is None
    seen.path.unlink()
    assert seen.look() == b"one"
    assert seen.look() is None


def test_the_last_version_needs_no_waiting(seen: Seen) -> None:
    seen.write(b"one")
    assert seen.look() is None
    seen.write(b"two")
    assert seen.watched.last() == b"two"
    assert seen.watched.last() is None


def test_the_last_version_is_nothing_new_when_it_was_returned_already(seen: Seen) -> None:
    seen.write(b"one")
    seen.look()
    assert seen.look(after=SETTLED_AFTER) == b"one"
    assert seen.watched.last() is None


def test_a_version_that_is_far_too_large_is_told_once_and_not_read(seen: Seen) -> None:
    with seen.path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(TooLarge, match=f"it has {LARGEST_FILE + 1} bytes"):
        seen.look()
    assert seen.look() is None
    seen.write(b"small again")
    assert seen.look() is None
    assert seen.look(after=SETTLED_AFTER) == b"small again"


def test_a_file_that_cannot_be_read_is_an_error_at_every_look(seen: Seen) -> None:
    seen.path.mkdir()
    for _ in range(2):
        with pytest.raises(IsADirectoryError):
            seen.look()


def test_no_file_is_left_open(seen: Seen) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        seen.replace(b"%d" % number)
        seen.look()
    seen.watched.forget()
    assert len(os.listdir("/proc/self/fd")) == before
