"""A plan that can't be meant is refused with the place and the reason; one that can survives being written down."""

from __future__ import annotations

import pytest

from tests.faults.plan import BadPlanError, Plan
from tests.faults.scenarios import SCENARIOS
from tests.faults.sweeps import everything
from tests.proof import luck

KILL = """
scenario: complete
rules:
- {client: operator, verb: write, occurrence: 3, action: kill, response: before}
"""


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("client: operator, action: explode", "rules.0.action"),
        ("client: nobody, action: drop-before", "rules.0.client"),
        ("client: operator, action: kill", "kill needs response"),
        ("client: operator, action: refuse", "refuse needs status"),
        ("client: operator, action: refuse, status: 418", "status is one of 409, 410, 422, 429, 500, 503, not 418"),
        ("client: operator, action: refuse, status: 500, seconds: 1", "refuse has no seconds"),
        ("client: operator, action: drop-before, event: 1", "drop-before has no event"),
        ("client: operator, verb: list, action: hide, event: 1", "hide is for `verb: watch`"),
        ("client: operator, verb: watch, action: hide", "hide needs event"),
        ("client: operator, verb: get, action: stale", "stale is for `verb: list`"),
        ("client: operator, verb: watch, action: drop-after-commit", "a watch commits nothing"),
        ("client: operator, action: drop-before, occurrence: 0", "'0' is none of `3`, `2-4`, `2-` and `every`"),
        ("client: operator, action: drop-before, occurrence: 4-2", "'4-2' is none of"),
        ("client: operator, action: drop-before, ocurrence: 1", "rules.0.ocurrence"),
    ],
)
def test_a_rule_that_can_not_be_meant_is_refused_with_the_reason(rule: str, words: str) -> None:
    with pytest.raises(BadPlanError, match=r"bad\.yaml") as refused:
        Plan.parse(f"scenario: complete\nrules: [{{{rule}}}]", "bad.yaml")
    assert words in str(refused.value)


def test_what_is_no_yaml_is_refused() -> None:
    with pytest.raises(BadPlanError, match="no YAML"):
        Plan.parse("scenario: [")


def test_json_is_a_plan_too() -> None:
    rule = '{"client": "operator", "verb": "write", "occurrence": 3, "action": "kill", "response": "before"}'
    assert Plan.parse(f'{{"scenario": "complete", "rules": [{rule}]}}') == Plan.parse(KILL)


def test_a_plan_survives_being_written_down() -> None:
    for plan in luck("dumped").sample(list(everything(luck("faults")).values()), 50):
        assert Plan.parse(plan.dump()) == plan


def test_the_operator_is_killed_on_both_sides_of_every_answer_in_every_scenario() -> None:
    plans = everything(luck("killed"))
    for scenario in SCENARIOS.values():
        killed = [name for name in plans if name.startswith(f"{scenario.name}/killed-")]
        assert len(killed) == 2 * scenario.writes
