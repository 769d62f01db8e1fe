"""How much is tried, and with which luck: the two knobs that all searching tests share.

`make test` tries a slice with a new seed each time, `make proof` everything. The seed is printed at the head of a run
and repeats it when it is given back as `LONGTASK_SEED`.
"""

from __future__ import annotations

import os
import random
from typing import Final

SEED: Final = int(os.environ.setdefault("LONGTASK_SEED", str(random.SystemRandom().randrange(10**9))))
"""Set in the environment as well, so that processes started from here draw the same."""

FULL: Final = os.environ.get("LONGTASK_PROOF") == "1"
"""Whether to try everything, however long it takes."""


def luck(name: str) -> random.Random:
    """A source of randomness of its own for each purpose, so that one draw more in one test changes no other."""
    return random.Random(f"{SEED}/{name}")  # noqa: S311  nothing is kept secret with it
