"""One pod as the sidecar sees it, for tests that play the program: they write the file, and end.

Stopping the sidecar says that the program has ended, as the kubelet does.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from longtask.worker.sidecar.content import unpack
from longtask.worker.vault import Stored
from tests.unit.worker.builders import Program, pod_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.worker.standin import StandIn


class Pod:
    """One pod's sidecar, in both of its steps, and the folder that it shares with the program."""

    def __init__(self, server: StandIn, folder: Path, number: int = 1, schema: str = "", **more: str) -> None:
        self.folder = folder / f"pod-{number}"
        self.folder.mkdir(exist_ok=True)
        self.file = self.folder / "state" / "position"
        variables = {"LONGTASK_CHECKPOINT_FILE": str(self.file), "LONGTASK_CHECKPOINT_SCHEMA": schema}
        self._environment = pod_environment(server, folder, number, **variables, **more)
        self.last_words = folder / f"termination-log-{number}"

    def run(self, step: str) -> Program:
        command = [sys.executable, "-m", "longtask.worker", "sidecar", step]
        return Program(command, self.folder, self._environment)

    def save(self) -> Program:
        """Start saving, and return when the program may start, as the kubelet does."""
        self.last_words.write_text("")
        program = self.run("save")
        deadline = time.monotonic() + 20
        while not self.last_words.read_text():
            assert time.monotonic() < deadline, "the sidecar does not say that it listens"
            assert program.process.poll() is None, "the sidecar has ended"
            threading.Event().wait(0.02)
        return program

    def restore(self) -> Program:
        with self.run("restore") as program:
            program.wait()
        return program

    @contextmanager
    def at_work(self, server: StandIn) -> Iterator[Program]:
        """Have it restored, at work, and saved once, for the length of a `with` block."""
        assert self.restore().process.returncode == 0
        with self.save() as saving:
            self.write("at 40")
            server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save on the way")
            yield saving

    def write_too_much(self) -> None:
        """Write what can't be compressed into the limit."""
        self.file.write_bytes(b"".join(number.to_bytes(4, "big") for number in range(0, 2**31, 9973)))

    def write(self, text: str) -> None:
        """Replace the file, as programs should."""
        other = self.file.with_name("other")
        other.write_text(text)
        other.rename(self.file)

    def tell(self, progress: str) -> None:
        self.file.with_name("position.progress").write_text(progress)


def saved(server: StandIn) -> str:
    content = unpack(server.checkpoint["data"]).content
    assert not isinstance(content, Stored)
    return "" if content is None else content.decode()


def progress(server: StandIn) -> dict[str, object]:
    assert server.task
    found: dict[str, object] = server.task["status"]["progress"]
    return found
