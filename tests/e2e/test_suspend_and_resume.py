"""The main job: a task is suspended and resumed, exactly where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.support.tasks import items

if TYPE_CHECKING:
    from tests.e2e.support.tasks import Lab


def test_a_resumed_task_goes_on_exactly_where_it_was_suspended(lab: Lab) -> None:
    task = lab.start(items(count=60))
    task.wait_for_saved(10)
    first = task.running_pod()

    task.want("Suspend")
    task.wait_for_state("Suspended")
    suspended = task.checkpoint
    done = lab.items()
    assert task.active_pods() == []
    assert suspended["cause"] == "Stop"
    assert task.condition("Suspended")["reason"] == "Saved"

    task.want("Run")
    task.wait_for_state("Complete", seconds=60)

    assert done == list(range(len(done)))
    assert lab.items() == list(range(60))
    assert lab.lines("log")[2].startswith(f"setup at {len(done)} epoch 2")
    assert task.checkpoint["holder"] != first["metadata"]["uid"]
    assert task.status["attempt"] == 1
    assert task.status["failures"] == 0
