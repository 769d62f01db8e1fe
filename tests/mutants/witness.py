"""A plugin for pytest that writes down what happened, line by line, so that it is known even of a run that hangs.

Each line is JSON: {"test": node id, "what": "begins" | "passed" | "failed", "seconds": of this phase}.
It is loaded by the runner of mutants into the runs it starts; where no file is named, it does nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

FILE: Final = "LONGTASK_WITNESS"
"""The variable that names the file."""


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note a test that begins: if nothing follows, it is the one that hangs."""
    _note(nodeid, "begins", 0.0)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how each phase of a test ends."""
    _note(report.nodeid, "failed" if report.failed else "passed", report.duration)


def _note(test: str, what: str, seconds: float) -> None:
    if file := os.environ.get(FILE):
        with Path(file).open("a") as notes:
            notes.write(json.dumps({"test": test, "what": what, "seconds": round(seconds, 3)}) + "\n")
