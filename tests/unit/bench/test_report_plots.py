"""The plots: the same results give the same bytes, in every process; without matplotlib it is said what to do."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.bench import plots
from tests.bench.machine import ROOT
from tests.bench.results import write
from tests.unit.bench.builders import part, ratio, results, series

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.results import Results

DRAW = """
import hashlib, pathlib, sys
from tests.bench import plots, results
drawn = plots.draw(results.read(pathlib.Path(sys.argv[1])))
print(sorted((name, hashlib.sha256(content).hexdigest()) for name, content in drawn.items()))
"""


def some_results() -> Results:
    """What gives a plot of each kind."""
    sizes = [
        series(name, [base * size], size=size)
        for name, base in (("LongTask", 1.1), ("raw Job", 1))
        for size in (500, 2000)
    ]
    many = [
        series(name, [base + index / 100 for index in range(50)]) for name, base in (("LongTask", 2), ("raw Job", 1))
    ]
    return results(part(*many, *sizes, comparisons=[ratio(), ratio(title="Resume of many", size=500)]))


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(RuntimeError, match="pip install --group bench"):
        plots.draw(some_results())


def test_drawing_twice_gives_the_same_bytes_in_other_processes_too(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write(some_results(), path)
    runs = [
        subprocess.run(
            [sys.executable, "-c", DRAW, str(path)], check=True, capture_output=True, text=True, cwd=ROOT
        ).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    for name in ("ratios.svg", "suspend-distribution.svg", "suspend-sizes.svg"):
        assert name in runs[0]
