"""The index: one SQLite file, written one source file at a time. It must not know who decides which file is next.

Each file is one transaction, on disk when it returns, and writing a file again replaces what was there. So a worker
may die at any moment, and the next one may repeat what it is not sure of.

What it can't do itself is to know whether another worker has taken over: a worker on a lost node lives on and writes
on. For that there is the fence, a row with the task and the highest epoch that was seen. Every transaction looks at it
first, and who comes with a lower epoch is refused: its successor's work stays as it is.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from longtask.examples.symbols import Symbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Nothing here is UNIQUE but the words: that every file is there exactly once is to be shown by counting, and a
# constraint that turns a second copy into an error would hide that it was written.
_SCHEMA = """
CREATE TABLE fence (task TEXT NOT NULL, epoch INTEGER NOT NULL);
CREATE TABLE file (id INTEGER PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL, problem TEXT, text TEXT NOT NULL);
CREATE INDEX file_path ON file (path);
CREATE VIRTUAL TABLE full_text USING fts5 (
  text, content='file', content_rowid='id', tokenize='trigram', detail='none', columnsize=0
);
CREATE VIRTUAL TABLE mention USING fts5 (
  text, content='file', content_rowid='id', tokenize="unicode61 tokenchars '_'", prefix='2 3 4'
);
CREATE TABLE word (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
CREATE TABLE symbol (
  file INTEGER NOT NULL, role TEXT NOT NULL, kind TEXT NOT NULL, name INTEGER NOT NULL, scope INTEGER NOT NULL,
  line INTEGER NOT NULL, column INTEGER NOT NULL
);
CREATE INDEX symbol_name ON symbol (name);
CREATE INDEX symbol_file ON symbol (file);
CREATE INDEX symbol_scope ON symbol (scope, name);
"""
# LIKE is answered from the trigrams, but not with an ESCAPE: what its % and _ find too much is left out afterwards.
_SEARCH = """
SELECT path FROM file WHERE id IN (SELECT rowid FROM full_text WHERE text LIKE ?)
AND instr(lower(text), lower(?)) ORDER BY path
"""
_MENTIONS = "SELECT path FROM mention JOIN file ON file.id = mention.rowid WHERE mention MATCH ? ORDER BY rank, path"
_DEFINITIONS = """
SELECT path, line FROM symbol JOIN word ON word.id = symbol.name JOIN file ON file.id = symbol.file
WHERE word = ? AND role = 'definition' ORDER BY path, line
"""
_USED = """
SELECT DISTINCT name.word FROM word AS scope JOIN symbol ON symbol.scope = scope.id
JOIN word AS name ON name.id = symbol.name WHERE scope.word = ? AND role = 'reference' ORDER BY name.word
"""
_SYMBOLS = """
SELECT role, kind, name.word, scope.word, line, "column" FROM symbol JOIN file ON file.id = symbol.file
JOIN word AS name ON name.id = symbol.name JOIN word AS scope ON scope.id = symbol.scope WHERE path = ?
"""
_TEXTS = ("full_text", "mention")  # kept beside the texts by hand
_CACHE_KIB = 65_536
_WAIT_SECONDS = 60.0  # for another connection's transaction


class FenceError(Exception):
    """Another worker, or another task, has taken over this index: nothing was written."""


class SourceFile(NamedTuple):
    """A file as it goes into the index. `problem`: why it has no symbols, though its text is there."""

    path: str
    sha256: str
    text: str
    problem: str | None


class CodeIndex:
    """An open index. Only who has called `take_over` may write."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open the file; made if it is not there, unless `readonly`. Raises sqlite3.Error if that can't be done."""
        mode = "ro" if readonly else "rwc"
        self.connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_WAIT_SECONDS, isolation_level=None
        )
        self._me = ("", 0)
        self.connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self.connection.execute("PRAGMA temp_store = MEMORY")  # the container's own file system is read-only
        self.connection.execute("PRAGMA synchronous = FULL")  # what is committed is on disk: the checkpoint says so

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def take_over(self, task: str, epoch: int, *, fresh: bool) -> None:
        """Become the writer: from now on every lower epoch, and every other task, is refused.

        `fresh`: begin with an empty index, whoever has filled it. Otherwise go on with what is there, which must be
        this task's. Raises FenceError.
        """
        self._me = (task, epoch)
        with self._transaction(check=False):
            if not self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'fence'").fetchone():
                self._create()
            owner = self.connection.execute("SELECT task, epoch FROM fence").fetchone()
            if not fresh and (owner is None or owner[0] != task):
                has = f"belongs to task {owner[0]}" if owner else "is empty"
                raise FenceError(f"the index {has}, and task {task} has saved that it wrote to it")
            if owner is not None and owner[0] == task and owner[1] > epoch:
                raise FenceError(f"a worker with epoch {owner[1]} has taken over; this one has {epoch}")
            if fresh:
                self._empty()
            self.connection.execute("DELETE FROM fence")
            self.connection.execute("INSERT INTO fence VALUES (?, ?)", self._me)

    def put(self, file: SourceFile, found: Iterable[Symbol]) -> None:
        """Write a file with its symbols, in place of what is there; on disk when it returns. Raises FenceError."""
        with self._transaction():
            self._remove(file.path)
            run = self.connection.execute
            added = run(
                "INSERT INTO file (path, sha256, problem, text) VALUES (?, ?, ?, ?)",
                (file.path, file.sha256, file.problem, file.text),
            ).lastrowid
            for table in _TEXTS:
                run(f"INSERT INTO {table} (rowid, text) VALUES (?, ?)", (added, file.text))  # noqa: S608 - our own name
            words = self._words({word for symbol in found for word in (symbol.name, symbol.scope)})
            self.connection.executemany(
                "INSERT INTO symbol VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((added, s.role, s.kind, words[s.name], words[s.scope], s.line, s.column) for s in found),
            )

    def paths(self) -> list[str]:
        """Return the path of every file in the index, as often as it is there."""
        return [path for (path,) in self.connection.execute("SELECT path FROM file ORDER BY path, id")]

    def files_with(self, words: str) -> list[str]:
        """Return the paths of the files whose text holds `words`, in any case, sorted. Fast from three letters on."""
        return [path for (path,) in self.connection.execute(_SEARCH, (f"%{words}%", words))]

    def mentions(self, start: str) -> list[str]:
        """Return the paths of the files with a word that begins so, in any case; those that are most about it first."""
        words = start.replace('"', '""')
        return [path for (path,) in self.connection.execute(_MENTIONS, (f'"{words}"*',))]

    def definitions(self, name: str) -> list[tuple[str, int]]:
        """Return path and line of every definition of a name, sorted."""
        return list(self.connection.execute(_DEFINITIONS, (name,)))

    def used_in(self, scope: str) -> list[str]:
        """Return the names that a function or class, by its dotted name, refers to; sorted."""
        return [name for (name,) in self.connection.execute(_USED, (scope,))]

    def symbols_of(self, path: str) -> list[Symbol]:
        """Return every definition and reference of a file, as often as it is there."""
        return [Symbol(*row) for row in self.connection.execute(_SYMBOLS, (path,))]

    def still_mine(self) -> None:
        """Raise FenceError if another worker has taken over."""
        with self._transaction():
            pass

    def _create(self) -> None:
        for statement in _SCHEMA.split(";\n"):
            self.connection.execute(statement)

    def _empty(self) -> None:
        for table in _TEXTS:
            self.connection.execute(f"INSERT INTO {table} ({table}) VALUES ('delete-all')")  # noqa: S608
        for table in ("file", "symbol", "word"):
            self.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own

    def _remove(self, path: str) -> None:
        run = self.connection.execute
        for known, text in run("SELECT id, text FROM file WHERE path = ?", (path,)).fetchall():
            for table in _TEXTS:
                run(f"INSERT INTO {table} ({table}, rowid, text) VALUES ('delete', ?, ?)", (known, text))  # noqa: S608
            run("DELETE FROM symbol WHERE file = ?", (known,))
            run("DELETE FROM file WHERE id = ?", (known,))

    def _words(self, words: set[str]) -> dict[str, int]:
        """Return the number of every word; new ones get one. A name stands in thousands of places."""
        known: dict[str, int] = {}
        for word in sorted(words):
            self.connection.execute("INSERT OR IGNORE INTO word (word) VALUES (?)", (word,))
            ((known[word],),) = self.connection.execute("SELECT id FROM word WHERE word = ?", (word,))
        return known

    @contextlib.contextmanager
    def _transaction(self, *, check: bool = True) -> Iterator[None]:
        """Hold the only right to write, from the look at the fence to the commit."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            if check:
                self._look_at_fence()
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _look_at_fence(self) -> None:
        owner = self.connection.execute("SELECT task, epoch FROM fence").fetchone()
        if owner != self._me:
            raise FenceError(f"the index belongs to {owner}, and this worker is {self._me}")
