"""`python -m longtask.shell`: run the operator. Exits with 1 and says what to do if it can't work here."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys

from longtask.shell.errors import Misconfigured
from longtask.shell.log import set_up_logging
from longtask.shell.operator import run_operator
from longtask.shell.settings import Settings

_DEEPEST = 40_000
"""Python frames. The API server takes objects nested 10,000 deep, and kopf and we must be able to read them: one such
task, which anybody may create, would otherwise end the stream of all tasks, again and again."""

_NEW_OBJECTS = 50_000
"""How many it takes before Python looks for unreachable cycles, instead of 700. A page of a list has as many, all of
them in use: looking through them again and again was a quarter of the processor time of a start among 3,000 tasks."""


def set_up_python() -> None:
    """Fit the interpreter for large and for deep answers."""
    sys.setrecursionlimit(_DEEPEST)
    gc.set_threshold(_NEW_OBJECTS, 10, 10)


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    try:
        set_up_python()
        settings = Settings.from_environment(os.environ)
        set_up_logging(settings.log_level, settings.log_format)
        asyncio.run(run_operator(settings))
    except Misconfigured as problem:
        logging.getLogger("longtask").critical("%s", problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
