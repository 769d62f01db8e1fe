"""A check that finds nothing wrong is worth what it finds when something is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from longtask.examples import check_index
from longtask.examples.check_index import WrongError, check, main
from longtask.examples.code_index import CodeIndex
from tests.unit.examples.builders import SOURCES, a_folder, a_task, close, run

if TYPE_CHECKING:
    from pathlib import Path


def an_index(place: Path) -> tuple[Path, Path]:
    """Index of a small folder, and the folder."""
    folder = a_folder(place)
    task = a_task(place / "index", folder, epoch=1)
    run(task)
    close(task)
    return place / "index", folder


def spoil(database: Path, *statements: str) -> None:
    """Change an index behind its back."""
    index = CodeIndex(database)
    for statement in statements:
        index.connection.execute(statement)
    index.close()


def test_a_good_index_passes_and_says_what_holds(tmp_path: Path) -> None:
    database, folder = an_index(tmp_path)
    said: list[str] = []

    assert main([str(database), str(folder)], said.append) == 0

    assert said[0] == f"{len(SOURCES)} files, and each of them is there exactly once\n"
    assert said[-1].endswith("references\n")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("DELETE FROM file WHERE path LIKE '%one.py'", "1 missing: .*one.py"),
        ("INSERT INTO file (path, sha256, text) VALUES ('x.py', '', '')", "1 there, but not among the files: x.py"),
        ("INSERT INTO file (path, sha256, text) SELECT path, sha256, text FROM file LIMIT 1", "1 there more than once"),
        ("UPDATE file SET sha256 = 'x' WHERE path LIKE '%two.py'", "1 there with another content: .*two.py"),
        ("DELETE FROM symbol", "other symbols than the file"),
    ],
)
def test_every_kind_of_fault_is_found(tmp_path: Path, change: str, complaint: str) -> None:
    database, folder = an_index(tmp_path)
    spoil(database, change)

    with pytest.raises(WrongError, match=complaint):
        check(database, folder)


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ("full_text", "searching 'import asyncio' finds 0 files, and 1 hold it"),
        ("mention", "words that begin with 'asynci' are found in 0 files, and 1 have one"),
    ],
)
def test_an_index_of_texts_that_misses_a_file_is_found(tmp_path: Path, texts: str, complaint: str) -> None:
    folder = a_folder(tmp_path)
    (folder / "with.py").write_text("import asyncio\n")
    database, _ = an_index(tmp_path)
    missed = "SELECT 'delete', id, text FROM file WHERE path LIKE '%with.py'"
    spoil(database, f"INSERT INTO {texts} ({texts}, rowid, text) {missed}")

    with pytest.raises(WrongError, match=complaint):
        check(database, folder)


def test_a_definition_of_our_own_that_is_missing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_index, "SAMPLE", 1)  # of most files, symbols are not compared one by one
    own = tmp_path / "sources" / "examples" / "index_python.py"
    own.parent.mkdir(parents=True)
    own.write_text("\n\nclass IndexPython(Task):\n    pass\n")
    database, folder = an_index(tmp_path)
    spoil(database, "UPDATE symbol SET line = 1 WHERE kind = 'class' AND line = 3")

    with pytest.raises(WrongError, match="the definition of IndexPython"):
        check(database, folder)


def test_a_fault_is_told_and_ends_with_1(tmp_path: Path) -> None:
    database, folder = an_index(tmp_path)
    spoil(database, "DELETE FROM file")
    said: list[str] = []

    assert main([str(database), str(folder)], said.append) == 1

    assert said[0].startswith(f"WRONG: {len(SOURCES)} missing: ")


def test_no_index_at_all_is_told_and_ends_with_1(tmp_path: Path) -> None:
    said: list[str] = []

    assert main([str(tmp_path / "none"), str(tmp_path)], said.append) == 1

    assert said == ["WRONG: unable to open database file\n"]
    assert not (tmp_path / "none").exists()
