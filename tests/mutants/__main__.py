"""`python -m tests.mutants`: break the code on purpose, one place at a time, and see that a test notices.

Without options, a few that are drawn with the seed of the run; with --all (or LONGTASK_PROOF=1) every one. A full run,
and one of single mutants, is recorded in tests/mutants/results.json, which docs/mutants.md is generated from.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Final

from tests.mutants import results
from tests.mutants.catalogue import CatalogueError, Level, Mutant, check, load
from tests.mutants.trial import Outcome, TrialError, Verdict, trial
from tests.proof import FULL, SEED, luck

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE: Final = 10
SAMPLE_ON_API_SERVER: Final = 2


def main(words: Sequence[str] | None = None) -> int:
    """Try mutants; 0 when all were caught, 1 when one survived, 2 when nothing can be said."""
    asked = _parser().parse_args(words)
    mutants = load()
    try:
        check(mutants)
        chosen = _chosen(mutants, asked)
        _say(f"{len(chosen)} of {len(mutants)} mutants, seed LONGTASK_SEED={SEED}, after the unbroken code")
        begun = time.monotonic()
        verdicts = trial(chosen, jobs=asked.jobs, tell=_tell)
    except (CatalogueError, TrialError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    if asked.all or asked.only:
        results.record(verdicts, mutants)
    caught = sum(verdict.caught for verdict in verdicts)
    _say(f"{caught} of {len(verdicts)} caught in {time.monotonic() - begun:.0f} s")
    return _judged([verdict for verdict in verdicts if not verdict.caught])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--all", action="store_true", default=FULL, help="every mutant, and record the results")
    parser.add_argument("--only", action="append", metavar="ID", help="this mutant (may be repeated), and record it")
    parser.add_argument("--sample", type=int, default=SAMPLE, metavar="K", help=f"so many at random ({SAMPLE})")
    parser.add_argument("--no-cluster", action="store_true", help="leave out those that need a real API server")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="so many at the same time (2)")
    return parser


def _chosen(mutants: Sequence[Mutant], asked: argparse.Namespace) -> list[Mutant]:
    if asked.only:
        if unknown := set(asked.only) - {mutant.id for mutant in mutants}:
            raise CatalogueError(f"no such mutant: {', '.join(sorted(unknown))}")
        return [mutant for mutant in mutants if mutant.id in asked.only]
    here = [mutant for mutant in mutants if mutant.level is not Level.API_SERVER]
    there = [] if asked.no_cluster else [mutant for mutant in mutants if mutant.level is Level.API_SERVER]
    if asked.all:
        return here + there
    drawn = luck("mutants")
    return drawn.sample(here, min(asked.sample, len(here))) + drawn.sample(there, min(SAMPLE_ON_API_SERVER, len(there)))


def _tell(verdict: Verdict) -> None:
    _say(f"{verdict.outcome:18} {verdict.mutant.id}  {verdict.test}")


def _judged(uncaught: Sequence[Verdict]) -> int:
    for verdict in uncaught:
        mutant = verdict.mutant
        if verdict.outcome is Outcome.SURVIVED:
            _say(
                f"\nSURVIVED: {mutant.id}\n  {mutant.breaks}, in {mutant.file}, and all of these pass:"
                f" {', '.join(mutant.killers)}\n  It threatens {mutant.threatens}: write the test that is missing, or"
                " show that the break changes nothing and take another"
            )
        else:
            _say(f"\nNOT TRIED: {mutant.id}: the broken code can't be tested at all\n{verdict.words}")
    return 1 if uncaught else 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
