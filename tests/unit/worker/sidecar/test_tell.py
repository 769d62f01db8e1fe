"""A program's progress, told in a file by a line such as `120 5000 copying`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtask.worker.sidecar.tell import LONGEST, Told, parse, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("120 5000 copying the third disk", Told(120, 5000, "copying the third disk")),
        ("120 5000", Told(120, 5000, "")),
        ("120", Told(120, None, "")),
        ("120 -", Told(120, None, "")),
        ("120 - looking for more", Told(120, None, "looking for more")),
        ("120 looking for more", Told(120, None, "looking for more")),
        ("  7\t9   a  b ", Told(7, 9, "a  b")),
        ("0 0", Told(0, 0, "")),
    ],
)
def test_a_line_tells_done_total_and_a_message(line: str, told: Told) -> None:
    assert parse(line) == told


@pytest.mark.parametrize("line", ["", "  ", "copying", "-1 5", "1.5 9", "٣ 9", "99999999999999999 1", "0x10"])
def test_a_line_without_a_count_tells_nothing(line: str) -> None:
    assert parse(line) is None


@given(st.text())
def test_no_line_breaks_anything(line: str) -> None:
    told = parse(line)
    assert told is None or (0 <= told.done <= 2**53 - 1)


def test_the_last_line_counts_so_that_a_program_may_append(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    path.write_text("1 9\n" * LONGEST + "2 9 nearly\n\n")
    assert read(path) == Told(2, 9, "nearly")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe"])
def test_a_file_that_says_nothing_is_no_progress(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "progress"
    assert read(path) is None
    path.write_bytes(content)
    assert read(path) is None


def test_a_folder_in_its_place_is_no_progress(tmp_path: Path) -> None:
    assert read(tmp_path) is None
