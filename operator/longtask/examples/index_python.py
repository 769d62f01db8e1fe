"""The task of the demo: an index of every Python file below a folder, one file a batch.

    longtask run longtask.examples.index_python:IndexPython -- index.sqlite FOLDER

It shows all that a task of one's own needs to be suspended, killed and resumed without losing or doubling anything:

* the position is small, and moves when a batch is done; what was made lies elsewhere, in the database;
* a batch may be repeated: a file that is written again replaces itself;
* `self.epoch` fences the database, so that a worker that has been given up for lost can't write into it any more.

It must not know how files are parsed or stored: see `symbols` and `code_index`.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longtask import NeverRetry, Reason, Task
from longtask.examples.code_index import CodeIndex
from longtask.examples.sources import listing_digest, python_files, read_source
from longtask.examples.symbols import UNPARSABLE, parse, symbols

if TYPE_CHECKING:
    from collections.abc import Iterator

    from longtask.examples.symbols import Symbol


class IndexPython(Task):
    """Indexes every Python file below a folder. Arguments: the database, and the folder."""

    index: CodeIndex | None = None

    def setup(self, saved: Any) -> None:  # noqa: ANN401 - as in Task
        """Find out what there is to do and where to go on, and take over the database."""
        if len(self.args) != 2:
            raise NeverRetry("arguments: the database to write, and the folder whose Python files it is made of")
        self.database, folder = map(Path, self.args)
        self.files = python_files(folder)
        self.listing = listing_digest(self.files)
        same = saved is not None and saved["listing"] == self.listing
        # Another image has other files, and a position among the old ones means nothing there: index all of them.
        self.next = saved["next"] if same else 0
        self.done = self.next
        self.index = CodeIndex(self.database)
        self.index.take_over(os.environ.get("LONGTASK_UID", "local"), self.epoch, fresh=self.next == 0)
        sys.stderr.write(f"index-python: {len(self.files)} files, beginning with number {self.next + 1}\n")

    def total(self) -> int:
        """Return the number of files."""
        return len(self.files)

    def batches(self) -> Iterator[Path]:
        """Yield the files that are left."""
        while self.next < len(self.files):
            yield self.files[self.next]

    def process(self, batch: Path) -> None:
        """Index a file, and read it back. One that is no Python of today has no symbols, but its text can be found."""
        self.report(str(batch))
        source, raw = read_source(batch)
        found: list[Symbol] = []
        try:
            found.extend(symbols(parse(raw)))
        except UNPARSABLE as error:
            source = source._replace(problem=f"{type(error).__name__}: {error}")
        index = self._need_index()
        index.put(source, found)
        if Counter(index.symbols_of(source.path)) != Counter(found):
            raise RuntimeError(f"{batch}: reading it back gives other symbols than were written")
        self.next += 1

    def save(self) -> dict[str, object]:
        """Return how many files are done, and of which list."""
        return {"next": self.next, "listing": self.listing}

    def cleanup(self, reason: Reason) -> None:
        """Close the database; remove it where nobody will go on."""
        if self.index is None:
            return
        if reason in {Reason.TERMINATED, Reason.DELETED}:
            self.index.still_mine()
            self.database.unlink(missing_ok=True)
        self.index.close()

    def _need_index(self) -> CodeIndex:
        if self.index is None:
            raise RuntimeError("setup() comes first")
        return self.index
