"""The `with` form, as programs use it: in a process of its own, locally and in a cluster."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from longtask import attempt
from tests.unit.worker.builders import Program, local_environment, pod_environment
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
from longtask import attempt

with attempt("rows", total=5, cleanup=lambda reason: print("cleanup", reason, flush=True)) as run:
    begin = run.state["next"] if run.state else 0
    print("at", begin, "epoch", run.epoch, "done", run.done, flush=True)
    for row in run.batches(range(begin, 5)):
        run.report(f"row {row}")
        print("begin", row, flush=True)
        sys.stdin.readline()
        run.state = {"next": row + 1}
print("behind the block", flush=True)
"""


def start(folder: Path, environment: dict[str, str], code: str = PROGRAM) -> Program:
    """Start a program with this code."""
    (folder / "rows.py").write_text(code)
    return Program([sys.executable, "rows.py"], folder, environment)


def test_the_program_goes_on_behind_the_block_when_the_work_is_done(tmp_path: Path) -> None:
    with StandIn() as server, start(tmp_path, pod_environment(server, tmp_path)) as program:
        program.steps(5)
        assert program.wait() == 0
        assert program.lines[-2:] == ["cleanup done", "behind the block"]
        assert server.checkpoint["cause"] == "Done"
        assert server.task
        assert server.task["status"]["progress"]["message"] == "row 4"


def test_a_stop_leaves_at_the_end_of_the_block_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with StandIn() as server:
        with start(tmp_path, pod_environment(server, tmp_path)) as first:
            first.steps(2)
            first.await_line("begin 2")
            server.set("spec.desiredState", "Suspend")
            first.signal()
            first.step()
            assert first.wait() == 75
            assert first.lines[-1] == "cleanup suspended"
        server.set("spec.desiredState", "Run")
        with start(tmp_path, pod_environment(server, tmp_path, pod=2)) as second:
            second.await_line("at 3 epoch 2 done 3")
            second.steps(2)
            assert second.wait() == 0


def test_an_error_in_the_block_is_shown_and_the_last_checkpoint_kept(tmp_path: Path) -> None:
    failing = PROGRAM.replace("sys.stdin.readline()", "1 / (3 - row)").replace("total=5", "total=5, save_every=0")
    with StandIn() as server, start(tmp_path, pod_environment(server, tmp_path), failing) as program:
        assert program.wait() == 1
        assert program.output.count("ZeroDivisionError: ") == 2  # the traceback, and the last words
        assert program.lines[-1] == "cleanup failed"
        assert json.loads(server.checkpoint["data"])["state"] == {"next": 3}


@pytest.mark.parametrize("leaving", ["break", "raise SystemExit(0)"])
def test_leaving_early_is_no_success(tmp_path: Path, leaving: str) -> None:
    code = PROGRAM.replace("sys.stdin.readline()", leaving)
    with StandIn() as server, start(tmp_path, pod_environment(server, tmp_path), code) as program:
        assert program.wait() == 1
        assert "behind the block" not in program.lines
        assert server.checkpoint["cause"] == "Claim"


def test_a_block_without_batches_is_no_success(tmp_path: Path) -> None:
    code = "from longtask import attempt\nwith attempt('rows'):\n    pass\n"
    with StandIn() as server, start(tmp_path, pod_environment(server, tmp_path), code) as program:
        assert program.wait() == 1
        assert "this is not done" in program.output


def test_done_already_does_not_enter_the_block(tmp_path: Path) -> None:
    with StandIn() as server:
        server.set(
            "status.checkpoint",
            {"epoch": 1, "holder": "pod-9", "attempt": 1, "sequence": 5, "cause": "Done", "time": "t", "data": ""},
        )
        with start(tmp_path, pod_environment(server, tmp_path)) as program:
            assert program.wait() == 0
            assert "begin" not in program.output


def test_settings_that_can_not_be_meant_exit_with_78_and_say_which(tmp_path: Path) -> None:
    with StandIn() as server:
        environment = pod_environment(server, tmp_path, LONGTASK_ATTEMPT="first")
        with start(tmp_path, environment) as program:
            assert program.wait() == 78
            assert "LONGTASK_ATTEMPT is 'first'" in program.output
            assert "Traceback" not in program.output


def test_locally_it_keeps_its_checkpoint_in_a_file_of_its_name(tmp_path: Path) -> None:
    with start(tmp_path, local_environment()) as first:
        first.steps(2)
        first.await_line("begin 2")
        first.signal()
        first.step()
        assert first.wait() == 75
    assert (tmp_path / "rows.checkpoint.json").exists()
    with start(tmp_path, local_environment()) as second:
        second.await_line("at 3 epoch 2 done 3")
        second.steps(2)
        assert second.wait() == 0


def test_an_attempt_is_nothing_outside_its_with() -> None:
    run = attempt("rows")
    with pytest.raises(RuntimeError, match="is to be used with `with`"):
        run.batches([1])
    run._stop.close()
