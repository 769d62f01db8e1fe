"""What people see: lines with the time, one line of live progress, and at the end a timeline.

It must not know what happens; it is told.
"""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_SECONDS: Final = 5.0  # between two lines of progress where they can't be drawn over
BAR: Final = 30  # characters
CLEAR: Final = "\r\x1b[K"


class Screen:
    """Writes to a terminal or to a log."""

    def __init__(self, out: TextIO = sys.stdout, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._started = self._last_progress = clock()
        self._drawn = ""
        self._marks: list[tuple[float, str]] = []

    def say(self, text: str = "") -> None:
        """Write a line that stays."""
        self._write((CLEAR if self._drawn else "") + text + "\n")
        self._drawn = ""

    def title(self, text: str) -> None:
        """Begin a part of the story."""
        self.say()
        self.say(f"== {text}  ({self._seconds():.0f} s)")

    def mark(self, text: str) -> None:
        """Say what has happened, and keep it with its time for the timeline."""
        self._marks.append((self._seconds(), text))
        self.say(f"   {text}")

    def progress(self, name: str, status: dict[str, Any]) -> None:
        """Show how far a task is: on a terminal over the line before, elsewhere a line now and then."""
        line = one_line(name, status)
        if self._out.isatty():
            line = line[: shutil.get_terminal_size().columns - 1]
            if line != self._drawn:
                self._write(CLEAR + line)
                self._drawn = line
        elif self._clock() - self._last_progress >= LINE_SECONDS:
            self._last_progress = self._clock()
            self.say(line)

    def timeline(self) -> None:
        """Write everything that was marked, with its time and what it took."""
        self.say("   at s   took s")
        before = 0.0
        for at, text in self._marks:
            self.say(f"{at:7.1f}  {at - before:7.1f}  {text}")
            before = at

    def _seconds(self) -> float:
        return self._clock() - self._started

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def one_line(name: str, status: dict[str, Any]) -> str:
    """Return state, bar, numbers and message of a task's status in one line."""
    progress = status.get("progress", {})
    percent = progress.get("percent", 0)
    bar = "#" * (percent * BAR // 100)
    parts = [f"   {name} {status['state']:10} [{bar:<{BAR}}] {percent:3} %"]
    if "total" in progress:
        parts.append(f"{progress['done']} of {progress['total']} files")
    if "rate" in progress:
        parts.append(f"{progress['rate']}/s")
    parts.append(progress.get("message", "").rpartition("/")[2])
    return "  ".join(part for part in parts if part)
