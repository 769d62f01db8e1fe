"""A signal that comes while Python ends: the exit code is decided by then, and must reach the Job as it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal
from longtask.worker.signals import Stop

class Late:
    def __del__(self):  # called when Python has given all signal handlers back
        os.kill(os.getpid(), signal.{signal})

late = Late()
Stop().install()
raise SystemExit(75)
"""


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_a_signal_during_the_end_does_not_change_the_exit_code(signal: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(signal=signal)], check=False)

    assert done.returncode == 75
