"""A copy of the repository in which code can be broken and tests run. The original is never touched.

It must not know which mutants there are, nor what a result means.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.mutants.catalogue import ROOT
from tests.mutants.witness import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.mutants.catalogue import Mutant

HEAVY: Final = ("hypothesispytest", "xdist", "kmock")
"""Plugins of pytest that take three quarters of its start; the last one is left out where no test needs it."""

PASSED: Final = 0
FAILED: Final = 1
"""Exit codes of pytest; every other one means that the tests themselves did not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of pytest. `code` is None if its time was up; `output` is what it printed."""

    code: int | None
    output: str
    failed: str
    """The first test that failed, or the one that was running when the time was up; empty if there is none."""
    tests: dict[str, float]
    """How many seconds each test took."""
    seconds: float
    """How long it took in all."""

    @property
    def startup(self) -> float:
        """What it took beside its tests, mostly to load them."""
        return self.seconds - sum(self.tests.values())

    def seconds_of(self, killers: tuple[str, ...]) -> float:
        """How long those of the tests took that these files and names of tests stand for."""
        return sum(took for test, took in self.tests.items() if test.startswith(killers))


class Workshop:
    """One copy. One run at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def broken_by(self, mutant: Mutant) -> Iterator[None]:
        """Have the break in the copy for the length of a `with` block. Raises CatalogueError if it does not fit."""
        file = self._folder / mutant.file
        whole = file.read_text()
        file.write_text(mutant.applied_to(whole))
        try:
            yield
        finally:
            file.write_text(whole)

    def run(self, tests: Sequence[str], seconds: float) -> Run:
        """Run tests until the first one fails, or the time is up: then all of its processes are killed."""
        notes = self._folder / ".witness"
        notes.unlink(missing_ok=True)
        path = os.pathsep.join((str(self._folder), str(self._folder / "operator")))
        # no byte code: it is told apart by size and whole seconds, and a mutant may differ in neither
        environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", FILE: str(notes)}
        heavy = [name for name in HEAVY if name != "kmock" or not any("/contract/" in test for test in tests)]
        plugins = ["-p", "tests.mutants.witness", *(f"-pno:{name}" for name in ("cacheprovider", *heavy))]
        command = [sys.executable, "-m", "pytest", "-x", "-q", *plugins]
        with tempfile.TemporaryFile("w+") as output:
            begun = time.monotonic()
            process = subprocess.Popen(
                [*command, *tests],
                cwd=self._folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code = _wait(process, seconds)
            took = time.monotonic() - begun
            output.seek(0)
            return _judged(code, output.read(), notes, took)


@contextmanager
def workshop() -> Iterator[Workshop]:
    """Copy what git knows or would add, and link the cluster, which a copy can't have."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        for path in listed:
            if (ROOT / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, folder / path)
        (folder / ".cluster").symlink_to(ROOT / ".cluster")
        yield Workshop(folder)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # whatever a failed test has left running goes as well: the group is this run's alone
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _judged(code: int | None, output: str, notes: Path, took: float) -> Run:
    lines = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
    tests: dict[str, float] = {}
    for line in lines:
        tests[line["test"]] = tests.get(line["test"], 0.0) + line["seconds"]
    failed = next((line["test"] for line in lines if line["what"] == "failed"), "")
    if code is None and not failed and lines:
        failed = lines[-1]["test"]
    return Run(code=code, output=output, failed=failed, tests=tests, seconds=took)
