"""Every world that can be reached in a small setting keeps every invariant, and comes to what is desired.

`make test` searches each setting for a few seconds of the processor and follows the fair run from a sample of its
worlds; `make proof` searches for longer, and follows it from each.
"""

from __future__ import annotations

import pytest

from tests.model.search import search
from tests.model.settings import SMALL_WORLDS
from tests.proof import FULL, luck

SECONDS = 36.0 if FULL else 3.0
"""Of the processor, for each setting."""

SAMPLE = 1.0 if FULL else 0.05


@pytest.mark.parametrize("name", SMALL_WORLDS)
def test_every_world_keeps_the_guarantees_and_comes_to_what_is_desired(name: str) -> None:
    found = search(SMALL_WORLDS[name], seconds=SECONDS, sample=SAMPLE, luck=luck(f"fair runs: {name}"))
    print(f"{name}: {found}")  # noqa: T201  the figures belong to the proof
    assert not found.violation, found
    assert found.ended > 0
