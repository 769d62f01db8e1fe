"""What an answer means, and what is asked of a connection (docs/worker-protocol.md), in Python and in Go."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.worker.builders import pod_environment
from tests.unit.worker.kinds import position, stop
from tests.unit.worker.standin import NAME, StandIn

if TYPE_CHECKING:
    from tests.unit.worker.kinds import Kind

TLS = Path(__file__).with_name("tls")


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


def test_the_token_is_read_anew_for_every_request(kind: Kind, tmp_path: Path) -> None:
    with StandIn() as server, kind.start(tmp_path, pod_environment(server, tmp_path)) as worker:
        worker.await_line("begin 0")
        del server.pods["token-of-pod-1"]
        server.pods["renewed"] = "pod-1"
        (tmp_path / "credentials-1" / "token").write_text("renewed\n")
        stop(worker)
        worker.step()

        assert worker.wait() == 75
        assert server.requests[-1].token.startswith("renewed")


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
