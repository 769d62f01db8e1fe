"""The index in itself: a file is there once or not at all, and only the last to take over may write."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from longtask.examples.code_index import CodeIndex, FenceError, SourceFile
from longtask.examples.symbols import Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "def hello():\n    return world\n"


def a_file(path: str = "a.py", text: str = TEXT) -> SourceFile:
    return SourceFile(path, sha256=f"hash of {text}", text=text, problem=None)


def a_symbol(name: str = "hello") -> Symbol:
    return Symbol("definition", "function", name, "", 1, 0)


def an_index(place: Path, *, task: str = "task", epoch: int = 1, fresh: bool = True) -> CodeIndex:
    """Open the index and take it over."""
    index = CodeIndex(place / "index.sqlite")
    index.take_over(task, epoch, fresh=fresh)
    return index


def test_a_file_is_found_by_any_part_of_its_text_in_any_case(tmp_path: Path) -> None:
    index = an_index(tmp_path)
    index.put(a_file("a.py"), [])
    index.put(a_file("b.py", "nothing of that kind"), [])

    assert index.files_with("URN wor") == ["a.py"]
    assert index.files_with("farewell") == []


@pytest.mark.parametrize("words", ["100%", "a_b", "c!d", "100%!_"])
def test_signs_that_mean_something_to_like_are_searched_as_they_are(tmp_path: Path, words: str) -> None:
    index = an_index(tmp_path)
    index.put(a_file("with.py", f"x {words} y"), [])
    index.put(a_file("without.py", "100 a.b c.d"), [])

    assert index.files_with(words) == ["with.py"]


def test_a_search_is_answered_from_the_trigrams_and_not_by_reading_every_text(tmp_path: Path) -> None:
    index = an_index(tmp_path)
    index.put(a_file("a.py"), [])
    index.connection.execute("INSERT INTO full_text (full_text) VALUES ('delete-all')")

    assert index.files_with("return world") == []


def test_a_word_is_found_by_its_beginning_and_the_file_that_is_most_about_it_comes_first(tmp_path: Path) -> None:
    index = an_index(tmp_path)
    index.put(a_file("some.py", "import set_default, other, another, more"), [])
    index.put(a_file("most.py", "set_default set_defaults Set_Default"), [])
    index.put(a_file("none.py", "default set reset_default"), [])

    assert index.mentions("set_d") == ["most.py", "some.py"]
    assert index.mentions('"') == []


def test_a_definition_is_found_by_name_with_path_and_line(tmp_path: Path) -> None:
    index = an_index(tmp_path)
    index.put(
        a_file(), [Symbol("definition", "function", "hello", "", 7, 0), Symbol("reference", "name", "hi", "", 9, 0)]
    )

    assert index.definitions("hello") == [("a.py", 7)]
    assert index.definitions("hi") == []


def test_what_a_function_uses_is_found_by_its_dotted_name(tmp_path: Path) -> None:
    index = an_index(tmp_path)
    used = [Symbol("reference", "name", name, "A.b", line, 0) for line, name in enumerate(["size", "len", "size"])]
    index.put(a_file(), [*used, Symbol("definition", "variable", "x", "A.b", 4, 0), a_symbol()])

    assert index.used_in("A.b") == ["len", "size"]


def test_a_file_that_is_put_twice_replaces_itself(tmp_path: Path) -> None:
    index = an_index(tmp_path)
    index.put(a_file(text="the old text"), [a_symbol("old")])

    index.put(a_file(text="another one"), [a_symbol("new")])

    assert index.paths() == ["a.py"]
    assert (index.files_with("the old"), index.files_with("another")) == ([], ["a.py"])
    assert (index.mentions("old"), index.mentions("another")) == ([], ["a.py"])
    assert index.symbols_of("a.py") == [a_symbol("new")]


def test_an_error_in_the_middle_of_a_file_leaves_the_one_that_was_there(tmp_path: Path) -> None:
    index = an_index(tmp_path)
    index.put(a_file(text="the old text"), [a_symbol("old")])

    def breaks() -> Iterator[Symbol]:
        yield a_symbol("new")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        index.put(a_file(text="another one"), breaks())

    assert (index.files_with("the old"), index.files_with("another")) == (["a.py"], [])
    assert index.symbols_of("a.py") == [a_symbol("old")]


def test_a_process_that_dies_in_the_middle_of_a_file_leaves_the_one_that_was_there(tmp_path: Path) -> None:
    index = an_index(tmp_path)
    index.put(a_file(text="the old text"), [a_symbol("old")])
    index.close()
    dies = f"""
import os
from pathlib import Path
from longtask.examples.code_index import CodeIndex, SourceFile

index = CodeIndex(Path({str(tmp_path / "index.sqlite")!r}))
index.take_over("task", 2, fresh=False)
index.connection.execute("PRAGMA cache_size = 1")  # so that half a transaction is in the file when it dies
text = "another one " * 100_000
commit = index._words
index._words = lambda words: os._exit(9)
index.put(SourceFile("a.py", "", text, None), [])
"""

    assert subprocess.run([sys.executable, "-c", dies], check=False).returncode == 9

    index = an_index(tmp_path, epoch=3, fresh=False)
    assert index.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (index.files_with("the old"), index.files_with("another")) == (["a.py"], [])
    assert index.symbols_of("a.py") == [a_symbol("old")]


def test_a_worker_that_another_one_has_replaced_can_write_nothing_more(tmp_path: Path) -> None:
    stale = an_index(tmp_path, epoch=1)
    stale.put(a_file(text="of the first"), [])
    successor = an_index(tmp_path, epoch=2, fresh=False)
    successor.put(a_file(text="of the second"), [])

    with pytest.raises(FenceError):
        stale.put(a_file(text="of the first, late"), [])
    with pytest.raises(FenceError):
        stale.still_mine()

    assert successor.files_with("of the") == ["a.py"]
    assert successor.files_with("late") == []


@pytest.mark.parametrize("fresh", [True, False])
def test_a_lower_epoch_of_the_same_task_can_not_take_over(tmp_path: Path, *, fresh: bool) -> None:
    index = an_index(tmp_path, epoch=5)
    index.put(a_file(), [])

    with pytest.raises(FenceError, match="epoch 5"):
        an_index(tmp_path, epoch=4, fresh=fresh)

    index.still_mine()
    assert index.paths() == ["a.py"]


def test_a_new_task_begins_with_an_empty_index_and_fences_the_old_one(tmp_path: Path) -> None:
    old = an_index(tmp_path, task="old", epoch=9)
    old.put(a_file(), [a_symbol()])

    new = an_index(tmp_path, task="new", epoch=1)

    assert (new.paths(), new.files_with("hello"), new.definitions("hello")) == ([], [], [])
    with pytest.raises(FenceError):
        old.put(a_file(), [])


def test_a_task_that_has_saved_work_refuses_the_index_of_another(tmp_path: Path) -> None:
    an_index(tmp_path, task="other", epoch=1).put(a_file(), [])

    with pytest.raises(FenceError, match="belongs to task other"):
        an_index(tmp_path, task="mine", epoch=7, fresh=False)


def test_a_task_that_has_saved_work_refuses_an_empty_index(tmp_path: Path) -> None:
    with pytest.raises(FenceError, match="is empty"):
        an_index(tmp_path, epoch=7, fresh=False)
