"""Finds and runs Helm: the one that `make cluster` builds, so that all render with the same, or the one on PATH."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.generate.registry import ROOT

if TYPE_CHECKING:
    from pathlib import Path

BUILT: Final = ROOT / ".cluster/bin/helm"
KUBERNETES: Final = "1.36.0"  # what charts are rendered for; Helm would take the version it was built with


def helm(*arguments: str) -> str:
    """Run Helm and return what it printed. Raises RuntimeError with Helm's own words when it fails."""
    done = subprocess.run([_program(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"helm {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def render(chart: Path, *arguments: str, namespace: str = "longtask-system") -> str:
    """Render a chart as `helm install longtask` would install it. Raises RuntimeError when it can't be rendered."""
    return helm("template", "longtask", str(chart), "--namespace", namespace, "--kube-version", KUBERNETES, *arguments)


def _program() -> str:
    """Return the path of Helm, built first where there is none. Raises RuntimeError when it can't be had."""
    if not BUILT.exists() and shutil.which("helm") is None:
        print("building helm (about a minute, once)", file=sys.stderr)  # noqa: T201 - says why it takes long
        subprocess.run([sys.executable, "-m", "tests.cluster", "tools"], cwd=ROOT, check=False)
    found = str(BUILT) if BUILT.exists() else shutil.which("helm")
    if found is None:
        raise RuntimeError("Helm is needed to render the chart: `make cluster` builds it, or put helm on PATH")
    return found
