"""What people see: plain lines for a log, a progress bar for a terminal. It must not know why anything happens.

Everything goes to stderr, so that a program's own output stays its own. Lines are written whole, from any thread.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from longtask.worker import exitcodes
from longtask.worker.progress import one_line

if TYPE_CHECKING:
    from pathlib import Path

_REDRAW_SECONDS = 0.1
_BAR_WIDTH = 24
_CLEAR = "\r\x1b[K"
_LONGEST_TERMINATION_MESSAGE = 4000  # bytes; the kubelet keeps 4096


class Console:
    """Lines on stderr, and in a cluster the termination message; with a terminal, a bar below the lines."""

    def __init__(self, *, bar: bool = False, termination_log: Path | None = None) -> None:
        self._bar = bar
        self._shown = False
        self._drawn_at = 0.0
        self._termination_log = termination_log

    def say(self, line: str) -> None:
        """Write a line."""
        clear, self._shown = (_CLEAR if self._shown else ""), False
        write_error(f"{clear}longtask: {line}\n")

    def saved(self, sequence: int, progress: dict[str, Any] | None) -> None:
        """Tell of an acknowledged save; where a bar is, it tells enough."""
        if not self._bar and progress is not None:
            self.say(f"checkpoint {sequence}: {one_line(progress)}")

    @property
    def wants_progress(self) -> bool:
        """Whether `show` would draw something now."""
        return self._bar and time.monotonic() - self._drawn_at >= _REDRAW_SECONDS

    def show(self, progress: dict[str, Any]) -> None:
        """Draw the bar anew."""
        self._drawn_at, self._shown = time.monotonic(), True
        share = progress.get("percent")
        bar = "" if share is None else f"[{'#' * (share * _BAR_WIDTH // 100):<{_BAR_WIDTH}}] "
        line = bar + one_line(progress) + _time_left(progress)
        width = shutil.get_terminal_size().columns
        printable = "".join(c if c.isprintable() else " " for c in line)
        write_error(_CLEAR + printable[: width - 1])

    def last_words(self, line: str, details: str = "") -> None:
        """Say why the worker ends, also where `kubectl describe pod` shows it: with what the log would have shown."""
        self.say(line)
        if self._termination_log is not None:
            leave_message(self._termination_log, f"{line}\n{details}" if details else line)

    def last_words_at_once(self, line: str) -> None:
        """Like `last_words`, but never waits: neither for a lock that another thread holds nor for a slow log."""
        if self._termination_log is not None:
            leave_message(self._termination_log, line)
        if select.select([], [2], [], 0)[1]:
            os.write(2, f"longtask: {line}\n".encode(errors="replace"))

    def die(self, line: str) -> NoReturn:
        """End the process from whichever thread learns that another worker holds the task. No cleanup: it is theirs."""
        try:
            self.last_words_at_once(line)
        finally:  # whatever is wrong with the log
            os._exit(exitcodes.FAILED)


def _time_left(progress: dict[str, Any]) -> str:
    rate = float(progress.get("rate", 0))
    if not rate or "total" not in progress:
        return ""
    seconds = int(max(0, progress["total"] - progress["done"]) / rate)
    return f", {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} left"


def write_error(text: str) -> None:
    """Write to stderr at once. A log that can't be written must not end the work."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):  # closed, or its reader is gone
        pass


def leave_message(path: Path, text: str) -> None:
    """Leave the termination message, if the kubelet has prepared the file; never make one."""
    raw = text.encode(errors="replace")
    if len(raw) > _LONGEST_TERMINATION_MESSAGE:  # the beginning says why, the end says where
        raw = raw[:1000] + b"\n...\n" + raw[5 - _LONGEST_TERMINATION_MESSAGE + 1000 :]
        raw = raw.decode(errors="ignore").encode()  # no half characters
    try:
        file = os.open(path, os.O_WRONLY | os.O_TRUNC)
    except OSError:
        return
    try:
        os.write(file, raw)
    except OSError:
        pass
    finally:
        os.close(file)
