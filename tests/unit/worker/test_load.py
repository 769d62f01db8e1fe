"""Finding the user's class."""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING

import pytest

from longtask.worker.errors import UsageError
from longtask.worker.load import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CODE = "from longtask import Task\nclass Work(Task):\n    pass\nfunction = print\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """A current folder of the test's own; what it imports is forgotten again."""
    before, modules, path = os.getcwd(), set(sys.modules), list(sys.path)
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_a_module_of_the_current_folder(folder: Path) -> None:
    (folder / "a_module.py").write_text(CODE)
    assert load("a_module:Work").__name__ == "Work"


def test_a_module_in_a_package(folder: Path) -> None:
    (folder / "package").mkdir()
    (folder / "package" / "part.py").write_text(CODE)
    assert load("package.part:Work").__module__ == "package.part"


def test_a_file_that_is_no_package_and_its_neighbours(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "neighbour.py").write_text("name = 'next door'")
    (folder / "code" / "program.py").write_text(f"import neighbour\n{CODE}Work.where = neighbour.name\n")
    assert load("code/program.py:Work").where == "next door"  # type: ignore[attr-defined]


def test_what_a_file_defines_can_be_pickled(folder: Path) -> None:
    (folder / "program.py").write_text(CODE)
    work = load(str(folder / "program.py:Work"))
    assert pickle.loads(pickle.dumps(work)) is work  # noqa: S301 - our own


@pytest.mark.parametrize("name", ["json.py", "my-program.py", "2026.py"])
def test_a_file_may_be_called_like_a_module_or_like_none(folder: Path, name: str) -> None:
    (folder / name).write_text(CODE)
    assert load(f"{name}:Work").__name__ == "Work"
    assert sys.modules["json"].__file__ != str(folder / "json.py")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("program", "must be module:Class or path/file.py:Class"),
        ("program:", "must be module:Class"),
        (":Work", "must be module:Class"),
        ("", "must be module:Class"),
        ("program.py:Wrok", "program.py has no class Wrok"),
        ("program.py:function", "is no class that extends longtask.Task"),
        ("program.py:Task.batches", "has no class"),
        ("missing.py:Work", "there is no file missing.py"),
        ("missing:Work", "there is no module missing"),
        ("missing.part:Work", "there is no module missing.part"),
    ],
)
def test_a_target_that_can_not_be_meant_is_named(folder: Path, target: str, words: str) -> None:
    (folder / "program.py").write_text(CODE)
    with pytest.raises(UsageError, match=words):
        load(target)


def test_a_class_that_is_no_task_is_refused(folder: Path) -> None:
    (folder / "program.py").write_text("class Work:\n    pass\n")
    with pytest.raises(UsageError, match=r"program:Work is no class that extends longtask\.Task"):
        load("program:Work")


def test_an_import_that_fails_inside_the_users_module_is_shown_as_it_is(folder: Path) -> None:
    (folder / "program.py").write_text("import a_package_that_is_not_installed\n")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_installed"):
        load("program:Work")


def test_an_error_in_the_users_module_is_shown_as_it_is(folder: Path) -> None:
    (folder / "program.py").write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        load("program.py:Work")
