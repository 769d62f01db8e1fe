"""docs/mutants.md: every seeded mutant, and the test that caught it when it was last tried."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.generate.registry import MARK
from tests.mutants import catalogue, results
from tests.mutants.catalogue import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutants.catalogue import Mutant
    from tests.mutants.results import Result

FILE: Final = "docs/mutants.md"
SOURCE: Final = "tests/mutants"

_PAGE: Final = """\
<!-- {mark} from {source}: change it there, not here. -->

# Mutants

A test that can't fail shows nothing. So the code is broken on purpose, one place at a time, in a copy: a precondition
is left out, a step of a proof skipped, a rule of the API server weakened. Each of these {count} mutants was caught by a
test; the first one that failed is named. Rules of the resource and of its policies are broken in what is installed, and
caught on a real API server.

`python -m tests.mutants --all` tries them all again and records what caught them; `--only ID` tries one. A mutant that
no test catches ends the run with an error, and so does one that no longer fits the code. `make test` tries a few, drawn
with a new seed each time.

{totals}

{parts}
"""

_PARTS: Final = (
    ("The decision", "operator/longtask/core/"),
    ("The operator's shell", "operator/longtask/shell/"),
    ("The worker", "operator/longtask/worker/"),
    ("Rules and policies of the API server", "manifests/"),
    ("The chart", "charts/"),
)


def files() -> dict[str, str]:
    """Return the page. Raises RuntimeError for a mutant without a result, or with one of another break."""
    mutants, known = catalogue.load(), results.load()
    if untried := results.missing(mutants, known):
        raise RuntimeError(
            f"mutants that were never tried, or were changed since: {', '.join(untried)}."
            " `python -m tests.mutants --only ID` tries and records one, --all all of them"
        )
    if gone := known.keys() - {mutant.id for mutant in mutants}:
        raise RuntimeError(f"results of mutants that there are no more: {', '.join(sorted(gone))}")
    page = _PAGE.format(
        mark=MARK, source=SOURCE, count=len(mutants), totals=_totals(mutants, known), parts=_parts(mutants, known)
    )
    return {FILE: page}


def _totals(mutants: Sequence[Mutant], known: dict[str, Result]) -> str:
    counts = Counter(mutant.level for mutant in mutants)
    timed_out = Counter(mutant.level for mutant in mutants if known[mutant.id].outcome != "killed")
    rows = [(str(level), str(counts[level]), str(timed_out[level])) for level in Level]
    return _table(("Caught at the level", "Mutants", "of these by time-out"), rows)


def _parts(mutants: Sequence[Mutant], known: dict[str, Result]) -> str:
    parts = []
    for title, folder in _PARTS:
        rows = [_row(mutant, known[mutant.id]) for mutant in mutants if mutant.file.startswith(folder)]
        parts.append(f"## {title}\n\n" + _table(("Mutant", "What it breaks", "Threatens", "Caught by", "Level"), rows))
    return "\n\n".join(parts)


def _row(mutant: Mutant, result: Result) -> tuple[str, ...]:
    file, _, test = result.test.partition("::")
    name, _, case = test.partition("[")
    sentence = name.removeprefix("test_").replace("_", " ")
    more = f" `{case.removesuffix(']')}`" if case else ""
    how = "" if result.outcome == "killed" else ", by time-out"
    caught = f"[{sentence}](../{file}){more}{how}"
    return (f"`{mutant.id}`", mutant.breaks, mutant.threatens, caught, mutant.level.name.lower().replace("_", " "))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in lines)
