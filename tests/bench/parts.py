"""The table of parts, in the order in which they run: those that need a quiet machine most come first.

A part is a module with a `PART`, see results.py. It is imported only when it runs, so that one that can't even be
imported is a failed part in the report, and takes no other along.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.results import Part

MODULES: Final[Mapping[str, str]] = {
    "worker": "tests.bench.worker_costs",
    "sidecar": "tests.bench.sidecar_costs",
    "save": "tests.bench.worker_save",
    "suspend": "tests.bench.suspend_real",
    "writes": "tests.bench.api_writes",
    "cold-start": "tests.bench.cold_start",
    "fleets": "tests.bench.fleet",
    "fleets-large": "tests.bench.fleet_large",
    "rival": "tests.bench.rivals.fleet",
}
"""By name of the part: its module."""


def load(name: str) -> Part:
    """Import a part. Raises KeyError for one that is not in the table, and whatever its import raises."""
    part: Part = importlib.import_module(MODULES[name]).PART
    return part
