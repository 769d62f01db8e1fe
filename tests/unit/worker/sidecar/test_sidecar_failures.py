"""The sidecar when something goes wrong: files that can't be saved, requests that fail, other pods, and its own end."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from longtask.worker.sidecar.content import Position, pack
from tests.unit.worker.builders import Program
from tests.unit.worker.sidecar.pod import Pod, progress, saved

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.worker.standin import StandIn


def test_a_file_that_does_not_fit_is_told_and_what_was_saved_stays(server: StandIn, tmp_path: Path) -> None:
    """A suspension must not look as if all were saved."""
    pod = Pod(server, tmp_path)
    with pod.at_work(server) as saving:
        pod.write_too_much()
        server.set("spec.desiredState", "Suspend")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert (saved(server), server.checkpoint["cause"]) == ("at 40", "Interval")
    assert "is too large to be saved" in str(progress(server)["message"])
    assert "is too large to be saved" in saving.output


def test_a_file_that_is_small_again_is_saved_and_nothing_is_told_any_more(server: StandIn, tmp_path: Path) -> None:
    """Also if it is what was saved before."""
    pod = Pod(server, tmp_path)
    with pod.at_work(server) as saving:
        pod.write_too_much()
        saving.await_line("is too large to be saved")
        pod.write("at 40")
        server.set("spec.desiredState", "Suspend")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert (saved(server), server.checkpoint["cause"]) == ("at 40", "Stop")
    assert "message" not in progress(server)


def test_a_sidecar_that_is_killed_and_started_again_goes_on_with_the_claim(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    with pod.at_work(server) as saving:
        saving.signal(signal.SIGKILL)
        saving.wait()
    pod.write("at 50")
    server.set("spec.desiredState", "Suspend")  # a claim would be refused
    with pod.save() as saving:
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert (saved(server), server.checkpoint["cause"], server.checkpoint["epoch"]) == ("at 50", "Stop", 1)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize("kind", ["status", "lose", "reset", "garbage"])
def test_no_failure_of_a_request_loses_a_save(server: StandIn, tmp_path: Path, method: str, kind: str) -> None:
    """Of each of the first requests of both steps, once and alone."""
    pod = Pod(server, tmp_path)
    server.fail(method, kind, times=2)
    assert pod.restore().process.returncode == 0
    server.fail(method, kind, times=2)
    with pod.save() as saving:
        pod.write("at 40")
        server.wait_until(lambda: server.checkpoint["sequence"] > 0, "a save on the way")
        server.set("spec.desiredState", "Suspend")
        server.fail(method, kind, times=2)
        pod.write("at 41")
        saving.signal()
        assert saving.wait(60) == 0, saving.output
    assert (saved(server), server.checkpoint["cause"]) == ("at 41", "Stop")


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize("kind", ["hang", "stall"], ids=["before it is carried out", "before its answer"])
@pytest.mark.parametrize("skip", [0, 1], ids=["first", "second"])
def test_a_sidecar_that_is_killed_at_any_of_its_requests_loses_nothing_that_was_acknowledged(
    server: StandIn, tmp_path: Path, method: str, kind: str, skip: int
) -> None:
    """It takes the claim over and saves; then the program ends, and it asks what is wanted and saves again."""
    first, second = Pod(server, tmp_path, 1), Pod(server, tmp_path, 2)
    first.restore()
    fault = server.fail(method, kind, skip=skip)
    with first.save() as saving:
        first.write("at 40")
        if skip:
            server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save on the way")
            first.write("at 41")
            saving.signal()
        server.wait_until(lambda: fault.times == 0, "the request that it is killed at")
        saving.signal(signal.SIGKILL)
        saving.wait()
    acknowledged = "at 40" if skip else ""
    assert saved(server) in {acknowledged, "at 41" if skip else "at 40"}

    if not skip:  # while the program runs, the kubelet starts the sidecar again
        with first.save() as again:
            again.signal()
            assert again.wait() == 0, again.output
        assert saved(server) == "at 40"
    second.restore()

    assert second.file.read_text() == saved(server)
    assert server.checkpoint["epoch"] == 2


def test_an_api_server_that_is_away_at_the_end_is_waited_for(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    with pod.at_work(server) as saving:
        server.stop()
        pod.write("at 41")
        saving.signal()
        saving.await_line("waiting for the API server")
        server.set("spec.desiredState", "Suspend")
        server.restart()
        assert saving.wait(60) == 0, saving.output
    assert (saved(server), server.checkpoint["cause"]) == ("at 41", "Stop")


def test_a_refused_save_does_not_end_the_sidecar(server: StandIn, tmp_path: Path) -> None:
    """The kubelet would start it again only after a pause, and not at all while the pod ends."""
    pod = Pod(server, tmp_path)
    pod.restore()
    server.fail("PATCH", "status", status=422, words="some webhook is in a bad mood")
    with pod.save() as saving:
        pod.write("at 40")
        saving.await_line("saving again soon")
        server.wait_until(lambda: server.checkpoint["sequence"] > 0, "the save after all")
        assert saved(server) == "at 40"
        saving.signal()
        assert saving.wait() == 0, saving.output


def test_where_another_pod_holds_the_task_nothing_is_written_and_the_end_is_waited_for(
    server: StandIn, tmp_path: Path
) -> None:
    first, second = Pod(server, tmp_path, 1), Pod(server, tmp_path, 2)
    first.restore()
    second.restore()
    writes = len(server.patches())
    with first.save() as saving:
        first.write("at 40")
        saving.await_line("nothing more can be saved: pod pod-2 holds the task")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert len(server.patches()) == writes


def test_a_sidecar_that_is_fenced_off_writes_nothing_more(server: StandIn, tmp_path: Path) -> None:
    first, second = Pod(server, tmp_path, 1), Pod(server, tmp_path, 2)
    first.restore()
    with first.save() as saving:
        server.wait_until(lambda: len(server.requests) == 3, "the claim to be taken over")
        second.restore()
        first.write("at 40")
        assert saving.wait() == 1  # started again, it finds out and waits
        assert "fenced" in saving.output
    assert server.checkpoint["holder"] == "pod-2"
    assert server.checkpoint["data"] == ""


def test_a_task_that_is_deleted_lets_the_sidecar_wait_for_its_end(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    pod.restore()
    with pod.save() as saving:
        server.wait_until(lambda: len(server.requests) == 3, "the claim to be taken over")
        server.task = None
        pod.write("at 40")
        saving.await_line("nothing more can be saved: the task was deleted")
        saving.signal()
        assert saving.wait() == 0, saving.output


def test_what_a_worker_of_another_kind_has_saved_is_never_overwritten(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    envelope = json.dumps({"longtask": 1, "done": 3, "state": {"next": 3}})
    server.set(
        "status.checkpoint",
        {"epoch": 1, "holder": "pod-9", "attempt": 1, "sequence": 3, "cause": "Stop", "time": "t", "data": envelope},
    )

    assert pod.restore().process.returncode == 78

    assert "holds no file" in pod.last_words.read_text()
    assert server.checkpoint["data"] == envelope
    assert not pod.file.exists()


def test_a_file_of_another_schema_is_not_restored_and_nothing_is_touched(server: StandIn, tmp_path: Path) -> None:
    first, second = Pod(server, tmp_path, 1, schema="map/1"), Pod(server, tmp_path, 2, schema="map/2")
    first.restore()
    with first.save() as saving:
        first.write("at 40")
        saving.signal()
        assert saving.wait() == 0, saving.output
    writes = len(server.patches())

    assert second.restore().process.returncode == 78

    assert "under the schema 'map/1'" in second.last_words.read_text()
    assert not second.file.exists()
    assert len(server.patches()) == writes


def test_a_place_that_nobody_may_write_to_is_told_and_not_tried_again(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    pod.file.mkdir(parents=True)
    data = pack(Position(done=1, told=False, content=b"at 40"))
    server.set(
        "status.checkpoint",
        {"epoch": 1, "holder": "pod-9", "attempt": 1, "sequence": 3, "cause": "Stop", "time": "t", "data": data},
    )

    assert pod.restore().process.returncode == 78

    assert "can't be written by user" in pod.last_words.read_text()
    assert "runAsUser" in pod.last_words.read_text()


def test_a_pod_that_starts_on_a_suspended_task_restores_nothing(server: StandIn, tmp_path: Path) -> None:
    server.set("spec.desiredState", "Suspend")
    pod = Pod(server, tmp_path)
    with pod.run("restore") as restoring:
        restoring.await_line("no claim is allowed")
        restoring.signal()
        assert restoring.wait() == 75
    assert server.patches() == []


def test_outside_of_a_pod_of_a_task_it_says_where_it_belongs(tmp_path: Path) -> None:
    with Program([sys.executable, "-m", "longtask.worker", "sidecar", "save"], tmp_path, {}) as program:
        assert program.wait() == 78
        assert "spec.checkpoint.file" in program.output


def test_it_has_two_steps_and_no_others(tmp_path: Path) -> None:
    for words in ([], ["sve"], ["save", "more"]):
        with Program([sys.executable, "-m", "longtask.worker", "sidecar", *words], tmp_path, {}) as program:
            assert program.wait() == 2
