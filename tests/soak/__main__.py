"""`python -m tests.soak --hours H --tasks N`: exits with 1 if the operator's memory grows with the tasks it has seen.

2: the run was too short to judge. The table goes to stdout as it grows; LONGTASK_SEED repeats the luck of a run.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from tests.proof import SEED
from tests.soak.judge import HEAD, judge, row
from tests.soak.run import NotForgottenError, Soak


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="how long (default: 1)")
    parser.add_argument("--tasks", type=int, default=10, help="tasks that live at the same time (default: 10)")
    chosen = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # of the stand-in, whose connections are cut
    _say(f"LONGTASK_SEED={SEED}\n{HEAD}")
    soak = Soak(chosen.tasks, chosen.hours * 3600, lambda point: _say(row(point)))
    with tempfile.TemporaryDirectory(prefix="longtask-soak-") as folder:
        try:
            asyncio.run(soak.run(Path(folder)))
        except NotForgottenError as problem:
            _say(f"leak: still kept of tasks that are gone: {problem}")
            return 1
    try:
        finding = judge(soak.points)
    except ValueError as problem:
        _say(str(problem))
        return 2
    _say(finding.words)
    return 1 if finding.leak else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
