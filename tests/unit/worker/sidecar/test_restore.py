"""What may go wrong when a saved file is put into its place, and what of it may pass."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from longtask.worker.errors import NeverRetry
from longtask.worker.sidecar import restore as module
from longtask.worker.sidecar.content import Position, pack
from longtask.worker.sidecar.restore import restore
from longtask.worker.signals import Stop
from longtask.worker.store import Claim
from tests.unit.worker.fakes import Lines, Script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

SAVED = pack(Position(done=4, told=False, content=b"at 40"))


@pytest.fixture
def stop() -> Iterator[Stop]:
    """One that nobody asks to stop."""
    made = Stop()
    yield made
    made.close()


def restored(path: Path, stop: Stop) -> str:
    return restore(path, "", Script(claims=[Claim(3, 7, SAVED)]), stop, Lines())


def test_the_file_is_written_through_and_says_from_where_it_is(tmp_path: Path, stop: Stop) -> None:
    path = tmp_path / "a" / "b" / "position"
    assert restored(path, stop) == f"claimed with epoch 3: {path} is as in checkpoint 7 (5 bytes)"
    assert path.read_bytes() == b"at 40"
    assert list(path.parent.iterdir()) == [path]
    assert {folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)} == {0o777}


def test_what_the_program_left_behind_gives_way_to_what_was_saved(tmp_path: Path, stop: Stop) -> None:
    """It was never acknowledged, and may be half a file."""
    path = tmp_path / "position"
    path.write_text("at 4")
    restored(path, stop)
    assert path.read_bytes() == b"at 40"


def test_a_full_disk_may_pass_and_leaves_the_old_file_whole(tmp_path: Path, stop: Stop, mocker: MockerFixture) -> None:
    path = tmp_path / "position"
    path.write_text("at 39")
    mocker.patch("os.fsync", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(OSError, match="No space left"):
        restored(path, stop)
    assert path.read_text() == "at 39"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_place_that_may_not_be_written_to_never_passes(
    tmp_path: Path, stop: Stop, mocker: MockerFixture, number: int
) -> None:
    mocker.patch.object(module, "replace_file", side_effect=OSError(number, os.strerror(number)))
    with pytest.raises(NeverRetry, match=rf"can't be written by user {os.getuid()}: {os.strerror(number)}.*runAsUser"):
        restored(tmp_path / "position", stop)
