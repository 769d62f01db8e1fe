"""The life of a worker as docs/worker-protocol.md asks for it, in Python and in Go."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.unit.worker.builders import pod_environment
from tests.unit.worker.kinds import claimed_by_another, position, stop
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.worker.kinds import Kind


def test_it_claims_saves_says_done_and_exits_0(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.step()
        server.wait_until(
            lambda: len(server.patches()) > 1 and server.checkpoint["cause"] == "Interval", "a first save"
        )
        worker.steps(9)

        assert worker.wait() == 0
        causes = [request.checkpoint["cause"] for request in server.patches()]
        assert causes[0] == "Claim"
        assert set(causes[1:-1]) == {"Interval"}
        assert causes[-1] == "Done"
        assert position(kind, server) == 10
        assert server.checkpoint["holder"] == "pod-1"
        assert server.task
        assert server.task["status"]["progress"] == {"done": 10, "total": 10, "percent": 100}
        assert "done" in (tmp_path / "termination-log-1").read_text()


def test_every_write_tests_the_uid_first_and_every_save_has_a_greater_sequence(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.steps(10)

        assert worker.wait() == 0
        assert all(request.body[0]["path"] == "/metadata/uid" for request in server.patches())
        assert all(request.body[0]["op"] == "test" for request in server.patches())
        sequences = [request.checkpoint["sequence"] for request in server.patches()]
        assert all(earlier < later for earlier, later in itertools.pairwise(sequences))


def test_sigterm_in_a_batch_lets_it_end_saves_stop_and_exits_75(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.steps(3)
        worker.await_line("begin 3")
        server.set("spec.desiredState", "Suspend")
        stop(worker)
        worker.step()

        assert worker.wait() == 75
        assert server.checkpoint["cause"] == "Stop"
        assert position(kind, server) == 4
        assert "begin 4" not in worker.lines
        assert worker.lines[-1] == "cleanup suspended"


def test_the_next_pod_goes_on_exactly_there_with_the_next_epoch(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server:
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as first:
            first.steps(3)
            first.await_line("begin 3")
            stop(first)
            first.step()
            assert first.wait() == 75
        left = server.checkpoint

        with kind.start(tmp_path, pod_environment(server, tmp_path, pod=2)) as second:
            second.await_line("begin 4")
            claimed = server.checkpoint
            second.steps(6)

            assert second.wait() == 0
            assert "begin 3" not in second.lines
        assert (claimed["epoch"], claimed["sequence"], claimed["data"]) == (2, left["sequence"], left["data"])
        assert server.checkpoint["sequence"] > left["sequence"]
        assert position(kind, server) == 10


def test_sigterm_in_the_last_batch_is_done_or_a_stop_with_nothing_left(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.steps(9)
        worker.await_line("begin 9")
        stop(worker)
        worker.step()

        assert (worker.wait(), server.checkpoint["cause"]) in {(0, "Done"), (75, "Stop")}
        assert position(kind, server) == 10


def test_a_fenced_worker_stops_in_the_middle_of_a_batch_and_cleans_up_nothing(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        claimed_by_another(server)
        worker.step()
        worker.await_line("begin 1")  # the save of batch 0 is on its way, and nobody ever lets batch 1 end

        assert worker.wait() == 1
        assert "end 1" not in worker.lines
        assert "cleanup" not in worker.output
        assert "fenced" in worker.output
        assert (server.checkpoint["holder"], server.checkpoint["data"]) == ("pod-2", "")
        assert "fenced" in (tmp_path / "termination-log-1").read_text()


def test_a_worker_of_an_earlier_attempt_is_fenced(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        server.set("status.attempt", 2)
        worker.step()

        assert worker.wait() == 1
        assert "fenced" in worker.output
        assert "cleanup" not in worker.output


def test_a_deleted_task_is_cleaned_up_and_not_tried_again(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        server.task = None
        for _ in range(10):
            worker.step_if_it_lives()  # it learns of it when it saves, and looks between two batches

        assert worker.wait() == 78
        assert worker.lines[-1] == "cleanup deleted"


def test_a_deleted_task_exits_75_after_sigterm(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        server.task = None
        stop(worker)
        worker.step()

        assert worker.wait() == 75
        assert worker.lines[-1] == "cleanup deleted"


def test_a_task_made_again_under_its_name_is_another_one(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        with server.locked():
            assert server.task
            server.task["metadata"]["uid"] = "another"
            del server.task["status"]["checkpoint"]
        stop(worker)
        worker.step()

        assert worker.wait() == 75
        assert worker.lines[-1] == "cleanup deleted"
        assert server.task
        assert "checkpoint" not in server.task["status"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.desiredState", "Suspend"),
        ("spec.desiredState", "Terminate"),
        ("metadata.deletionTimestamp", "2026-01-01T00:00:00Z"),
        ("status.state", "Complete"),
        ("status.attempt", 2),
    ],
)
def test_where_no_claim_is_allowed_none_is_sent_and_sigterm_exits_75(
    kind: Kind, tmp_path: Path, path: str, value: object
) -> None:
    with StandIn() as server:
        server.set(path, value)
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
            server.wait_until(lambda: len(server.requests) >= 2, "a second look at the task")
            worker.signal()

            assert worker.wait() == 75
            assert server.patches() == []
            assert "setup" not in worker.output


def test_what_was_done_before_is_not_done_again(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server:
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as first:
            first.steps(10)
            assert first.wait() == 0
        found = server.checkpoint
        with kind.start(tmp_path, pod_environment(server, tmp_path, pod=2)) as second:
            assert second.wait() == 0
            assert "begin" not in second.output
        assert server.checkpoint == found


def test_data_of_another_program_is_not_overwritten(kind: Kind, tmp_path: Path) -> None:
    foreign = {
        "epoch": 1,
        "holder": "pod-9",
        "attempt": 1,
        "sequence": 7,
        "cause": "Stop",
        "time": "2026-01-01T00:00:00Z",
    }
    with StandIn() as server:
        server.set("status.checkpoint", {**foreign, "data": "row 17"})
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
            assert worker.wait() == 78
            assert server.checkpoint["data"] == "row 17"
            assert "row 17" in worker.output
