"""Wherever the work is cut, and whoever goes on with it: the index is that of an undisturbed run."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import longtask
from longtask import NeverRetry, Reason
from longtask.examples.check_index import check
from longtask.examples.code_index import FenceError
from longtask.examples.index_python import IndexPython
from longtask.examples.sources import listing_digest, python_files, read_source
from tests.unit.examples.builders import SOURCES, a_folder, a_task, close, content, run

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = len(SOURCES)
CUTS = [(saved, died) for saved, died in itertools.product(range(COUNT + 1), repeat=2) if saved <= died]


@pytest.mark.parametrize(("saved_at", "died_at"), CUTS)
def test_a_worker_that_dies_at_any_point_is_made_up_for_by_the_next(
    tmp_path: Path, saved_at: int, died_at: int
) -> None:
    folder = a_folder(tmp_path)
    close_after(a_task(tmp_path / "undisturbed", folder, epoch=1))
    first = a_task(tmp_path / "index", folder, epoch=1)
    saved = run(first, saved_at) if saved_at else None
    run(first, died_at - saved_at)
    close(first)

    second = a_task(tmp_path / "index", folder, epoch=2, saved=saved)
    assert (second.next, second.done) == (saved_at, saved_at)
    close_after(second)

    assert content(tmp_path / "index") == content(tmp_path / "undisturbed")
    check(tmp_path / "index", folder)


def close_after(task: IndexPython) -> None:
    """Run to the end."""
    run(task)
    close(task)


def test_a_worker_given_up_for_lost_can_not_write_into_the_index_of_its_successor(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    lost = a_task(tmp_path / "index", folder, epoch=1)
    saved = run(lost, 2)
    successor = a_task(tmp_path / "index", folder, epoch=2, saved=saved)
    run(successor, 1)

    with pytest.raises(FenceError):
        run(lost, 1)

    close_after(successor)
    check(tmp_path / "index", folder)


def test_a_file_that_does_not_read_back_as_it_was_written_is_not_done(tmp_path: Path) -> None:
    task = a_task(tmp_path / "index", a_folder(tmp_path), epoch=1)
    assert task.index is not None
    task.index.connection.execute("CREATE TRIGGER lose AFTER INSERT ON symbol BEGIN DELETE FROM symbol; END")

    with pytest.raises(RuntimeError, match="reading it back gives other symbols"):
        run(task)

    written = task.files[task.next]
    assert task.save()["next"] == task.next
    assert str(written) in task.index.paths()


def test_a_file_that_is_no_python_can_still_be_searched_and_says_why_it_has_no_symbols(tmp_path: Path) -> None:
    close_after(a_task(tmp_path / "index", a_folder(tmp_path), epoch=1))

    problems = {Path(path).name: problem for path, _, problem, _ in content(tmp_path / "index")["files"] if problem}

    assert list(problems) == ["broken.py"]
    assert problems["broken.py"].startswith("SyntaxError: ")


def another_file(folder: Path) -> None:
    (folder / "a" / "one.py").rename(folder / "a" / "another.py")


def another_version(folder: Path) -> None:
    (folder / "a" / "one.py").write_text("# not what was indexed\n")


@pytest.mark.parametrize("change", [another_file, another_version])
def test_another_image_than_when_it_was_saved_is_indexed_from_the_start(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = a_folder(tmp_path)
    first = a_task(tmp_path / "index", folder, epoch=1)
    saved = run(first, 3)
    close(first)
    change(folder)

    second = a_task(tmp_path / "index", folder, epoch=2, saved=saved)
    assert (second.next, second.done) == (0, 0)
    close_after(second)

    check(tmp_path / "index", folder)


@pytest.mark.parametrize("reason", [Reason.TERMINATED, Reason.DELETED])
def test_nothing_is_left_behind_when_nobody_will_go_on(tmp_path: Path, reason: Reason) -> None:
    task = a_task(tmp_path / "index", a_folder(tmp_path), epoch=1)
    run(task, 2)

    task.cleanup(reason)

    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("reason", [Reason.SUSPENDED, Reason.INTERRUPTED, Reason.FAILED, Reason.DONE])
def test_the_index_stays_when_somebody_may_need_it(tmp_path: Path, reason: Reason) -> None:
    task = a_task(tmp_path / "index", a_folder(tmp_path), epoch=1)
    run(task, 2)

    task.cleanup(reason)

    assert len(content(tmp_path / "index")["files"]) == 2


def test_a_terminated_worker_does_not_remove_the_index_of_another_task(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    task = a_task(tmp_path / "index", folder, epoch=1)
    a_task(tmp_path / "index", folder, epoch=2)

    with pytest.raises(FenceError):
        task.cleanup(Reason.TERMINATED)

    assert (tmp_path / "index").exists()


def test_wrong_arguments_are_never_retried(tmp_path: Path) -> None:
    task = IndexPython()
    task.args = (str(tmp_path / "index"),)

    with pytest.raises(NeverRetry, match="the database to write, and the folder"):
        task.setup(None)
    task.cleanup(Reason.FAILED)


def test_files_are_listed_in_one_order_without_links_and_without_other_kinds(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / "notes.txt").write_text("")
    (folder / "link.py").symlink_to(folder / "empty.py")
    (folder / "folder.py").mkdir()

    files = python_files(folder)

    assert [str(path.relative_to(folder)) for path in files] == sorted(SOURCES)
    assert listing_digest(files) != listing_digest(files[:-1])


def test_a_text_is_read_in_the_encoding_that_it_names(tmp_path: Path) -> None:
    source, raw = read_source(a_folder(tmp_path) / "b" / "latin.py")

    assert "Müller" in source.text
    assert "Müller".encode() not in raw


@pytest.mark.parametrize("raw", [b"# coding: no-such\nx = 1\n", b"x = '\xff'\n", b"# coding: utf-7\n# +2AA-\n"])
def test_a_text_in_no_encoding_at_all_is_read_all_the_same(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "odd.py"
    path.write_bytes(raw)

    source, _ = read_source(path)

    assert source.text.encode().startswith(b"#" if b"#" in raw else b"x")


def test_the_real_command_killed_in_the_middle_and_run_again_makes_a_whole_index(tmp_path: Path) -> None:
    folder = Path(longtask.__file__).parent
    database = tmp_path / "index"
    command = [
        sys.executable,
        "-m",
        "longtask.worker",
        "run",
        "--save-every=0",
        "longtask.examples.index_python:IndexPython",
    ]
    command += ["--", str(database), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(folder.parent)}

    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        next(line for line in worker.stderr if "checkpoint 3" in line)
        worker.send_signal(signal.SIGKILL)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "going on from checkpoint" in done.stderr
    check(database, folder)
