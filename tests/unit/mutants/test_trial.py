"""A mutant that is killed, one that survives, one that hangs, one that does not even load; and what is told of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mutants.__main__ import main
from tests.mutants.catalogue import CatalogueError, Mutant
from tests.mutants.trial import Outcome, Trial, TrialError, Verdict
from tests.unit.mutants.builders import CODE, KILLER, a_mutant, a_workshop

if TYPE_CHECKING:
    from pathlib import Path

SOON = 2.0


def tried(folder: Path, mutant: Mutant, *, code: str = CODE) -> Verdict:
    """The verdict on one mutant."""
    told: list[Verdict] = []
    (verdict,) = Trial([a_workshop(folder, code=code)], least_seconds=SOON).judge([mutant], told.append)
    assert told == [verdict]
    return verdict


def test_a_mutant_is_killed_by_the_first_test_that_fails(tmp_path: Path) -> None:
    verdict = tried(tmp_path, a_mutant("n * 3"))

    assert verdict.outcome is Outcome.KILLED
    assert verdict.test == f"{KILLER}::test_two_is_four"
    assert verdict.caught


def test_a_mutant_that_every_test_lets_pass_survives(tmp_path: Path) -> None:
    verdict = tried(tmp_path, a_mutant("n + n"))

    assert verdict.outcome is Outcome.SURVIVED
    assert not verdict.caught


def test_a_mutant_survives_the_tests_that_are_not_its_killers(tmp_path: Path) -> None:
    verdict = tried(tmp_path, a_mutant("n * 3", killers=(f"{KILLER}::test_nothing_is_nothing",)))

    assert verdict.outcome is Outcome.SURVIVED


def test_a_mutant_that_hangs_is_killed_by_time_out_and_the_test_is_named(tmp_path: Path) -> None:
    verdict = tried(tmp_path, a_mutant("n * 2 if n != 2 else max(iter(int, 1))"))

    assert verdict.outcome is Outcome.TIMED_OUT
    assert verdict.test == f"{KILLER}::test_two_is_four"
    assert verdict.caught


def test_code_that_does_not_load_is_no_mutant(tmp_path: Path) -> None:
    """Every test would fail, and none of them would have noticed anything."""
    verdict = tried(tmp_path, a_mutant("n *"))

    assert verdict.outcome is Outcome.BROKEN
    assert not verdict.caught
    assert "SyntaxError" in verdict.words


def test_the_code_is_whole_again_afterwards(tmp_path: Path) -> None:
    tried(tmp_path, a_mutant("n * 3"))

    assert (tmp_path / "code_of_the_toy.py").read_text() == CODE


def test_a_text_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"a-break: its text must occur exactly once in .* does 0 times"):
        tried(tmp_path, a_mutant("n * 3", text="n ** 2"))


def test_a_text_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="does 2 times"):
        tried(tmp_path, a_mutant("n"), code="def double(n):\n    return n * 2 if n else n * 2\n")


def test_nothing_is_said_where_the_unbroken_code_fails(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match=r"the unbroken code fails tests/unit/test_double\.py::test_two_is_four"):
        tried(tmp_path, a_mutant("n"), code="def double(n):\n    return n * 2 + n // 2\n")


def test_a_killer_that_there_is_no_more_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match="the unbroken code fails before any test"):
        tried(tmp_path, a_mutant("n * 3", killers=(f"{KILLER}::test_that_was_renamed",)))


def test_no_such_mutant_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "no-such-mutant"]) == 2

    assert "no such mutant: no-such-mutant" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcome", "code", "words"),
    [
        (Outcome.KILLED, 0, "1 of 1 caught"),
        (Outcome.TIMED_OUT, 0, "killed by time-out"),
        (Outcome.SURVIVED, 1, "write the test that is missing"),
        (Outcome.BROKEN, 1, "can't be tested at all"),
    ],
)
def test_a_survivor_ends_the_run_with_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: Outcome, code: int, words: str
) -> None:
    verdict = Verdict(mutant=a_mutant("n * 3"), outcome=outcome, test=KILLER)

    def judged(_mutants: list[Mutant], *, jobs: int, tell: object) -> list[Verdict]:
        assert jobs == 1
        assert callable(tell)
        tell(verdict)
        return [verdict]

    monkeypatch.setattr("tests.mutants.__main__.trial", judged)

    assert main(["--sample", "1", "--no-cluster", "--jobs", "1"]) == code
    assert words in capsys.readouterr().out
