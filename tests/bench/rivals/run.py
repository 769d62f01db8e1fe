"""Runs the operator of the tutorial's style as its author would, with `kopf run`, and says when it is ready."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import kopf.cli

if __name__ == "__main__":
    port = os.environ["LONGTASK_HEALTH_PORT"]
    tutorial = str(Path(__file__).with_name("tutorial.py"))
    words = ["run", tutorial, "--standalone", "--all-namespaces", f"--liveness=http://127.0.0.1:{port}/readyz"]
    sys.exit(kopf.cli.main(words))
