"""The judge of checkpoints finds every step back: or a test on the real cluster would be green for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.support.checkpoints import next_item, position, steps_back, writers


def version(epoch: int, sequence: int, following: int, *, holder: str = "pod", done: int | None = None) -> Any:  # noqa: ANN401
    """A version of a task with that checkpoint."""
    data = f'{{"longtask": 1, "done": {following}, "state": {{"next": {following}}}}}'
    checkpoint = {"epoch": epoch, "sequence": sequence, "holder": holder, "data": data}
    return {"status": {"checkpoint": checkpoint, "progress": {"done": following if done is None else done}}}


UNCLAIMED: Any = {"status": {}}


def test_a_task_that_only_goes_on_has_no_step_back() -> None:
    claimed = version(2, 3, 7, holder="other")

    assert steps_back([UNCLAIMED, version(1, 0, 0), version(1, 3, 7), claimed, version(2, 4, 8)]) == []


@pytest.mark.parametrize(
    "after",
    [version(1, 9, 9), version(2, 4, 9), version(2, 6, 6), version(2, 6, 9, done=6), UNCLAIMED],
    ids=["epoch", "sequence", "place to go on at", "progress", "checkpoint removed"],
)
def test_each_kind_of_step_back_is_found(after: Any) -> None:  # noqa: ANN401
    before = version(2, 5, 7)

    assert steps_back([before, after]) == [f"from {position(before)} to {position(after)}"]


def test_an_old_writer_that_comes_back_is_seen_twice() -> None:
    history = [version(1, 1, 1, holder="old"), version(2, 1, 1, holder="new"), version(1, 2, 2, holder="old")]

    assert writers(history) == [(1, "old"), (2, "new"), (1, "old")]


def test_the_next_item_is_read_from_a_state_and_from_a_file() -> None:
    assert next_item("") == 0
    assert next_item('{"longtask": 1, "done": 7, "state": {"next": 3}}') == 3
    assert next_item('{"longtask": 1, "done": 7, "file": {"text": "4\\n"}}') == 4
