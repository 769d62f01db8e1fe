"""Programs that a benchmark runs beside itself, as children that can't outlive it, and what they cost.

It must not know what the programs are for.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class ProgramError(RuntimeError):
    """A program did not come up, or has ended; the message has the end of its log."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a process has used so far: seconds of processor time, bytes of memory now and at most."""

    cpu: float
    memory: int
    peak: int


class Child:
    """A running program whose output goes to a file. `stop` ends it; so does the end of this process."""

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(os.environ if env is None else env),
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one call into the kernel, which no lock can hold up
            )

    def wait_until(self, what: str, condition: Callable[[], bool], *, seconds: float) -> None:
        """Wait for a condition that this program brings about. Raises ProgramError when it ends before, or is late."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self._process.poll() is not None:
                raise ProgramError(f"{self.name} has ended with {self._process.returncode}: {self.tail()}")
            if time.monotonic() > deadline:
                raise ProgramError(f"{self.name}: {what} not so after {seconds:.0f} s: {self.tail()}")
            time.sleep(0.01)  # noqa: TID251 - the one place that polls a program

    def cost(self) -> Cost:
        """What it has used. Raises OSError when it has ended."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines())
        return Cost(
            cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
            memory=_bytes(status["VmRSS"]),
            peak=_bytes(status["VmHWM"]),
        )

    def stop(self, seconds: float = 20) -> None:
        """Ask it to end, and make it after some seconds."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _bytes(text: str) -> int:
    return int(text.split(maxsplit=1)[0]) * 1024


def _die_with_parent() -> None:
    """Have the kernel end the child with us, however we end (prctl(2), PR_SET_PDEATHSIG)."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
