"""The catalogue: what is broken, what that threatens, and which tests must notice. It must not know how tests are run.

One YAML file for each part of the code; an entry reads

    - id: suspend-proof-skips-the-live-list        # a sentence fragment
      breaks: "`Suspended` is recorded without a live list of the pods"
      threatens: G2, trap 1
      file: operator/longtask/core/stop.py
      text: ...                                    # occurs exactly once in the file
      becomes: ...                                 # what takes its place
      killers: [tests/unit/core/test_suspend.py::test_the_pods_are_looked_up_live]

A catalogue that no longer fits the code is an error, never a mutant that is silently left out.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = Path(__file__).with_name("catalogue")
_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


class CatalogueError(Exception):
    """The catalogue does not fit the code; the message says where and what to do."""


class Level(StrEnum):
    """How much of the real thing the tests have that catch a mutant."""

    UNIT = "unit"
    WHOLE = "whole operator, stand-in for the API server"
    API_SERVER = "real API server"


_LEVELS: Final[Mapping[str, Level]] = {
    "tests/unit/": Level.UNIT,
    "tests/contract/": Level.UNIT,
    "tests/whole/": Level.WHOLE,
    "tests/e2e/": Level.API_SERVER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One break. `killers` are files of tests, or single tests, as pytest takes them."""

    id: str
    breaks: str
    threatens: str
    file: str
    text: str
    becomes: str
    killers: tuple[str, ...]

    @property
    def level(self) -> Level:
        """The level of its killers, which are all of one. Raises CatalogueError."""
        levels = {level for killer in self.killers for folder, level in _LEVELS.items() if killer.startswith(folder)}
        if len(levels) != 1:
            raise CatalogueError(f"{self.id}: its killers must all be of one level of {', '.join(_LEVELS)}")
        return levels.pop()

    @property
    def fingerprint(self) -> str:
        """Changes with what is broken, and how: a result of another break is none of this one."""
        return hashlib.sha256("\0".join((self.file, self.text, self.becomes)).encode()).hexdigest()[:8]

    def applied_to(self, content: str) -> str:
        """The file's content with the break in it. Raises CatalogueError unless the text is there exactly once."""
        count = content.count(self.text)
        if count != 1:
            raise CatalogueError(
                f"{self.id}: its text must occur exactly once in {self.file}, and does {count} times. The code has"
                f" changed: bring the mutant up to date in {FOLDER.relative_to(ROOT)}"
            )
        return content.replace(self.text, self.becomes)


def load(folder: Path = FOLDER) -> tuple[Mutant, ...]:
    """All mutants, in the order of the files. Raises CatalogueError for an entry that can't be meant."""
    mutants = [_mutant(entry, file) for file in sorted(folder.glob("*.yaml")) for entry in _entries(file)]
    twice = [name for name, count in Counter(mutant.id for mutant in mutants).items() if count > 1]
    if twice:
        raise CatalogueError(f"two mutants of one id: {', '.join(twice)}")
    return tuple(mutants)


def check(mutants: Iterable[Mutant], root: Path = ROOT) -> None:
    """Raise CatalogueError with every mutant that does not fit the code, and every killer that there is no more."""
    problems = [problem for mutant in mutants for problem in _problems(mutant, root)]
    if problems:
        raise CatalogueError("\n".join(problems))


def _problems(mutant: Mutant, root: Path) -> list[str]:
    gone = [f"{mutant.id}: there is no {killer}" for killer in mutant.killers if not _exists(root, killer)]
    try:
        mutant.applied_to((root / mutant.file).read_text())
    except (CatalogueError, OSError) as error:
        return [str(error), *gone]
    return gone


def _exists(root: Path, killer: str) -> bool:
    """Whether there is that file of tests, and in it that test: a renamed one is noticed before anything runs."""
    file, _, test = killer.partition("::")
    return (root / file).is_file() and (not test or f"def {test}(" in (root / file).read_text())


def _entries(file: Path) -> list[dict[str, Any]]:
    entries = yaml.safe_load(file.read_text())
    if not isinstance(entries, list):
        raise CatalogueError(f"{file.name}: a list of mutants is expected")
    return entries


def _mutant(entry: dict[str, Any], file: Path) -> Mutant:
    try:
        mutant = Mutant(**entry | {"killers": tuple(entry["killers"])})
    except (TypeError, KeyError) as error:
        raise CatalogueError(f"{file.name}: {entry} is no mutant: {error}") from error
    if not _ID.fullmatch(mutant.id) or mutant.text == mutant.becomes or not mutant.level:
        raise CatalogueError(f"{file.name}: {mutant.id}: the id must be words with hyphens, and the text must change")
    return mutant
