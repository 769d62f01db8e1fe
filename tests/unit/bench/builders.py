"""Results for tests, made of as little as a test speaks of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tests.bench.results import Comparison, Judged, Machine, PartResult, Results, Run, Series, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN: Final = Run(
    when=datetime(2026, 11, 25, 12, tzinfo=UTC),
    commit="0123456789abcdef",
    changed=False,
    machine=Machine(cpu="a CPU", cores=2, memory_bytes=2**34, kernel="Linux 6"),
    versions={"Kubernetes": "v1.36.3"},
    seed=7,
    quick=False,
)


def series(contender: str, samples: Sequence[float], **changes: Any) -> Series:  # noqa: ANN401 - fields of a series
    """Seconds that a resume took, unless told otherwise."""
    fields = {"measure": "resume", "unit": Unit.SECONDS, **changes}
    return Series(contender=contender, samples=tuple(samples), **fields)


def ratio(**changes: Any) -> Comparison:  # noqa: ANN401 - fields of a comparison
    """LongTask against a raw Job, at most 1.05 times."""
    fields: dict[str, Any] = {"title": "Resume", "measure": "resume", "contender": "LongTask", "baseline": "raw Job"}
    return Comparison(**{**fields, "judged": Judged.RATIO, "limit": 1.05, **changes})


def part(*of: Series, comparisons: Sequence[Comparison] = (), **changes: Any) -> PartResult:  # noqa: ANN401
    """A part that was measured; by default it compares resumes."""
    fields: dict[str, Any] = {"name": "suspend", "title": "Suspend and resume", "about": "How it is.", "run": RUN}
    fields |= {"seconds": 1, "comparisons": tuple(comparisons) or (ratio(),), **changes}
    return PartResult(series=of, **fields)


def resumes(ours: float, raw: float, *, pairs: int = 3, **changes: Any) -> PartResult:  # noqa: ANN401
    """A part in which every LongTask took `ours` seconds to resume, and every raw Job `raw`."""
    return part(series("LongTask", [ours] * pairs), series("raw Job", [raw] * pairs), **changes)


def results(*parts: PartResult) -> Results:
    """A file of them."""
    return Results(parts=parts)
