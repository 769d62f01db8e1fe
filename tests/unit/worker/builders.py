"""A worker in a process of its own, as in a pod: with its variables, its files, and steps that a test allows.

It must not know how the worker works inside: what it prints, writes and exits with is all that counts.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from tests.unit.worker.standin import NAME, NAMESPACE, UID, StandIn

if TYPE_CHECKING:
    from pathlib import Path

# One item a batch. In steps: each batch waits for a line on stdin, so that a test decides what happens when.
COUNT = """
import os, sys
from longtask import NeverRetry, Task

def tell(*words):
    print(*words, flush=True)

class Count(Task):
    steps = False
    limit = 10

    def setup(self, saved):
        tell("setup", saved, "epoch", self.epoch, "done", self.done, "args", *self.args)
        self.next = saved["next"] if saved else 0

    def total(self):
        return self.limit

    def batches(self):
        while self.next < self.limit:
            yield self.next

    def process(self, batch):
        tell("begin", batch)
        if self.steps:
            sys.stdin.readline()
        self.next += 1
        tell("end", batch)

    def save(self):
        return {"next": self.next}

    def cleanup(self, reason):
        tell("cleanup", reason)

class Steps(Count):
    steps = True
"""


def pod_environment(server: StandIn, folder: Path, pod: int = 1, **changes: str) -> dict[str, str]:
    """Return the variables of the worker's container in pod `pod`, and make its files in `folder`."""
    credentials = folder / f"credentials-{pod}"
    credentials.mkdir(exist_ok=True)
    (credentials / "token").write_text(f"token-of-pod-{pod}\n")
    termination_log = folder / f"termination-log-{pod}"
    termination_log.touch()
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(("LONGTASK_", "KUBERNETES_"))},
        "LONGTASK_NAMESPACE": NAMESPACE,
        "LONGTASK_NAME": NAME,
        "LONGTASK_UID": UID,
        "LONGTASK_ATTEMPT": "1",
        "LONGTASK_POD_UID": f"pod-{pod}",
        "LONGTASK_GRACE_PERIOD_SECONDS": "60",
        "LONGTASK_API_SERVER": server.url,
        "LONGTASK_CREDENTIALS": str(credentials),
        "LONGTASK_TERMINATION_LOG": str(termination_log),
        **changes,
    }


def local_environment() -> dict[str, str]:
    """Return the variables of a shell outside a cluster."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("LONGTASK_", "KUBERNETES_"))}


class Program:
    """A running program whose output lines can be awaited."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if a failed test has left it running."""
        self.process.kill()
        self.wait()
        assert self.process.stdin
        assert self.process.stdout
        self._reader.join(5)
        self.process.stdin.close()
        self.process.stdout.close()

    def await_line(self, words: str, seconds: float = 20) -> str:
        """Wait for a line with these words in it, and return it."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (found := [line for line in self.lines if words in line]):
                left = deadline - time.monotonic()
                assert left > 0, f"no line with {words!r} within {seconds} s in:\n{self.output}"
                self._changed.wait(left)
        return found[0]

    def step(self) -> None:
        """Let one batch go on."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def step_if_it_lives(self) -> None:
        """Let one batch go on, unless the program has ended."""
        with contextlib.suppress(OSError):
            self.step()

    def steps(self, count: int) -> None:
        """Let so many batches go on."""
        for _ in range(count):
            self.step()

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal: by default the one that the kubelet sends."""
        self.process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        """Wait for its end and return the exit code."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    @property
    def output(self) -> str:
        """All of it so far."""
        return "\n".join(self.lines)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()


def run_worker(
    folder: Path, environment: dict[str, str], target: str = "count.py:Count", *options: str, code: str = COUNT
) -> Program:
    """Start `longtask run` on a file with this code."""
    (folder / "count.py").write_text(code)
    command = [sys.executable, "-m", "longtask.worker", "run", target, *options]
    return Program(command, folder, environment)
