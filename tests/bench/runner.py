"""Runs parts one after the other. What a part raises is its result: it is written down, and the next one runs."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING

from tests.bench import parts, results
from tests.bench.machine import this_run
from tests.bench.results import PartResult, Results, Run, Settings
from tests.proof import SEED, luck

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def run(names: Sequence[str], path: Path, *, quick: bool, say: Callable[[str], None]) -> Results:
    """Measure these parts and write them into the file after each; parts of it that are not measured now stay.

    Returns what was measured now.
    """
    measured: dict[str, PartResult] = {}
    for name in names:
        say(f"{name}: begins")
        measured[name] = _measure(name, this_run(seed=SEED, quick=quick), say)
        kept = {part.name: part for part in _read(path).parts} | measured
        results.write(Results(parts=tuple(kept[name] for name in parts.MODULES if name in kept)), path)
        error = measured[name].error
        say(f"{name}: {'FAILED: ' + error.splitlines()[-1] if error else 'done'} in {measured[name].seconds:.0f} s")
    return Results(parts=tuple(measured.values()))


def _read(path: Path) -> Results:
    return results.read(path) if path.exists() else Results()


def _measure(name: str, about: Run, say: Callable[[str], None]) -> PartResult:
    begun = time.monotonic()
    part, error, taken = None, None, None
    settings = Settings(quick=about.quick, seed=about.seed, luck=luck, say=lambda line: say(f"{name}: {line}"))
    try:
        part = parts.load(name)
        taken = part.measure(settings)
    except Exception:  # noqa: BLE001  whatever it is, it is told in the report, and the other parts are not its fault
        error = traceback.format_exc().strip()
        say(error)
    return PartResult(
        name=name,
        title=part.title if part else name,
        about=part.about if part else "",
        run=about,
        seconds=round(time.monotonic() - begun, 1),
        comparisons=part.comparisons if part else (),
        series=taken.series if taken else (),
        flags=dict(taken.flags) if taken else {},
        notes=taken.notes if taken else (),
        error=error.splitlines()[-1] if error else None,
    )
