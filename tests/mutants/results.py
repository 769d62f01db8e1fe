"""What became of each mutant, as it is kept in the repository for the page that is generated from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.mutants.catalogue import Mutant
    from tests.mutants.trial import Verdict

FILE: Final = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a mutant was caught. `fingerprint`: of the break that was tried."""

    fingerprint: str
    outcome: str
    test: str


def load(file: Path = FILE) -> dict[str, Result]:
    """The results by the mutant's id; none if nothing was tried yet."""
    if not file.exists():
        return {}
    return {name: Result(**fields) for name, fields in json.loads(file.read_text()).items()}


def record(verdicts: Iterable[Verdict], mutants: Iterable[Mutant], file: Path = FILE) -> None:
    """Put the verdicts in; what was not tried now stays, what is no mutant any more goes, and so does a survivor."""
    kept = load(file)
    for verdict in verdicts:
        kept.pop(verdict.mutant.id, None)
        if verdict.caught:
            kept[verdict.mutant.id] = Result(
                fingerprint=verdict.mutant.fingerprint, outcome=verdict.outcome, test=verdict.test
            )
    known = {mutant.id for mutant in mutants}
    fields = {name: asdict(result) for name, result in sorted(kept.items()) if name in known}
    new = file.with_suffix(".new")
    new.write_text(json.dumps(fields, indent=1) + "\n")
    new.replace(file)


def missing(mutants: Iterable[Mutant], results: Mapping[str, Result]) -> list[str]:
    """Ids of mutants that have no result, or only one of another break."""
    return [
        mutant.id
        for mutant in mutants
        if mutant.id not in results or results[mutant.id].fingerprint != mutant.fingerprint
    ]
