"""What the sidecar costs beside a program: processor time and memory, at rest and with a file that changes often.

The real command as a process of its own, with a stand-in for the API server, so that nothing but the sidecar counts. It
must not need a cluster.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.machine import ROOT
from tests.bench.results import Comparison, Judged, Measured, Part, Series, Settings, Unit
from tests.unit.worker.builders import pod_environment
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

REPETITIONS: Final = 3
QUICK_REPETITIONS: Final = 2
SECONDS: Final = 20.0
QUICK_SECONDS: Final = 5.0
CHANGES_A_SECOND: Final = 10
SIZE: Final = 16_000  # bytes of the file
TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
HOUR: Final = 3600.0
TLS: Final = ROOT / "tests/unit/worker/tls"

CPU, MEMORY = "processor time in an hour", "memory in use"
REST, BUSY = "a file that does not change", "a file that changes ten times a second"


def measure(settings: Settings) -> Measured:
    """Measure both in turns. Raises CalledProcessError when the sidecar fails."""
    repetitions = QUICK_REPETITIONS if settings.quick else REPETITIONS
    seconds = QUICK_SECONDS if settings.quick else SECONDS
    cpu: dict[str, list[float]] = {REST: [], BUSY: []}
    memory: dict[str, list[float]] = {REST: [], BUSY: []}
    for number in range(repetitions):
        for name, program in ((REST, _rest), (BUSY, _write_all_the_time)):
            taken, used = _one(program, seconds)
            cpu[name].append(round(taken / seconds * HOUR, 3))
            memory[name].append(used)
        settings.say(f"{number + 1} of {repetitions}")
    return Measured(
        series=tuple(
            Series(measure=measure, contender=name, unit=unit, samples=tuple(samples))
            for measure, unit, found in ((CPU, Unit.SECONDS, cpu), (MEMORY, Unit.BYTES, memory))
            for name, samples in found.items()
        ),
    )


def _one(program: Callable[[Path, float], None], seconds: float) -> tuple[float, float]:
    """Processor seconds within that time, and bytes in use at its end. Start and end of the sidecar don't count."""
    with StandIn(certificate=TLS / "server.pem") as server, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state" / "position"
        environment = pod_environment(server, Path(folder), LONGTASK_CHECKPOINT_FILE=str(file))
        shutil.copy(TLS / "ca.crt", environment["LONGTASK_CREDENTIALS"])
        command = [sys.executable, "-S", "-m", "longtask.worker", "sidecar"]
        environment["PYTHONPATH"] = str(ROOT / "operator")
        subprocess.run([*command, "restore"], env=environment, check=True, capture_output=True)
        with subprocess.Popen([*command, "save"], env=environment, stderr=subprocess.DEVNULL) as sidecar:
            program(file, 3.0)  # until it has found its way: imports, the claim, a first save
            begun = _ticks(sidecar.pid)
            program(file, seconds)
            taken, used = (_ticks(sidecar.pid) - begun) * TICK, _resident_bytes(sidecar.pid)
            sidecar.terminate()
        if sidecar.returncode:
            raise subprocess.CalledProcessError(sidecar.returncode, sidecar.args)
        return taken, used


def _rest(_file: Path, seconds: float) -> None:
    threading.Event().wait(seconds)


def _write_all_the_time(file: Path, seconds: float) -> None:
    other = file.with_name("other")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        other.write_text(f"{time.monotonic()}\n" * (SIZE // 20))
        other.rename(file)
        threading.Event().wait(1 / CHANGES_A_SECOND)


def _ticks(pid: int) -> int:
    """User and system time, as /proc has it (proc(5): fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident_bytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) * 1024


COMPARISONS: Final = tuple(
    Comparison(title=f"{measure.capitalize()}, {name}", measure=measure, contender=name, judged=Judged.VALUE)
    for measure in (CPU, MEMORY)
    for name in (REST, BUSY)
)

ABOUT: Final = f"""\
The container `longtask-sidecar` of a task with `spec.checkpoint.file`, as a process: it looks at the file twice a
second and saves it every ten at most, over TLS to a stand-in for the API server. The file has {SIZE:,} bytes. Processor
time is that of {SECONDS:.0f} s, scaled to an hour; memory is what is resident, the interpreter included.
"""

PART: Final = Part(name="sidecar", title="The sidecar", about=ABOUT, comparisons=COMPARISONS, measure=measure)
