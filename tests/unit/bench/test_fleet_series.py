"""How the samples of a fleet come together: pairs stay pairs, and what failed is counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.bench.children import Cost
from tests.bench.fleet import ALL, PART, _series
from tests.bench.fleet_contenders import CREATE, PHASES
from tests.bench.fleet_drive import Fleet
from tests.bench.fleet_large import PART as LARGE
from tests.bench.results import Judged

if TYPE_CHECKING:
    from tests.bench.results import Series


def fleet(seconds: float, *, phases: tuple[str, ...] = PHASES) -> Fleet:
    """A fleet that took that long in each phase that it came through."""
    return Fleet(seconds=dict.fromkeys(phases, seconds))


def samples(made: list[Series], measure: str, contender: str) -> tuple[tuple[float, ...], int]:
    """Samples and failures of the one series of that measure and contender."""
    (found,) = [one for one in made if (one.measure, one.contender) == (measure, contender)]
    return found.samples, found.failures


def test_each_phase_and_all_together_give_a_sample() -> None:
    made = list(_series({"raw Jobs": fleet(2), "LongTask": fleet(3)}, 500, 1))
    assert samples(made, CREATE, "LongTask") == ((3,), 0)
    assert samples(made, ALL, "LongTask") == ((12,), 0)
    assert samples(made, ALL, "raw Jobs") == ((8,), 0)


def test_where_one_has_failed_the_pair_is_left_out_and_counted() -> None:
    made = list(_series({"raw Jobs": fleet(2), "LongTask": fleet(3, phases=PHASES[:1])}, 500, 1))
    assert samples(made, CREATE, "raw Jobs") == ((2,), 0)
    for measure in (*PHASES[1:], ALL):
        for contender in ("raw Jobs", "LongTask"):
            assert samples(made, measure, contender) == ((), 1)


def test_writes_are_counted_per_task() -> None:
    one = fleet(1)
    one.cost = Cost(cpu=1.5, memory=1, peak=2)
    one.calls = {
        CREATE: Counter({("create", "jobs", 201): 50, ("get", "longtasks", 200): 50}),
        "x": Counter({("patch", "jobs", 409): 25}),
    }
    made = list(_series({"LongTask": one}, 50, 1))
    assert samples(made, "operator's writes per task", "LongTask") == ((1.5,), 0)


def test_the_goals_are_those_of_500_and_2000_at_once() -> None:
    judged = [c for c in (*PART.comparisons, *LARGE.comparisons) if c.judged is Judged.RATIO]
    assert {(c.size, c.limit) for c in judged} == {(500, 1.25), (500, 1.1), (2000, 1.25), (2000, 1.1), (10000, None)}
