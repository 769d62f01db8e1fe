"""The worker in Go as a static binary, compiled when its sources have changed. Unit tests and the cluster run the same.

It must not know what a test wants of it.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster import build, settings
from tests.cluster.common import digest, run

SOURCES = Path(__file__).with_name("worker")


def binary() -> Path:
    """Return the program. It needs no library, so that any Linux image can run it."""
    ours = settings.load()
    sources = sorted([*SOURCES.glob("*.go"), SOURCES / "go.mod"])
    program = ours.home / "protocol" / f"worker-{digest([*(path.name for path in sources), *sources])}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        half = program.with_suffix(f".new-{os.getpid()}")  # several test processes may compile at once
        flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(half), "."]
        without_network = {"CGO_ENABLED": "0", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
        run([build.toolchain(ours), "build", *flags], env=without_network, cwd=SOURCES)
        half.replace(program)
    return program
