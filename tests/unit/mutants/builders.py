"""A repository of one function and its tests, to break on purpose."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.mutants import witness
from tests.mutants.catalogue import Mutant
from tests.mutants.workshop import Workshop

if TYPE_CHECKING:
    from pathlib import Path

CODE = "def double(n: int) -> int:\n    return n * 2\n"
TESTS = """
from code_of_the_toy import double

def test_nothing_is_nothing():
    assert double(0) == 0

def test_two_is_four():
    assert double(2) == 4
"""
KILLER = "tests/unit/test_double.py"


def a_workshop(folder: Path, *, code: str = CODE) -> Workshop:
    """A workshop on that repository."""
    for path, text in {"code_of_the_toy.py": code, KILLER: TESTS}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "tests/mutants").mkdir()
    shutil.copy2(witness.__file__, folder / "tests/mutants")
    return Workshop(folder)


def a_mutant(
    becomes: str, *, text: str = "n * 2", killers: tuple[str, ...] = (KILLER,), name: str = "a-break"
) -> Mutant:
    """A break of its function."""
    return Mutant(
        id=name,
        breaks="something",
        threatens="G1",
        file="code_of_the_toy.py",
        text=text,
        becomes=becomes,
        killers=killers,
    )
