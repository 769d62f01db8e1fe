"""On what and of what a run was made: hardware, versions, commit. It must not know what is measured."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from tests.bench.results import Machine, Run

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("kopf", "kubernetes", "aiohttp", "pydantic")
MODULES: Final = {"Kubernetes": "k8s.io/kubernetes", "etcd": "go.etcd.io/etcd/server/v3"}
"""Of the local cluster; a part that measures at another one says so in its flags."""


def this_run(*, seed: int, quick: bool) -> Run:
    """Describe a run that begins now."""
    return Run(
        when=datetime.now(UTC).replace(microsecond=0),  # noqa: TID251  a run is of its day
        commit=_git("rev-parse", "HEAD") or "unknown",
        changed=bool(_git("status", "--porcelain", "--", ":!docs/benchmarks")),
        machine=machine(),
        versions=versions(),
        seed=seed,
        quick=quick,
    )


def machine() -> Machine:
    """The hardware, as far as a process sees it."""
    model = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", _text("/proc/meminfo"), re.MULTILINE)
    return Machine(
        cpu=model[1] if model else platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=int(memory[1]) * 1024 if memory else 0,
        kernel=f"{platform.system()} {platform.release()}",
    )


def versions() -> dict[str, str]:
    """By program: those of this environment, and those that the local cluster is built from."""
    sources = _text(ROOT / "tests" / "cluster" / "parts" / "go.mod")
    found = {name: re.search(rf"\b{re.escape(module)} (v\S+)", sources) for name, module in MODULES.items()}
    return {
        **{name: match[1] for name, match in found.items() if match},
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def _text(path: str | Path) -> str:
    return Path(path).read_text(errors="replace")


def _git(*words: str) -> str:
    """What git prints; nothing for a tree that is no clone."""
    return subprocess.run(["git", "-C", str(ROOT), *words], check=False, capture_output=True, text=True).stdout.strip()
