"""The report in Markdown, made from recorded results and from nothing else. It must not know how anything is measured.

A goal that is not met, and one that was not measured, are said to be so, whatever the reason.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tests.bench import parts, plots
from tests.bench.results import Judged, Unit
from tests.bench.verdicts import NotMeasuredError, judge, percentile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.bench.results import Comparison, PartResult, Results, Run, Series
    from tests.bench.verdicts import Verdict

FOLDER: Final = "docs/benchmarks"
NAME: Final = "README.md"
RATIOS: Final = frozenset({Judged.RATIO, Judged.GROWTH})

HEAD: Final = """\
# Benchmarks

<!-- Made by `make bench` from results.json: change the code in tests/bench, not this file. -->

What LongTask costs, against raw Jobs on the same machine in the same minutes. Absolute times hold nowhere else, so
nearly everything here is a **ratio**: contenders take turns within one run, and what disturbs one disturbs the other.
Goals were set before anything was measured; what misses its goal is listed as missed.
"""

READING: Final = """\
## How to read it

* A **ratio** is the median of one contender by that of another: 1 is equal, less is faster.
* Its **spread**: from three repetitions on, each repetition has its own ratio; the number is the median of them, and
  the spread goes from the least to the greatest. With fewer, it is the 95 % interval of a bootstrap over the pairs.
* A **p99** is only taken of 200 samples or more, and otherwise refused.
* **Growth** is the cost of one task at the larger size by that at the smaller one: 1 is linear.
* Absolute times are those of the machine below. Two of its hours differ, too: only compare what one run measured.
* Every sample is in [results.json](results.json), in the order in which it was taken.

## How to repeat it

    make bench          # everything: leave the machine alone meanwhile
    make bench-check    # a small run; fails if a ratio is 20 % worse than the recorded one
    python -m tests.bench run --quick --parts suspend    # one part, small, nothing recorded
"""


def write_all(results: Results, folder: Path) -> None:
    """Write the report and its plots. Files that would be the same again are the same, to the byte."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots.draw(results)
    for name, content in drawn.items():
        (folder / name).write_bytes(content)
    for old in folder.glob("*.svg"):
        if old.name not in drawn:
            old.unlink()
    (folder / NAME).write_text(render(results, drawn))


def render(results: Results, pictures: Iterable[str]) -> str:
    """Return the whole report; `pictures` are the names of the files of plots."""
    pictures = list(pictures)
    sections = [HEAD, *_warnings(results), goals(results), *_shown(plots.OVERVIEW, "all ratios", pictures), READING]
    for part in results.parts:
        sections.extend(_part(part, pictures))
    sections.append(_set_up(results))
    return "\n".join(section.strip("\n") + "\n" for section in sections)


def goals(results: Results) -> str:
    """The table of goals: what was measured, and whether that is met."""
    rows = [row for part in results.parts for row in _goal_rows(part)]
    missing = [name for name in parts.MODULES if results.part(name) is None]
    rows += [["", f"*part `{name}`*", "", "", "", "**not measured**: the part was not run"] for name in missing]
    return "## Goals\n\n" + _table(["part", "what", "goal", "measured (spread)", "of", "verdict"], rows)


def others(part: PartResult) -> str:
    """The table of what was compared without a goal."""
    rows = [
        [comparison.title, measured(verdict, unit) or word(verdict), counted(verdict)]
        for comparison in part.comparisons
        if comparison.limit is None
        for verdict, unit in [(judge(part, comparison), _unit(part, comparison))]
    ]
    return _table(["for information", "measured (spread)", "of"], rows) if rows else ""


def _warnings(results: Results) -> Iterator[str]:
    quick = [part.title for part in results.parts if part.run.quick]
    failed = [part.title for part in results.parts if part.error]
    if quick:
        yield f"> **Not the full measurement**: a small run gave {', '.join(quick)}."
    if failed:
        yield f"> **Failed**: {', '.join(failed)}. Nothing below speaks of it."


def _goal_rows(part: PartResult) -> Iterator[list[str]]:
    if not part.comparisons and part.error:
        yield [part.title, "*all of it*", "", "", "", f"**not measured**: {_escaped(part.error)}"]
    for comparison in part.comparisons:
        if comparison.limit is None:
            continue
        verdict, unit = judge(part, comparison), _unit(part, comparison)
        limit = f"≤ {amount(comparison.limit, unit)}{_times(unit)}"
        yield [part.title, comparison.title, limit, measured(verdict, unit), counted(verdict), word(verdict)]


