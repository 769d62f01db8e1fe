"""The operator under test: a process of its own that logs in with the token of the installed one, through the proxy.

It is `python -m longtask.shell` without the seconds that its imports take: a server process has made them once, and
every operator is a fork of it (multiprocessing's forkserver). It is killed as any process is. It must not know why.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.e2e.support.furniture import IMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path
    from types import TracebackType

_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["longtask.shell.operator"])


@dataclass
class Operator:
    """One operator, and its successor whenever it was killed, while inside the block."""

    kubeconfig: Path
    log: Path
    settings: Mapping[str, float]
    clocks: Sequence[float] = (0.0,)
    """By how many seconds its clock is ahead, that of its successor, and so on."""
    kills: int = field(default=0, init=False)
    started: float = field(default=0.0, init=False)
    """When the present one was started, on the clock of the requests."""
    _process: ForkServerProcess | None = field(default=None, init=False)
    _leaving: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __enter__(self) -> Operator:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._leaving = True
            self._end()

    def kill(self) -> None:
        """SIGKILL it; another one starts at once."""
        with self._lock:
            if not self._leaving:
                self._end()
                self.kills += 1
                self._start()

    def ended_by_itself(self) -> str:
        """What is wrong if it has, or ''."""
        with self._lock:  # one that was killed has its successor when this is free
            process = self._process
            ended = process is not None and process.exitcode is not None and not self._leaving
        return f"the operator has ended: {self.log.read_text()[-2000:]}" if ended else ""

    def _start(self) -> None:
        environment = {
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": os.environ.get("PATH", ""),
            "LONGTASK_HEALTH_PORT": "0",
            "LONGTASK_LOG_LEVEL": "DEBUG",
            "LONGTASK_SIDECAR_IMAGE": IMAGE,
            "LONGTASK_LOG_FORMAT": "text",
            **{f"LONGTASK_{name.upper()}": f"{value:g}" for name, value in self.settings.items()},
        }
        self.started = time.monotonic()
        ahead = self.clocks[min(self.kills, len(self.clocks) - 1)]
        self._process = _FORKS.Process(target=_run, args=(environment, str(self.log), ahead), daemon=True)
        self._process.start()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()


def write_kubeconfig(path: Path, server: str, token: str) -> None:
    """A login as a service account."""
    named = {"cluster": {"server": server}, "user": {"token": token}, "context": {"cluster": "it", "user": "it"}}
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        **{f"{kind}s": [{"name": "it", kind: content}] for kind, content in named.items()},
    }
    path.write_text(json.dumps(body))


def _run(environment: dict[str, str], log: str, ahead: float) -> None:
    right = time.time
    time.time = lambda: right() + ahead
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    from longtask.shell.__main__ import main  # noqa: PLC0415 - it reads the environment

    sys.exit(main())
