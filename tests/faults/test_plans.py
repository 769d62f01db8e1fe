"""Scenarios on a real cluster under every fault that there is a plan for: all of them with LONGTASK_PROOF=1, else those
that were kept, and a handful that luck has chosen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster import api as cluster_api
from tests.faults.plan import Plan
from tests.faults.run import carry_out
from tests.faults.scenarios import SCENARIOS
from tests.faults.sweeps import everything
from tests.proof import FULL, luck

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.site import Site

KEPT: Final = {path.stem: Plan.read(path) for path in sorted((Path(__file__).parent / "plans").glob("*.yaml"))}
ALL: Final = everything(luck("faults"))
HANDFUL: Final = 8
UNDISTURBED: Final = 4


def some(names: list[str], count: int) -> list[str]:
    """All of them, or so many by luck."""
    return names if FULL else sorted(luck("which faults").sample(names, count))


def need_reach(plan: Plan) -> None:
    """Skip a plan about workers where the proxy can't stand between them and the API server."""
    kind = cluster_api.current().kind
    if plan.is_about("worker") and kind != "local":
        pytest.skip(f"the requests of workers are out of reach in a cluster of kind {kind}: LONGTASK_CLUSTER=local")


@pytest.mark.parametrize("name", some(list(SCENARIOS), UNDISTURBED))
def test_without_a_fault_a_scenario_ends_as_it_says(name: str, site: Site, token: str, tmp_path: Path) -> None:
    outcome = carry_out(site, Plan(scenario=name), token, tmp_path)
    assert outcome.wrong == [], outcome.story()
    assert outcome.writes <= SCENARIOS[name].writes, outcome.story()


@pytest.mark.parametrize("name", KEPT)
def test_a_plan_that_was_kept_does_no_harm(
    name: str, site: Site, token: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    need_reach(KEPT[name])
    outcome = carry_out(site, KEPT[name], token, tmp_path)
    record_property("unfired", len(outcome.unfired))
    assert outcome.wrong == [], outcome.story()
    # How often a worker saves depends on how fast it is, so a late turn may not come; a plan that does nothing is none.
    assert len(outcome.unfired) < len(KEPT[name].rules), outcome.story()


@pytest.mark.parametrize("name", some(list(ALL), HANDFUL))
def test_no_fault_does_harm(
    name: str, site: Site, token: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    need_reach(ALL[name])
    outcome = carry_out(site, ALL[name], token, tmp_path)
    record_property("unfired", len(outcome.unfired))
    assert outcome.wrong == [], outcome.story()
