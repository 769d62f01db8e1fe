"""Trying mutants: first that the unbroken code passes, then one break at a time. It must not know where results go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from tests.mutants.catalogue import Level, Mutant
from tests.mutants.workshop import FAILED, PASSED, Run, Workshop, workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

LONGEST_BASELINE: Final = 900.0
LEAST_SECONDS: Final = 60.0
PATIENCE: Final = 5.0
"""A mutant gets so many times what its killers take on the unbroken code, on top of the least."""


class TrialError(Exception):
    """Nothing can be said about the mutants; the message says why."""


class Outcome(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "killed by time-out"
    SURVIVED = "survived"
    BROKEN = "not tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of it, the test that noticed, and pytest's words where they help."""

    mutant: Mutant
    outcome: Outcome
    test: str = ""
    words: str = ""

    @property
    def caught(self) -> bool:
        """Whether a test noticed."""
        return self.outcome in (Outcome.KILLED, Outcome.TIMED_OUT)


class Trial:
    """As many mutants are tried at the same time as there are workshops."""

    def __init__(self, workshops: Sequence[Workshop], *, least_seconds: float = LEAST_SECONDS) -> None:
        self._least_seconds = least_seconds
        self._free: SimpleQueue[Workshop] = SimpleQueue()
        for each in workshops:
            self._free.put(each)
        self._jobs = len(workshops)

    def judge(self, mutants: Sequence[Mutant], tell: Callable[[Verdict], None]) -> list[Verdict]:
        """Try them all; each verdict is told as soon as it is known. Raises TrialError if the unbroken code fails."""
        with ThreadPoolExecutor(self._jobs) as pool:
            whole = list(pool.map(self._baseline, _by_level(mutants)))
            return list(pool.map(lambda mutant: self._told(mutant, whole, tell), mutants))

    def _told(self, mutant: Mutant, whole: Sequence[Run], tell: Callable[[Verdict], None]) -> Verdict:
        usual = sum(run.seconds_of(mutant.killers) for run in whole) + max(run.startup for run in whole)
        verdict = self._tried(mutant, self._least_seconds + PATIENCE * usual)
        tell(verdict)
        return verdict

    def _baseline(self, killers: Sequence[str]) -> Run:
        """A run on the unbroken code, which must pass: it also shows how long the tests take here and now."""
        shop = self._free.get()
        try:
            run = shop.run(killers, LONGEST_BASELINE)
        finally:
            self._free.put(shop)
        if run.code != PASSED:
            raise TrialError(
                f"the unbroken code fails {run.failed or 'before any test'}, so no mutant could be told from it:"
                f"\n{_tail(run)}"
            )
        return run

    def _tried(self, mutant: Mutant, seconds: float) -> Verdict:
        shop = self._free.get()
        try:
            with shop.broken_by(mutant):
                run = shop.run(mutant.killers, seconds)
        finally:
            self._free.put(shop)
        outcome = {PASSED: Outcome.SURVIVED, FAILED: Outcome.KILLED, None: Outcome.TIMED_OUT}.get(run.code)
        if outcome is None or (outcome is not Outcome.SURVIVED and not run.failed):
            return Verdict(mutant=mutant, outcome=Outcome.BROKEN, words=_tail(run))  # it does not even load
        return Verdict(mutant=mutant, outcome=outcome, test=run.failed)


def trial(mutants: Sequence[Mutant], *, jobs: int, tell: Callable[[Verdict], None]) -> list[Verdict]:
    """Try mutants in copies of the repository, so many at a time. Raises TrialError, CatalogueError."""
    with ExitStack() as stack:
        return Trial([stack.enter_context(workshop()) for _ in range(jobs)]).judge(mutants, tell)


def _by_level(mutants: Iterable[Mutant]) -> Iterator[list[str]]:
    """The killers of each level, each once: two levels can be tried side by side."""
    for level in Level:
        killers = {killer: None for mutant in mutants if mutant.level is level for killer in mutant.killers}
        if killers:
            yield list(killers)


def _tail(run: Run) -> str:
    return "\n".join(run.output.splitlines()[-25:])
