"""What docs/worker-protocol.md asks of every worker, held against two: the Python library, and a program in Go.

Both do ten items, one a batch, and wait for a line on stdin in each. They are processes of their own; what they print,
send and exit with is all that counts.
"""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.protocol import go_worker
from tests.unit.worker.builders import Program, pod_environment, run_worker
from tests.unit.worker.standin import NAME, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

TLS = Path(__file__).with_name("tls")


def in_python(folder: Path, environment: dict[str, str]) -> Program:
    """Start the class `Steps` of builders.COUNT."""
    return run_worker(folder, environment, "count.py:Steps", "--save-every", "0")


def in_go(folder: Path, environment: dict[str, str]) -> Program:
    """Start the program of tests/protocol/worker."""
    settings = {"STEPS": "1", "LIMIT": "10", "BATCH": "1", "SAVE_EVERY": "0"}
    return Program([str(go_worker.binary())], folder, {**environment, **settings})


@dataclass(frozen=True)
class Kind:
    """A worker in one language: how to start it, and how its position is read from its data."""

    start: Callable[[Path, dict[str, str]], Program]
    next_in: Callable[[Any], int]


@pytest.fixture(
    params=[
        pytest.param(Kind(in_python, lambda data: int(data["state"]["next"])), id="python"),
        pytest.param(Kind(in_go, lambda data: int(data["next"])), id="go"),
    ]
)
def kind(request: pytest.FixtureRequest) -> Kind:
    """One worker after the other."""
    kind: Kind = request.param
    return kind


def position(kind: Kind, server: StandIn) -> int:
    """Where a worker would go on."""
    return kind.next_in(json.loads(server.checkpoint["data"]))


def stop(worker: Program) -> None:
    """Send SIGTERM and wait until it has been noticed, so that the batch which a test lets end now is the last one."""
    worker.signal()
    worker.await_line("asked to stop")


def claimed_by_another(server: StandIn) -> None:
    """Let pod 2 claim the task, as after a lost node."""
    found = server.checkpoint
    server.set("status.checkpoint", {**found, "epoch": found["epoch"] + 1, "holder": "pod-2", "cause": "Claim"})


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


def test_a_claim_whose_answer_is_lost_is_found_and_not_made_again(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server:
        server.fail("PATCH", "lose")
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
            worker.await_line("begin 0")

            assert [request.checkpoint["epoch"] for request in server.patches()] == [1]
            worker.steps(10)
            assert worker.wait() == 0
            assert server.checkpoint["epoch"] == 1


def test_a_claim_that_was_not_carried_out_is_made_again(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server:
        server.fail("PATCH", "reset", times=2)
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
            worker.await_line("begin 0")
            assert server.checkpoint["epoch"] == 1


def test_a_save_whose_answer_is_lost_is_neither_refused_nor_doubled(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server:
        server.fail("PATCH", "lose", skip=1, times=3)
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
            worker.steps(10)

            assert worker.wait() == 0
            assert (server.checkpoint["epoch"], server.checkpoint["cause"]) == (1, "Done")
            assert position(kind, server) == 10


def test_the_lost_answer_to_the_last_save_is_found_out(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        server.fail("PATCH", "lose")
        stop(worker)
        worker.step()

        assert worker.wait() == 75
        assert len([r for r in server.patches() if r.checkpoint["cause"] == "Stop"]) >= 2
        assert server.checkpoint["cause"] == "Stop"


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_answers_that_may_be_better_next_time_are_asked_again(kind: Kind, tmp_path: Path, status: int) -> None:
    with StandIn() as server:
        server.fail("GET", "status", status=status)
        server.fail("PATCH", "status", status=status)
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
            worker.await_line("begin 0")
            server.fail("PATCH", "status", status=status, times=2)
            stop(worker)
            worker.step()

            assert worker.wait() == 75
            assert (server.checkpoint["epoch"], server.checkpoint["cause"]) == (1, "Stop")


def test_a_proxys_page_is_no_acknowledgement(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        server.fail("PATCH", "garbage", times=2)
        stop(worker)
        worker.step()

        assert worker.wait() == 75
        assert server.checkpoint["cause"] == "Stop"


def test_retry_after_is_honoured(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server:
        server.fail("PATCH", "status", status=429, headers={"Retry-After": "1"})
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
            worker.await_line("begin 0")
            refused, carried_out = server.patches()[:2]
            assert carried_out.at - refused.at >= 1.0


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
        server.pods["token-of-pod-1"] = "pod-of-attempt-1"  # the policy refuses it from now on
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


def test_a_404_of_something_else_is_no_deletion(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server:
        server.fail("GET", "status", status=404, times=2, words="the server could not find the requested resource")
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
            assert worker.await_line("begin 0")


def test_work_goes_on_while_the_server_is_away_and_is_saved_afterwards(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        server.stop()
        worker.steps(9)
        worker.await_line("begin 9")
        server.restart()
        server.wait_until(lambda: server.checkpoint["data"] != "", "a save after the outage")
        worker.step()

        assert worker.wait() == 0
        assert position(kind, server) == 10


def test_a_stop_while_the_server_is_away_is_saved_when_it_is_back(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.steps(3)
        worker.await_line("begin 3")
        server.stop()
        stop(worker)
        worker.step()
        worker.await_line("end 3")
        server.restart()

        assert worker.wait() == 75
        assert server.checkpoint["cause"] == "Stop"
        assert position(kind, server) == 4


def test_a_stop_that_can_not_be_saved_in_the_grace_period_is_a_failure(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server:
        environment = pod_environment(server, tmp_path, LONGTASK_GRACE_PERIOD_SECONDS="3")
        with kind.start(tmp_path, environment) as worker:
            worker.await_line("begin 0")
            server.stop()
            stop(worker)
            worker.step()

            assert worker.wait() == 1
            assert worker.lines[-1] == "cleanup failed"


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


def test_the_token_is_read_anew_for_every_request(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        del server.pods["token-of-pod-1"]
        server.pods["renewed"] = "pod-1"
        (tmp_path / "credentials-1" / "token").write_text("renewed\n")
        stop(worker)
        worker.step()

        assert worker.wait() == 75
        assert server.requests[-1].token == "renewed"


def test_a_refused_token_is_tried_again(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server:
        server.fail("GET", "status", status=401, times=2)
        with kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
            assert worker.await_line("begin 0")


def test_the_clusters_authority_is_trusted(kind: Kind, tmp_path: Path) -> None:
    with StandIn(certificate=TLS / "server.pem") as server:
        environment = pod_environment(server, tmp_path)
        shutil.copy(TLS / "ca.crt", tmp_path / "credentials-1" / "ca.crt")
        with kind.start(tmp_path, environment) as worker:
            worker.steps(10)
            assert worker.wait() == 0


def test_another_authority_gets_no_token(kind: Kind, tmp_path: Path) -> None:
    with StandIn(certificate=TLS / "server.pem") as server:
        environment = pod_environment(server, tmp_path)
        shutil.copy(TLS / "other-ca.crt", tmp_path / "credentials-1" / "ca.crt")
        with kind.start(tmp_path, environment) as worker:
            worker.await_line("certificate")
            worker.signal()

            assert worker.wait() == 75
            assert server.requests == []


def test_no_proxy_stands_between(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, StandIn() as proxy:
        environment = pod_environment(server, tmp_path, HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url, NO_PROXY="")
        with kind.start(tmp_path, environment) as worker:
            worker.await_line("begin 0")
            stop(worker)
            worker.step()

            assert worker.wait() == 75
            assert proxy.requests == []
            assert NAME in server.requests[0].path
