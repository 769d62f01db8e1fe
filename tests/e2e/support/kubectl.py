"""The real kubectl, for what only it does: client-side apply, and what people see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.e2e.support.client import Body

BUILT: Final = Path(__file__).resolve().parents[3] / ".cluster/bin/kubectl"
REMEMBERED: Final = BUILT.parents[1] / "kubectl" / os.environ.get("PYTEST_XDIST_WORKER", "main")
"""What kubectl remembers of the server, for this process alone: tests add and remove resources side by side, and with
one cache for all, a kubectl was seen to say of an installed resource that the server doesn't have it."""


def kubectl(kubeconfig: Path, *arguments: str, manifest: Body | None = None) -> str:
    """Run kubectl, with `manifest` on its standard input, and return what it printed.

    Raises RuntimeError with kubectl's own words when it fails.
    """
    program = str(BUILT) if BUILT.exists() else shutil.which("kubectl")
    if program is None:
        raise RuntimeError("kubectl is needed: `make cluster` builds it, or put it on PATH")
    done = subprocess.run(
        [program, "--kubeconfig", str(kubeconfig), *arguments],
        input=json.dumps(manifest) if manifest else None,
        env={**os.environ, "KUBECACHEDIR": str(REMEMBERED)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