def _unit(part: PartResult, comparison: Comparison) -> Unit:
    return Unit.RATIO if comparison.judged in RATIOS else unit_of(part, comparison.measure)


def word(verdict: Verdict) -> str:
    """The verdict in a word or two: a goal without a number is not met."""
    if verdict.trouble:
        return f"**not measured**: {_escaped(verdict.trouble)}"
    if verdict.met is None:
        return "for information"
    return "met" if verdict.met else "**missed**"


def measured(verdict: Verdict, unit: Unit) -> str:
    """The number with its spread."""
    if math.isnan(verdict.value):
        return ""
    spread = "" if math.isnan(verdict.low) else f" ({amount(verdict.low, unit)} to {amount(verdict.high, unit)})"
    return amount(verdict.value, unit) + spread + _times(unit)


def counted(verdict: Verdict) -> str:
    """Of how many samples it is."""
    if not verdict.pairs:
        return ""
    words = f"{verdict.pairs} in {verdict.repetitions} repetitions" if verdict.repetitions > 1 else str(verdict.pairs)
    return words + (f", {verdict.failures} failed" if verdict.failures else "")


def amount(value: float, unit: Unit) -> str:
    """A number with its unit, in about three digits."""
    match unit:
        case Unit.RATIO:
            return f"{value:.2f}"
        case Unit.BYTES:
            return _scaled(value, ((1e6, "MB"), (1e3, "kB"), (1, "B")))
        case Unit.SECONDS:
            return _scaled(value, ((1, "s"), (1e-3, "ms"), (1e-6, "µs")))
        case Unit.COUNT:
            return f"{value:g}"


def _times(unit: Unit) -> str:
    return " times" if unit is Unit.RATIO else ""


def unit_of(part: PartResult, measure: str) -> Unit:
    """The unit in which a measure was taken."""
    return next((series.unit for series in part.series if series.measure == measure), Unit.COUNT)


def _scaled(value: float, scales: tuple[tuple[float, str], ...]) -> str:
    factor, name = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    scaled = value / factor
    digits = max(0, 2 - math.floor(math.log10(abs(scaled)))) if abs(scaled) >= 0.01 else 2
    return f"{scaled:.{digits}f} {name}"


def _part(part: PartResult, pictures: list[str]) -> Iterator[str]:
    yield f"## {part.title}"
    if part.about:
        yield part.about
    if part.error:
        yield f"**This part failed, and nothing of it was measured:** `{part.error}`"
        return
    for name in plots.names_of(part):
        yield from _shown(name, part.title, pictures)
    yield others(part)
    if part.notes:
        yield "\n".join(f"* {note}" for note in part.notes)
    yield _details(part.series)


def _details(series: tuple[Series, ...]) -> str:
    """All series, those of several repetitions together."""
    together: dict[tuple[str, int, str], list[Series]] = {}
    for one in series:
        together.setdefault((one.measure, one.size, one.contender), []).append(one)
    rows = []
    for (measure, size, contender), found in together.items():
        samples = [sample for one in found for sample in one.samples]
        unit = found[0].unit
        numbers = [_percentile(samples, percent, unit) for percent in (50, 90, 99, 100)]
        rows.append([measure, f"{size:,}", contender, *numbers, str(len(samples))])
    table = _table(["measure", "tasks", "contender", "p50", "p90", "p99", "most", "samples"], rows)
    return f"<details><summary>All numbers</summary>\n\n{table}\n</details>"


def _percentile(samples: list[float], percent: float, unit: Unit) -> str:
    try:
        return amount(max(samples) if percent == 100 and samples else percentile(samples, percent), unit)
    except NotMeasuredError:
        return ""


def _set_up(results: Results) -> str:
    rows = [_run_row(part.title, part.run, part.flags) for part in results.parts]
    return "## Set-up\n\n" + _table(["part", "when", "commit", "machine", "versions", "flags", "seed"], rows)


def _run_row(title: str, run: Run, flags: Mapping[str, str]) -> list[str]:
    machine = run.machine
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    return [
        title,
        run.when.strftime("%Y-%m-%d %H:%M UTC"),
        f"`{run.commit[:10]}`{' and changes' if run.changed else ''}",
        f"{machine.cpu}, {machine.cores} cores, {memory}, {machine.kernel}",
        ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "<br>".join(f"{name}: {value}" for name, value in flags.items()),
        str(run.seed),
    ]


def _shown(name: str, what: str, pictures: list[str]) -> Iterator[str]:
    if name in pictures:
        yield f"![{what}]({name})"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\n", " ").replace("<", "&lt;")
