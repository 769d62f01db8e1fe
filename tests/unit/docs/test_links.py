"""What the docs point to exists: files, headings, and every test that is named as a proof.

A test is named by its sentence, as the text of a link to its file: "[a crash uses one retry](../tests/e2e/...py)"
stands for `test_a_crash_uses_one_retry` there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("charts/*/README.md")])
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)", re.DOTALL)
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


class Link(NamedTuple):
    """One link of a page."""

    page: Path
    text: str
    target: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: [{self.text}]({self.target})"

    @property
    def path(self) -> Path:
        """The file that it points to."""
        return (self.page.parent / self.target.split("#")[0]).resolve() if self.target[0] != "#" else self.page

    @property
    def is_proof(self) -> bool:
        """Whether it names a test: its text is a sentence, and its target a file of tests."""
        return self.path.name.startswith("test_") and self.path.suffix == ".py" and "`" not in self.text

    @property
    def test(self) -> str:
        """The name of the test, as its sentence says."""
        return "test_" + re.sub(r"[\s-]+", "_", self.text.strip()).lower()


def links_of(page: Path) -> list[Link]:
    """The links to things of this repository; none of those in examples of code."""
    found = LINK.findall(CODE.sub("", page.read_text()))
    return [Link(page, " ".join(text.split()), target) for text, target in found if "://" not in target]


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives to its headings."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    words = (re.sub(r"[^\w\s-]", "", heading.strip().lower()) for heading in headings)
    return {re.sub(r"\s", "-", word) for word in words}


LINKS = [link for page in PAGES for link in links_of(page)]


@pytest.mark.parametrize("link", [link for link in LINKS if not link.is_proof], ids=str)
def test_a_link_points_to_something_that_exists(link: Link) -> None:
    assert link.path.exists()
    anchor = link.target.partition("#")[2]
    assert not anchor or anchor in anchors_of(link.path)


@pytest.mark.parametrize("link", [link for link in LINKS if link.is_proof], ids=str)
def test_a_test_that_is_named_exists(link: Link) -> None:
    assert re.search(rf"^(async )?def {re.escape(link.test)}\(", link.path.read_text(), re.MULTILINE)


def test_every_guarantee_and_every_trap_has_its_proof() -> None:
    """On the real cluster, or with the reason why not."""
    guarantees = (ROOT / "docs/guarantees.md").read_text()
    assert [f"G{number}" for number in range(1, 9)] == re.findall(r"^## (G\d)", guarantees, re.MULTILINE)
    traps = re.split(r"^## ", (ROOT / "docs/traps.md").read_text(), flags=re.MULTILINE)[1:]
    assert [int(trap.split(".")[0]) for trap in traps if trap[0].isdigit()] == list(range(1, 16))
    for section in (*re.split(r"^## G", guarantees, flags=re.MULTILINE)[1:], *(t for t in traps if t[0].isdigit())):
        assert "../tests/e2e/" in section or "can't occur here" in section, section.splitlines()[0]
