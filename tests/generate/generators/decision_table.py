"""docs/decision-table.md: the guards and the table of `longtask.core.reconcile`, and what their steps do."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

from longtask.api.longtask import DesiredState
from longtask.core.actions import Outcome
from longtask.core.reconcile import GUARDS, TABLE
from longtask.core.situation import Situation
from tests.generate.registry import MARK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from longtask.core.reconcile import Step

FILE: Final = "docs/decision-table.md"
SOURCE: Final = "operator/longtask/core"

_PAGE: Final = """\
<!-- {mark} from {source}: change it there, not here. -->

# The decision

`reconcile(observed) -> plan` looks at one frozen snapshot of a task, its Jobs and its pods, and says what to do next.
It asks the guards first, in this order, and takes the step of the first that holds. If none does, it reads the step
from the table. There is no other way to a step, and no memory: the next look begins anew with what is there then.

## Guards

{guards}

## Table

What remains, by what is desired and by where the Job of the current attempt stands. `Terminate` has no column: its
guard comes before.

{table}

## Situations

How it is told where the Job stands. Where several fit, `Complete` counts most, then that the Job is being deleted, then
the other conditions of its end, then `spec.suspend`.

{situations}

## Steps

What each step does, in the first words of its own description in the code. (a), (b) and (c) are the three parts of
[what `Suspended` proves](architecture.md#what-suspended-proves).

{steps}

## Outcomes

Every plan has one of these names; logs use them. A plan holds actions, or a question that is answered before the same
step is asked again, or neither. A status that says nothing new is not written, so a settled task costs nothing.

{outcomes}
"""


def files() -> dict[str, str]:
    """Return the page. Raises ValueError when a step has no description."""
    page = _PAGE.format(
        mark=MARK,
        source=SOURCE,
        guards=_guards(),
        table=_table(),
        situations=_situations(),
        steps=_steps(),
        outcomes=_outcomes(),
    )
    return {FILE: page}


def _guards() -> str:
    return "\n".join(f"{number}. When {guard.when}: {_link(guard.step)}." for number, guard in enumerate(GUARDS, 1))


def _table() -> str:
    columns = [desired for desired in DesiredState if any(desired is key for key, _ in TABLE)]
    rows = [[str(where), *(_link(TABLE[desired, where]) for desired in columns)] for where in Situation]
    return _markdown_table(["", *(f"`{desired}` is desired" for desired in columns)], rows)


def _situations() -> str:
    return _markdown_table(["Situation", "What shows it"], [[str(where), where.told_by] for where in Situation])


def _steps() -> str:
    steps = {step.__name__: step for step in (*(guard.step for guard in GUARDS), *TABLE.values())}
    return "\n\n".join(f"### {name}\n\n{_first_words(step)}" for name, step in steps.items())


def _outcomes() -> str:
    return _markdown_table(["Outcome", "In words"], [[f"`{outcome.name}`", str(outcome)] for outcome in Outcome])


def _first_words(step: Step) -> str:
    words = (inspect.getdoc(step) or "").partition("\n\n")[0].replace("\n", " ")
    if not words:
        raise ValueError(f"{step.__name__} needs a docstring: the page on the decision quotes it")
    return words


def _link(step: Step) -> str:
    return f"[{step.__name__}](#{step.__name__})"


def _markdown_table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
