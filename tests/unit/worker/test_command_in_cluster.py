"""The command in a pod: `longtask run` as a process against the stand-in API server.

What every worker must do is in test_protocol.py; here is what this library promises on top of it.
"""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.unit.worker.builders import COUNT, pod_environment, run_worker
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from pathlib import Path


def state_of(server: StandIn) -> object:
    """The user's part of what is saved."""
    return json.loads(server.checkpoint["data"])["state"]


def test_a_task_runs_to_its_end_and_says_so(tmp_path: Path) -> None:
    with StandIn() as server, run_worker(tmp_path, pod_environment(server, tmp_path)) as worker:
        assert worker.wait() == 0
        found = server.checkpoint
        assert (found["epoch"], found["holder"], found["cause"]) == (1, "pod-1", "Done")
        assert state_of(server) == {"next": 10}
        assert server.task
        assert server.task["status"]["progress"] == {"done": 10, "total": 10, "percent": 100}
        assert worker.lines.index("cleanup done") > worker.lines.index("end 9")
        assert (tmp_path / "termination-log-1").read_text() == "done: checkpoint 1, 10 of 10 (100 %)"


def test_times_are_the_api_servers_whatever_the_nodes_clock_says(tmp_path: Path) -> None:
    with StandIn() as server:
        server.ahead = 86400.0
        with run_worker(tmp_path, pod_environment(server, tmp_path), "count.py:Steps", "--save-every", "0") as worker:
            worker.steps(3)
            worker.await_line("begin 3")
            worker.signal()
            worker.step()
            assert worker.wait() == 75
        times = [patch.checkpoint["time"] for patch in server.patches()]
        estimates = [(patch.progress or {}).get("estimatedCompletionTime") for patch in server.patches()]
    assert any(estimates), (times, estimates)
    for written in [*times, *filter(None, estimates)]:
        assert datetime.fromisoformat(written).timestamp() == pytest.approx(time.time() + 86400, abs=60)


def test_a_suspended_task_goes_on_exactly_where_it_was(tmp_path: Path) -> None:
    with StandIn() as server:
        with run_worker(tmp_path, pod_environment(server, tmp_path), "count.py:Steps") as first:
            first.steps(3)
            first.await_line("begin 3")
            first.signal()
            first.step()
            assert first.wait() == 75
        sequence = server.checkpoint["sequence"]

        with run_worker(tmp_path, pod_environment(server, tmp_path, pod=2)) as second:
            assert second.wait() == 0
            assert second.await_line("setup") == "setup {'next': 4} epoch 2 done 4 args"
            assert [line for line in second.lines if line.startswith("begin")] == [f"begin {n}" for n in range(4, 10)]
        assert server.checkpoint["sequence"] > sequence
        assert json.loads(server.checkpoint["data"])["done"] == 10


def test_sigterm_before_the_users_code_is_imported_claims_nothing_and_exits_75(tmp_path: Path) -> None:
    slow = "import sys\nprint('importing', flush=True)\nsys.stdin.readline()\n" + COUNT
    with StandIn() as server, run_worker(tmp_path, pod_environment(server, tmp_path), code=slow) as worker:
        worker.await_line("importing")
        worker.signal()
        worker.step()
        assert worker.wait() == 75
        assert server.requests == []
        assert "setup" not in worker.output


def test_sigterm_during_setup_saves_without_a_batch(tmp_path: Path) -> None:
    slow = COUNT.replace("self.next = saved", "sys.stdin.readline(); self.next = saved")
    with StandIn() as server, run_worker(tmp_path, pod_environment(server, tmp_path), code=slow) as worker:
        worker.await_line("setup")
        worker.signal()
        worker.step()
        assert worker.wait() == 75
        assert (server.checkpoint["cause"], state_of(server)) == ("Stop", {"next": 0})
        assert "begin" not in worker.output
        assert "cleanup interrupted" in worker.lines


def test_what_is_wanted_is_asked_after_the_stop_and_told_to_cleanup(tmp_path: Path) -> None:
    for number, (path, value, reason) in enumerate(
        [
            ("spec.desiredState", "Suspend", "suspended"),
            ("spec.desiredState", "Terminate", "terminated"),
            ("spec.desiredState", "Run", "interrupted"),
            ("metadata.deletionTimestamp", "2026-01-01T00:00:00Z", "deleted"),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with StandIn() as server, run_worker(folder, pod_environment(server, folder), "count.py:Steps") as worker:
            worker.await_line("begin 0")
            server.set(path, value)
            worker.signal()
            worker.step()
            assert (worker.wait(), worker.lines[-1]) == (75, f"cleanup {reason}")


def test_a_crash_shows_its_traceback_keeps_the_last_checkpoint_and_exits_1(tmp_path: Path) -> None:
    crashing = COUNT.replace('tell("end", batch)', 'if batch == 5: raise ValueError("bad row")')
    with (
        StandIn() as server,
        run_worker(
            tmp_path, pod_environment(server, tmp_path), "count.py:Count", "--save-every", "0", code=crashing
        ) as worker,
    ):
        assert worker.wait() == 1
        assert "ValueError: bad row" in worker.output
        assert worker.output.count("Traceback") == 1
        assert worker.lines[-1] == "cleanup failed"
        assert server.checkpoint["cause"] == "Interval"
        assert state_of(server) == {"next": 5}
        message = (tmp_path / "termination-log-1").read_text()
        assert message.startswith("failed: ValueError: bad row\n")
        assert "in process" in message


def test_never_retry_exits_78_but_never_after_sigterm(tmp_path: Path) -> None:
    never = COUNT.replace('tell("end", batch)', 'raise NeverRetry("the order was cancelled")')
    for number, (stop, expected) in enumerate([(False, 78), (True, 1)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        with (
            StandIn() as server,
            run_worker(folder, pod_environment(server, folder), "count.py:Steps", code=never) as worker,
        ):
            worker.await_line("begin 0")
            if stop:
                worker.signal()
            worker.step()
            assert worker.wait() == expected
            assert "cleanup failed" in worker.lines
            assert "the order was cancelled" in (folder / "termination-log-1").read_text()


def test_exit_0_from_user_code_is_no_success(tmp_path: Path) -> None:
    leaving = COUNT.replace('tell("end", batch)', "sys.exit(0)")
    with StandIn() as server, run_worker(tmp_path, pod_environment(server, tmp_path), code=leaving) as worker:
        assert worker.wait() == 1
        assert "cleanup failed" in worker.lines
        assert server.checkpoint["cause"] == "Claim"


def test_ctrl_c_stops_a_worker_in_a_pod_as_sigterm_does(tmp_path: Path) -> None:
    with StandIn() as server, run_worker(tmp_path, pod_environment(server, tmp_path), "count.py:Steps") as worker:
        worker.await_line("begin 0")
        worker.signal(signal.SIGINT)
        worker.signal(signal.SIGINT)
        worker.step()
        assert worker.wait() == 75
