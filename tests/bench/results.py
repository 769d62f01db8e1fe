"""What a run of the benchmarks leaves behind: raw samples with all that is needed to judge and to repeat them.

A run is one JSON file. The report, the plots and `make bench-check` are made from that file alone, so nothing that
they say can differ from what was measured. This module must not know how anything is measured, nor how it is shown.

Every measure is a cost: smaller is better. A rate ("batches per second") is therefore kept as its inverse.

A part of the benchmarks is a module with a `PART`; parts.py has the table of them:

    def measure(settings: Settings) -> Measured:
        ours, theirs = [], []
        for _ in range(20 if settings.quick else 200):      # interleaved: pair after pair, in turns
            ours.append(...)
            theirs.append(...)
        return Measured(
            series=(
                Series(measure="resume", contender="LongTask", unit=Unit.SECONDS, samples=tuple(ours)),
                Series(measure="resume", contender="raw Job", unit=Unit.SECONDS, samples=tuple(theirs)),
            ),
            flags={"etcd": "with fsync"},
        )

    PART = Part(
        name="resume", title="Resuming a real worker", about="What is compared with what, in Markdown.",
        comparisons=(
            Comparison(title="Resume, p50", measure="resume", contender="LongTask", baseline="raw Job",
                       judged=Judged.RATIO, limit=1.05),
        ),
        measure=measure,
    )
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping
    from pathlib import Path

RESULTS: Final = "docs/benchmarks/results.json"
"""Where the recorded run is, from the root of the repository."""


class Record(BaseModel):
    """Frozen, and strict about its fields: a misspelt one is an error and not silently lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@unique
class Unit(StrEnum):
    """What a sample counts."""

    SECONDS = "s"
    BYTES = "B"
    COUNT = "count"
    RATIO = "times"


class Series(Record):
    """Raw samples of one measure of one contender at one size, in the order in which they were taken.

    Sample `i` of two contenders with the same measure, size and repetition is a pair: taken one directly after the
    other, or at the same time side by side. A pair of which one half did not succeed is left out of both series and
    counted in `failures`.
    """

    measure: str
    """What was measured, as in a table: "suspend", "create to running", "one save"."""
    contender: str
    """Who: "LongTask", "raw Job", "null operator"."""
    unit: Unit
    samples: tuple[float, ...]
    size: int = 1
    """How many tasks at once."""
    repetition: int = 1
    """Counts from 1. Within a repetition all contenders were measured in turns."""
    failures: int = 0
    """Pairs that did not come to their end in time."""


@unique
class Judged(StrEnum):
    """How one number comes from the samples of a comparison; see verdicts.py for the arithmetic."""

    RATIO = "ratio"
    """Median of the contender by median of the baseline."""
    ADDED_P99 = "added p99"
    """99th percentile of what pairs differ by: contender minus baseline. Needs 200 pairs."""
    VALUE = "value"
    """Median of the contender itself."""
    P99 = "p99"
    """99th percentile of the contender itself. Needs 200 samples."""
    MOST = "most"
    """Maximum of the contender itself."""
    GROWTH = "growth"
    """Median cost for each task at `size` by that at `baseline_size`, of one contender: 1 is linear."""


class Comparison(Record):
    """One row of the report: what is compared with what, and the goal. Without a limit it is only reported."""

    title: str
    measure: str
    contender: str
    judged: Judged
    baseline: str | None = None
    """The contender to compare with; for RATIO and ADDED_P99."""
    size: int = 1
    baseline_size: int | None = None
    """For GROWTH."""
    limit: float | None = None
    """Goal: at most this."""
    checked: bool = True
    """Whether `make bench-check` holds it against the recorded run. Only ratios are: values differ by machine."""


class Machine(Record):
    """The hardware that a run was made on."""

    cpu: str
    cores: int
    memory_bytes: int
    kernel: str


class Run(Record):
    """When, of what, and where. `changed`: the tree had changes that are not in `commit`."""

    when: AwareDatetime
    commit: str
    changed: bool
    machine: Machine
    versions: dict[str, str]
    """By program: "Kubernetes", "Python", "kopf", "kubernetes (client)", "etcd"."""
    seed: int
    quick: bool


class PartResult(Record):
    """What one part gave. `error`: why it has not come to its end; what it had measured until then is lost."""

    name: str
    title: str
    about: str
    run: Run
    """Each part has its own: one part can be measured again, and the others stay."""
    seconds: float
    comparisons: tuple[Comparison, ...] = ()
    series: tuple[Series, ...] = ()
    flags: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None


class Results(Record):
    """The content of results.json: the parts in the order of the table in parts.py."""

    parts: tuple[PartResult, ...] = ()

    def part(self, name: str) -> PartResult | None:
        """The part of that name, if it was run."""
        return next((part for part in self.parts if part.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a part is told. `quick`: a small run of a few minutes, for `bench-check` and for trying out."""

    quick: bool
    seed: int
    luck: Callable[[str], random.Random]
    """Gives a source of randomness for a purpose, the same for the same seed."""
    say: Callable[[str], None]
    """Tells the person who waits how far it is, in one line."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a part returns: its samples, and the facts that belong to them."""

    series: tuple[Series, ...]
    flags: Mapping[str, str] = field(default_factory=dict)
    """What the numbers depend on: "etcd": "with fsync", "kube-controller-manager --kube-api-qps": "500"."""
    notes: tuple[str, ...] = ()
    """Sentences in Markdown that were found while measuring: where the time goes, what failed."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the benchmarks. `measure` raises whatever it likes: the report then says what, and the run fails."""

    name: str
    title: str
    about: str
    comparisons: tuple[Comparison, ...]
    measure: Callable[[Settings], Measured]


def write(results: Results, path: Path) -> None:
    """Write a run as JSON: one line for each series, so that it is compact and can still be read and compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(results))


def to_json(results: Results) -> str:
    """Return the text of a results file."""
    parts = ",\n".join(_part_json(part) for part in results.parts)
    return f'{{"parts": [\n{parts}\n]}}\n'


def read(path: Path) -> Results:
    """Read a run. Raises OSError when there is none, pydantic.ValidationError when it is not one."""
    return Results.model_validate_json(path.read_text())


def _part_json(part: PartResult) -> str:
    head = part.model_dump_json(indent=1, exclude={"series"}).removesuffix("\n}")
    rows = ",\n  ".join(series.model_dump_json() for series in part.series)
    return f'{head},\n "series": [\n  {rows}\n ]\n}}'
