"""The operator's process, seen from outside: its resident memory, and what it says it keeps.

It must not know what happens to tasks.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.soak.inside import ANSWER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PATIENCE = 120.0  # seconds; the machine may be busy
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process is like at one moment, after all garbage is collected."""

    ready: bool  # to decide
    rss: int  # kB
    objects: int  # that Python's collector knows
    loops: int  # tasks of asyncio
    lives: int  # of the operator's parts: 1, or an earlier one is still referred to
    kept: dict[str, int]

    @property
    def held(self) -> dict[str, int]:
        """Memories that are not empty."""
        return {name: count for name, count in self.kept.items() if count}


@dataclass
class Subject:
    """A running operator."""

    process: asyncio.subprocess.Process
    folder: Path

    async def sample(self) -> Sample:
        """Have it collect its garbage and say what is left. Raises AssertionError with its log if it has ended."""
        answer = self.folder / "answer"
        answer.unlink(missing_ok=True)
        self._must_live()
        self.process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(_PATIENCE):
            while not answer.exists():
                self._must_live()
                await asyncio.sleep(_LOOK_SECONDS)
        told: dict[str, Any] = json.loads(answer.read_text())
        return Sample(rss=resident(self.process.pid), **told)

    def _must_live(self) -> None:
        if self.process.returncode is not None:
            log = (self.folder / "log").read_text(errors="replace")[-3000:]
            raise AssertionError(f"the operator has ended with {self.process.returncode}:\n{log}")


@asynccontextmanager
async def running(url: str, folder: Path, **variables: str) -> AsyncIterator[Subject]:
    """The operator as a process at that API server, its log in `folder/log`; it ends with the block."""
    (folder / "kubeconfig").write_text(json.dumps(_kubeconfig(url)))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    environment |= {"KUBECONFIG": str(folder / "kubeconfig"), ANSWER: str(folder / "answer"), **variables}
    command = [sys.executable, "-m", "tests.soak.inside"]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=log)
    try:
        yield Subject(process, folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def resident(pid: int) -> int:
    """The resident memory of a process, in kB: `VmRSS` of proc(5)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no memory: it has ended")


def _kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": url}}],
        "users": [{"name": "it", "user": {}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }
