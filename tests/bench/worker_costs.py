"""What the worker library costs where it lives, in other people's images: start, memory, each batch, and size.

Every sample is a process of its own, started without site packages, so that nothing of this environment counts. It must
not need a cluster; what a save costs is measured at a real API server, in worker_save.py.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Final

import longtask
from tests.bench.results import Comparison, Judged, Measured, Part, Series, Settings, Unit

PACKAGE: Final = Path(longtask.__file__).parent
TIMES: Final = 200
QUICK_TIMES: Final = 20
LOOPS: Final = 15
QUICK_LOOPS: Final = 3
BATCHES: Final = 200_000

EMPTY, NETWORK, LIBRARY, CLUSTER = (
    "empty Python",
    "json, ssl and http.client",
    "import longtask.worker",
    "a worker's imports",
)
IMPORTS: Final = {
    EMPTY: "pass",
    NETWORK: "import json, ssl, http.client",
    LIBRARY: "import longtask.worker",
    CLUSTER: "import longtask.worker.cli, argparse; from longtask.worker import api, apistore, connect, load, runner",
}
"""What a process imports. The last is all that `longtask run` has imported in a cluster when it claims its task."""

PEAK: Final = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
"""The most memory that the process ever had, in KiB. (`getrusage` would count the parent's, too.)"""

LOOP, RUN = "a bare loop", "longtask run"
PROGRAM: Final = f"""
import sys, time
from longtask.worker import Task
class Trivial(Task):
    def setup(self, saved):
        self.next, self.begun = 0, time.perf_counter()
    def total(self):
        return {BATCHES}
    def batches(self):
        return range({BATCHES})
    def process(self, batch):
        self.next = batch + 1
    def save(self):
        return {{"next": self.next}}
    def cleanup(self, reason):
        print(time.perf_counter() - self.begun, reason)
if __name__ == "__main__":
    task = Trivial()
    task.setup(None)
    for batch in task.batches():
        task.process(batch)
    task.cleanup("done")
"""


def measure(settings: Settings) -> Measured:
    """Measure all of it; raises CalledProcessError when a process fails."""
    times, loops = (QUICK_TIMES, QUICK_LOOPS) if settings.quick else (TIMES, LOOPS)
    wall: dict[str, list[float]] = {name: [] for name in IMPORTS}
    peak: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(times):
        for name, words in IMPORTS.items():
            wall[name].append(_seconds(words))
            peak[name].append(_peak_bytes(words))
    settings.say("imports done")
    batch: dict[str, list[float]] = {LOOP: [], RUN: []}
    for _ in range(loops):
        for name, taken in batch.items():
            taken.append(_seconds_a_batch(name))
    rates = {name: f"{1 / median(taken):,.0f}" for name, taken in batch.items()}
    return Measured(
        series=(
            *(
                Series(
                    measure="start and import",
                    contender=name,
                    unit=Unit.SECONDS,
                    samples=tuple(round(t, 6) for t in taken),
                )
                for name, taken in wall.items()
            ),
            *(
                Series(measure="peak memory", contender=name, unit=Unit.BYTES, samples=tuple(taken))
                for name, taken in peak.items()
            ),
            *(_added(name, peak) for name in (LIBRARY, CLUSTER)),
            *(
                Series(measure="one batch", contender=name, unit=Unit.SECONDS, samples=tuple(taken))
                for name, taken in batch.items()
            ),
            *_sizes(),
        ),
        notes=(f"A trivial task runs {rates[RUN]} batches a second, a bare loop over the same method {rates[LOOP]}.",),
    )


def _python(words: list[str], folder: str | None = None) -> str:
    command = [sys.executable, "-S", "-E", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout


def _with_path(words: str) -> str:
    return f"import sys; sys.path.append({str(PACKAGE.parent)!r}); {words}"


def _seconds(words: str) -> float:
    begun = time.perf_counter()
    _python(["-c", _with_path(words)])
    return time.perf_counter() - begun


def _peak_bytes(words: str) -> float:
    return float(_python(["-c", f"{_with_path(words)}\n{PEAK}"])) * 1024


def _seconds_a_batch(name: str) -> float:
    """Of the loop alone, without the start of the process; saves are as often as by default."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "trivial.py").write_text(PROGRAM)
        command = "runpy.run_path('trivial.py', run_name='__main__')"
        if name == RUN:
            command = (
                "sys.argv[1:] = ['run', 'trivial.py:Trivial']; runpy.run_module('longtask.worker', run_name='__main__')"
            )
        seconds, reason = _python(["-c", _with_path(f"import runpy; {command}")], folder).split()[:2]
    if reason != "done":
        raise RuntimeError(f"the trivial task ended as {reason}")
    return float(seconds) / BATCHES


def _added(name: str, peak: dict[str, list[float]]) -> Series:
    """Memory on top of an empty process that was started in the same turn."""
    added = tuple(with_it - without for with_it, without in zip(peak[name], peak[EMPTY], strict=True))
    return Series(measure="memory added to an empty process", contender=name, unit=Unit.BYTES, samples=added)


def _sizes() -> tuple[Series, ...]:
    files = [PACKAGE / "__init__.py", *sorted((PACKAGE / "worker").glob("*.py"))]
    needed = [line for line in metadata.requires("longtask") or () if "extra ==" not in line]
    return (
        Series(
            measure="size of the worker's modules",
            contender=LIBRARY,
            unit=Unit.BYTES,
            samples=(sum(file.stat().st_size for file in files),),
        ),
        Series(measure="packages that it needs", contender=LIBRARY, unit=Unit.COUNT, samples=(len(needed),)),
    )


COMPARISONS: Final = (
    Comparison(
        title="Start Python and import the library, against an empty Python",
        measure="start and import",
        contender=LIBRARY,
        baseline=EMPTY,
        judged=Judged.RATIO,
    ),
    Comparison(
        title="Start Python and import all that a worker in a cluster needs, against the standard library's part of it",
        measure="start and import",
        contender=CLUSTER,
        baseline=NETWORK,
        judged=Judged.RATIO,
    ),
    Comparison(
        title="Memory added to an empty process by the library",
        measure="memory added to an empty process",
        contender=LIBRARY,
        judged=Judged.VALUE,
    ),
    Comparison(
        title="Memory added by all that a worker in a cluster needs",
        measure="memory added to an empty process",
        contender=CLUSTER,
        judged=Judged.VALUE,
    ),
    Comparison(
        title="One trivial batch, saves throttled, against a bare loop",
        measure="one batch",
        contender=RUN,
        baseline=LOOP,
        judged=Judged.RATIO,
    ),
    Comparison(title="One trivial batch, saves throttled", measure="one batch", contender=RUN, judged=Judged.VALUE),
    Comparison(
        title="Packages that the library needs",
        measure="packages that it needs",
        contender=LIBRARY,
        judged=Judged.MOST,
        limit=0,
    ),
    Comparison(
        title="Size of the worker's modules",
        measure="size of the worker's modules",
        contender=LIBRARY,
        judged=Judged.VALUE,
    ),
)

ABOUT: Final = """\
The library runs in other people's images. Each sample is a new process of the same interpreter, without site packages,
in turns with an empty one. *A worker's imports* are all modules that `longtask run` has loaded in a cluster when it
claims its task; *json, ssl and http.client* are what any program needs to talk to the API server with the standard
library. A trivial batch adds one to a number; saves are 10 s apart, as by default, and go to a file.
"""

PART: Final = Part(name="worker", title="The worker library", about=ABOUT, comparisons=COMPARISONS, measure=measure)
