"""Starting over: what a worker goes on from when its task was to begin as if nothing had been saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from longtask.worker.envelope import wrap
from longtask.worker.sidecar.restore import restore
from longtask.worker.signals import Stop
from longtask.worker.store import Claim
from tests.unit.worker.builders import COUNT, pod_environment, run_worker
from tests.unit.worker.fakes import Lines, Script, a_checkpoint
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from pathlib import Path

OVER = "LONGTASK_START_OVER_SEQUENCE"


def begun_with(folder: Path, *, sequence: int, over: str | None, data: str = wrap(4, {"next": 4})) -> list[str]:
    """The lines of a worker that finds that save, and was told to start over from that number on."""
    with StandIn() as server:
        server.set("status.checkpoint", a_checkpoint(holder="pod-9", cause="Stop", sequence=sequence, data=data))
        environment = pod_environment(server, folder) | ({} if over is None else {OVER: over})
        with run_worker(folder, environment, "count.py:Count", code=COUNT) as worker:
            worker.wait()
        assert worker.process.returncode == 0
        assert server.checkpoint["sequence"] > sequence
        return worker.lines


@pytest.mark.parametrize("sequence", [1, 7])
def test_what_was_saved_before_is_not_gone_on_from(tmp_path: Path, sequence: int) -> None:
    lines = begun_with(tmp_path, sequence=sequence, over="7")
    assert any(line.startswith("setup None epoch 2 done 0") for line in lines), lines


def test_what_the_attempt_has_saved_itself_is_gone_on_from(tmp_path: Path) -> None:
    lines = begun_with(tmp_path, sequence=8, over="7")
    assert any(line.startswith("setup {'next': 4} epoch 2 done 4") for line in lines), lines


def test_without_that_number_any_save_is_gone_on_from(tmp_path: Path) -> None:
    lines = begun_with(tmp_path, sequence=1, over=None)
    assert any(line.startswith("setup {'next': 4}") for line in lines), lines


def test_it_does_not_matter_what_the_old_save_looks_like(tmp_path: Path) -> None:
    lines = begun_with(tmp_path, sequence=7, over="7", data="of another program")
    assert any(line.startswith("setup None") for line in lines), lines


def test_the_file_that_an_earlier_attempt_left_on_its_volume_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "position"
    path.write_text("at 40")
    stop = Stop()
    said = restore(path, "", Script(claims=[Claim(3, 7, "")]), stop, Lines())
    stop.close()
    assert not path.exists()
    assert "starting over" in said


def test_a_file_that_was_never_saved_is_where_somebody_wants_the_program_to_begin(tmp_path: Path) -> None:
    path = tmp_path / "position"
    path.write_text("at 40")
    stop = Stop()
    restore(path, "", Script(claims=[Claim(1, 0, "")]), stop, Lines())
    stop.close()
    assert path.read_text() == "at 40"
