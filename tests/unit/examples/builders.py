"""Small folders of Python files, and what an index holds, in a form that two indexes can be compared by."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from longtask.examples.code_index import CodeIndex
from longtask.examples.index_python import IndexPython

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {
    "a/one.py": "import os\n\n\ndef first(path):\n    return os.stat(path)\n",
    "a/two.py": "class Second:\n    size = 2\n",
    "a/broken.py": "def half(:\n",
    "b/three.py": "from a.one import first as start\n\nstart('somewhere over the rainbow')\n",
    "b/latin.py": "# -*- coding: latin-1 -*-\nname = 'Müller'\n",
    "empty.py": "",
}


def a_folder(place: Path) -> Path:
    """Write SOURCES below `place`, each in the encoding that it names; returns the folder."""
    folder = place / "sources"
    for name, text in SOURCES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="latin-1" if "latin-1" in text else "utf-8")
    return folder


def a_task(database: Path, folder: Path, *, epoch: int, saved: Any = None) -> IndexPython:  # noqa: ANN401
    """Task as the library sets it up for a run: with an epoch, and with what was saved, through JSON."""
    task = IndexPython()
    task.args = (str(database), str(folder))
    task._control.epoch = epoch
    task.setup(json.loads(json.dumps(saved)))
    return task


def run(task: IndexPython, batches: int = 1000) -> Any:  # noqa: ANN401
    """Process so many batches and return what is saved then."""
    for _, batch in zip(range(batches), task.batches(), strict=False):
        task.process(batch)
    return task.save()


def close(task: IndexPython) -> None:
    """Let go of the database, as the end of the process does."""
    assert task.index is not None
    task.index.close()


def content(database: Path) -> dict[str, Any]:
    """What an index holds and finds, whatever the order in which it was written."""
    index = CodeIndex(database, readonly=True)
    try:
        rows = index.connection.execute("SELECT path, sha256, problem, text FROM file ORDER BY path").fetchall()
        return {
            "files": rows,
            "symbols": {path: Counter(index.symbols_of(path)) for path, *_ in rows},
            "found": {words: index.files_with(words) for words in ("first", "rainbow", "Müller", "nowhere")},
            "words": {start: sorted(index.mentions(start)) for start in ("fir", "rainb", "mül", "nowh")},
        }
    finally:
        index.close()
