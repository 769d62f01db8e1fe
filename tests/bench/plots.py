"""The plots of the report, as SVG, drawn from recorded results. The same results give the same bytes.

Colours are those of Okabe and Ito, which colour-blind people can tell apart, and every contender has a line or a mark
of its own besides. The background is transparent and the text a grey that can be read on white and on black.
"""

from __future__ import annotations

import importlib
import io
import math
from typing import TYPE_CHECKING, Any, Final

from tests.bench.results import Judged, Unit
from tests.bench.verdicts import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.results import PartResult, Results, Series

OVERVIEW: Final = "ratios.svg"
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
LINES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKS: Final = ("o", "s", "^", "D", "v", "P")
GREY: Final = "#808890"
ENOUGH: Final = 20
"""From so many samples on, a distribution is worth a look."""

STYLE: Final = {
    "svg.hashsalt": "longtask",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": 10,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "figure.dpi": 72,
}


def draw(results: Results) -> dict[str, bytes]:
    """Return all plots by file name. Raises RuntimeError where matplotlib is missing."""
    try:
        matplotlib = importlib.import_module("matplotlib")
        matplotlib.use("agg")
        pyplot = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise RuntimeError("the plots need matplotlib: .venv/bin/pip install --group bench") from error
    drawn: dict[str, bytes] = {}
    with matplotlib.rc_context(STYLE):
        if figure := _ratios(pyplot, results):
            drawn[OVERVIEW] = _svg(pyplot, figure)
        for part in results.parts:
            for name, figure in zip(names_of(part), (_distributions(pyplot, part), _sizes(pyplot, part)), strict=True):
                if figure:
                    drawn[name] = _svg(pyplot, figure)
    return drawn


def names_of(part: PartResult) -> tuple[str, str]:
    """The files that may be drawn of a part: how samples are distributed, and how costs grow with size."""
    return f"{part.name}-distribution.svg", f"{part.name}-sizes.svg"


def _svg(pyplot: Any, figure: Any) -> bytes:  # noqa: ANN401  matplotlib is imported late
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    lines = buffer.getvalue().decode().splitlines()
    return ("\n".join(line.rstrip() for line in lines) + "\n").encode()


def _ratios(pyplot: Any, results: Results) -> Any:  # noqa: ANN401
    """Every ratio that has a goal, with its spread."""
    found = [
        (comparison, judge(part, comparison))
        for part in results.parts
        for comparison in part.comparisons
        if comparison.limit is not None and comparison.judged in {Judged.RATIO, Judged.GROWTH}
    ]
    rows = [(comparison, verdict) for comparison, verdict in found if not verdict.trouble]
    if not rows:
        return None
    figure, axes = pyplot.subplots(figsize=(9, 0.8 + 0.34 * len(rows)), layout="constrained")
    for place, (comparison, verdict) in enumerate(rows):
        colour, mark = (COLOURS[0], "o") if verdict.met else (COLOURS[1], "X")
        if not math.isnan(verdict.low):
            axes.plot([verdict.low, verdict.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot([verdict.value], [place], mark, color=colour, markersize=7)
        axes.plot([comparison.limit], [place], "|", color=GREY, markersize=14, markeredgewidth=2)
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_yticks(range(len(rows)), [comparison.title for comparison, _ in rows])
    axes.invert_yaxis()
    axes.set_xscale("log")
    _plain_ticks(axes.xaxis)
    axes.set_xlabel("times, with spread (● goal met, ✖ missed); | is the goal")
    return figure


def _distributions(pyplot: Any, part: PartResult) -> Any:  # noqa: ANN401
    """What share of samples is at most how large, of measures that are compared and have many samples."""
    measures = _compared(part, lambda size, count: size == 1 and count >= ENOUGH)
    if not measures:
        return None
    figure, grid = pyplot.subplots(
        1, len(measures), figsize=(4.6 * len(measures), 3.4), layout="constrained", squeeze=False
    )
    for axes, measure in zip(grid[0], measures, strict=True):
        found = [series for series in part.series if (series.measure, series.size) == (measure, 1)]
        for number, name in enumerate(_contenders(found)):
            samples = sorted(sample for series in found if series.contender == name for sample in series.samples)
            shares = [100 * (index + 1) / len(samples) for index in range(len(samples))]
            axes.step(samples, shares, where="post", label=name, **_look(number))
        axes.set_xscale("log")
        _plain_ticks(axes.xaxis)
        axes.set_xlabel(_unit_name(found[0].unit))
        axes.set_title(measure)
        axes.set_ylabel("% of samples")
        axes.legend(loc="lower right")
    return figure


def _sizes(pyplot: Any, part: PartResult) -> Any:  # noqa: ANN401
    """How a cost grows with the number of tasks, of all contenders."""
    sizes = sorted({series.size for series in part.series if series.samples})
    measures = _compared(part, lambda size, _: size > 1)
    if len(sizes) < 2 or not measures:
        return None
    columns = min(2, len(measures))
    lines = math.ceil(len(measures) / columns)
    figure, grid = pyplot.subplots(
        lines, columns, figsize=(4.6 * columns, 3.2 * lines), layout="constrained", squeeze=False
    )
    for axes, measure in zip(grid.flat, measures, strict=False):
        found = [series for series in part.series if series.measure == measure and series.samples]
        for number, name in enumerate(_contenders(found)):
            points = [
                (series.size, sample) for series in found if series.contender == name for sample in series.samples
            ]
            middle = [(size, _median([cost for at, cost in points if at == size])) for size in sizes]
            middle = [(size, cost) for size, cost in middle if not math.isnan(cost)]
            axes.plot(*zip(*middle, strict=True), label=name, **_look(number))
            axes.plot(*zip(*points, strict=True), MARKS[number % len(MARKS)], color=COLOURS[number % 6], alpha=0.6)
        axes.set_xscale("log")
        axes.set_yscale("log")
        _plain_ticks(axes.yaxis)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.set_title(measure)
        axes.set_ylabel(_unit_name(found[0].unit))
        axes.legend(loc="upper left")
    for axes in list(grid.flat)[len(measures) :]:
        axes.set_visible(False)
    return figure


def _compared(part: PartResult, wanted: Any) -> list[str]:  # noqa: ANN401
    """Measures of which some contender is compared with another, in their order."""
    names = dict.fromkeys(comparison.measure for comparison in part.comparisons if comparison.baseline)
    return [
        name
        for name in names
        if any(series.measure == name and wanted(series.size, len(series.samples)) for series in part.series)
    ]


def _look(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": LINES[number % len(LINES)], "linewidth": 1.8}


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else math.nan


def _contenders(found: Sequence[Series]) -> list[str]:
    """Ours first, then the others in their order, so that the same one looks the same in all plots of a part."""
    return sorted(dict.fromkeys(series.contender for series in found), key=lambda name: name != "LongTask")


def _plain_ticks(axis: Any) -> None:  # noqa: ANN401
    """Numbers as people write them, at 1, 2 and 5 of each power of ten."""
    ticker = importlib.import_module("matplotlib.ticker")
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(ticker.NullLocator())


def _unit_name(unit: Unit) -> str:
    return {Unit.SECONDS: "seconds", Unit.BYTES: "bytes", Unit.COUNT: "count", Unit.RATIO: "ratio"}[unit]
