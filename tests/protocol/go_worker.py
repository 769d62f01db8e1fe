"""The worker in Go as a static binary, compiled when its sources have changed. Unit tests and the cluster run the same.

It must not know what a test wants of it.
"""

from __future__ import annotations

from pathlib import Path

from tests.cluster import build, settings
from tests.cluster.common import digest, exclusive, run

SOURCES = Path(__file__).with_name("worker")


def binary() -> Path:
    """Return the program. It needs no library, so that any Linux image can run it."""
    ours = settings.load()
    sources = sorted([*SOURCES.glob("*.go"), SOURCES / "go.mod"])
    program = ours.home / "protocol" / f"worker-{digest([*(path.name for path in sources), *sources])}"
    with exclusive(program.with_name("lock")):  # several test processes may want it at once
        if not program.exists():
            _compile(ours, program)
    return program


def _compile(ours: settings.Settings, program: Path) -> None:
    half = program.with_suffix(".new")
    flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(half), "."]
    without_network = {"CGO_ENABLED": "0", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    run([build.toolchain(ours), "build", *flags], env=without_network, cwd=SOURCES)
    half.replace(program)
