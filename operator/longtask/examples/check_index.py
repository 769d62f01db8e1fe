"""Checks an index against the files that it was made of, without asking those who have made it.

    python3 -m longtask.examples.check_index index.sqlite FOLDER

Prints what holds, a line each, and exits with 0; or what does not, and exits with 1.
"""

from __future__ import annotations

import ast
import re
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from longtask.examples.code_index import CodeIndex
from longtask.examples.sources import python_files, read_source
from longtask.examples.symbols import parse, symbols

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHOWN = 5  # how many of many mistakes are named
SAMPLE = 100  # of so many files, evenly spread, the symbols are found once more and compared
WORDS = ("def __init__(self", "class IndexPython(Task)", "import asyncio", "no such words, not even here: " + "xyzzy")

STARTS = ("IndexPyth", "asynci", "__ini")


class WrongError(Exception):
    """The index is not what it should be."""


def check(database: Path, folder: Path) -> list[str]:
    """Return what was found to hold, a sentence each. Raises WrongError, or sqlite3.Error for what is no index."""
    index = CodeIndex(database, readonly=True)
    try:
        files = python_files(folder)
        return [look(index, files) for look in (_every_file_once, _content, _search, _mentions, _symbols)]
    finally:
        index.close()


def _every_file_once(index: CodeIndex, files: Sequence[Path]) -> str:
    there = Counter(index.paths())
    wanted = {str(path) for path in files}
    _none_of("missing", wanted - there.keys())
    _none_of("there, but not among the files", there.keys() - wanted)
    _none_of("there more than once", (path for path, times in there.items() if times > 1))
    return f"{len(files)} files, and each of them is there exactly once"


def _content(index: CodeIndex, files: Sequence[Path]) -> str:
    kept = dict(index.connection.execute("SELECT path, sha256 FROM file"))
    _none_of("there with another content", (str(p) for p in files if kept[str(p)] != read_source(p)[0].sha256))
    return "each with the SHA-256 of the file in the image"


def _search(index: CodeIndex, _files: Sequence[Path]) -> str:
    """Compare the full-text index, which answers from trigrams, with a plain scan of all texts."""
    hits = []
    for words in WORDS:
        found = index.files_with(words)
        scanned = [path for (path,) in index.connection.execute(_SCAN, (words,))]
        if found != scanned:
            raise WrongError(f"searching {words!r} finds {len(found)} files, and {len(scanned)} hold it")
        hits.append(f"{len(found)} with {words!r}")
    return f"the full text finds what a scan finds: {', '.join(hits[:-1])}"


def _mentions(index: CodeIndex, _files: Sequence[Path]) -> str:
    """Compare the index of words, by their beginnings, with a plain scan of all texts."""
    hits = []
    for start in STARTS:
        found = sorted(index.mentions(start))
        begins = re.compile(rf"\b{start}", re.IGNORECASE)
        texts = index.connection.execute("SELECT path, text FROM file ORDER BY path")
        scanned = [path for path, text in texts if begins.search(text)]
        if found != scanned:
            raise WrongError(
                f"words that begin with {start!r} are found in {len(found)} files, and {len(scanned)} have one"
            )
        hits.append(f"{len(found)} with {start}…")
    return f"words are found by their beginnings: {', '.join(hits)}"


_SCAN = "SELECT path FROM file WHERE instr(lower(text), lower(?)) ORDER BY path"


def _symbols(index: CodeIndex, files: Sequence[Path]) -> str:
    for path in files[:: max(1, len(files) // SAMPLE)]:
        try:
            expected = Counter(symbols(parse(path.read_bytes())))
        except (SyntaxError, ValueError):
            expected = Counter()
        if Counter(index.symbols_of(str(path))) != expected:
            raise WrongError(f"{path}: the index has other symbols than the file")
    counts = dict(index.connection.execute("SELECT role, count(*) FROM symbol GROUP BY role"))
    _classes(index, files)
    return f"{counts.get('definition', 0)} definitions and {counts.get('reference', 0)} references"


def _classes(index: CodeIndex, files: Sequence[Path]) -> None:
    """Look up a class of this very package: where its definition stands is known without the index."""
    ours = [path for path in files if path.parts[-2:] == ("examples", "index_python.py")]
    for path in ours:
        tree = ast.parse(path.read_bytes())
        line = next(node.lineno for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "IndexPython")
        if (str(path), line) not in index.definitions("IndexPython"):
            raise WrongError(f"the definition of IndexPython in {path} is not found")


def _none_of(what: str, paths: object) -> None:
    wrong = sorted(paths)  # type: ignore[call-overload]
    if wrong:
        more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise WrongError(f"{len(wrong)} {what}: {', '.join(wrong[:SHOWN])}{more}")


def main(words: Sequence[str], say: Callable[[str], object]) -> int:
    """Run the command; returns its exit code."""
    if len(words) != 2:
        say("arguments: the database, and the folder that it was made of\n")
        return 2
    try:
        for line in check(Path(words[0]), Path(words[1])):
            say(f"{line}\n")
    except (WrongError, sqlite3.Error) as error:
        say(f"WRONG: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout.write))
