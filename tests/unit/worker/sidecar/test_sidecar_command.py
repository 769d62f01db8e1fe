"""The sidecar as processes against the stand-in API server: what it saves, restores and bears.

A test is the program: it writes the file. Stopping the sidecar says that the program has ended, as the kubelet does.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from longtask.worker.sidecar.content import Position, pack, unpack
from tests.unit.worker.builders import Program, pod_environment
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A task that is to run."""
    with StandIn() as server:
        yield server


class Pod:
    """One pod's sidecar, in both of its steps, and the folder that it shares with the program."""

    def __init__(self, server: StandIn, folder: Path, number: int = 1, schema: str = "") -> None:
        self.folder = folder / f"pod-{number}"
        self.folder.mkdir(exist_ok=True)
        self.file = self.folder / "state" / "position"
        variables = {"LONGTASK_CHECKPOINT_FILE": str(self.file), "LONGTASK_CHECKPOINT_SCHEMA": schema}
        self._environment = pod_environment(server, folder, number, **variables)
        self.last_words = folder / f"termination-log-{number}"

    def run(self, step: str) -> Program:
        command = [sys.executable, "-m", "longtask.worker", "sidecar", step]
        return Program(command, self.folder, self._environment)

    def save(self) -> Program:
        """Start saving, and return when the program may start, as the kubelet does."""
        self.last_words.write_text("")
        program = self.run("save")
        deadline = time.monotonic() + 20
        while not self.last_words.read_text():
            assert time.monotonic() < deadline, "the sidecar does not say that it listens"
            assert program.process.poll() is None, "the sidecar has ended"
            threading.Event().wait(0.02)
        return program

    def restore(self) -> Program:
        with self.run("restore") as program:
            program.wait()
        return program

    def write(self, text: str) -> None:
        """Replace the file, as programs should."""
        other = self.file.with_name("other")
        other.write_text(text)
        other.rename(self.file)

    def tell(self, progress: str) -> None:
        self.file.with_name("position.progress").write_text(progress)


def saved(server: StandIn) -> str:
    content = unpack(server.checkpoint["data"]).content
    return "" if content is None else content.decode()


def progress(server: StandIn) -> dict[str, object]:
    assert server.task
    found: dict[str, object] = server.task["status"]["progress"]
    return found


def test_before_the_program_starts_for_the_first_time_the_task_is_claimed_and_there_is_no_file(
    server: StandIn, tmp_path: Path
) -> None:
    pod = Pod(server, tmp_path)

    restoring = pod.restore()

    assert restoring.process.returncode == 0
    assert (server.checkpoint["epoch"], server.checkpoint["cause"]) == (1, "Claim")
    assert list(pod.file.parent.iterdir()) == []
    assert pod.file.parent.stat().st_mode & 0o777 == 0o777
    assert "nothing is saved yet" in restoring.output


def test_a_file_that_was_never_saved_stays_as_it_is(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    pod.file.parent.mkdir()
    pod.write("begin at 40")

    assert "the file that is there stays" in pod.restore().output
    assert pod.file.read_text() == "begin at 40"


def test_a_version_is_saved_while_the_program_runs_and_restored_in_the_next_pod(
    server: StandIn, tmp_path: Path
) -> None:
    first, second = Pod(server, tmp_path, 1), Pod(server, tmp_path, 2)
    first.restore()
    with first.save() as saving:
        first.write("at 40")
        server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save on the way")
        assert (saved(server), server.checkpoint["cause"]) == ("at 40", "Interval")
        first.write("at 70")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert saved(server) == "at 70"

    assert second.restore().process.returncode == 0

    assert second.file.read_text() == "at 70"
    assert (server.checkpoint["epoch"], server.checkpoint["holder"]) == (2, "pod-2")
    assert second.file.stat().st_mode & 0o666 == 0o666


@pytest.mark.parametrize(("wanted", "cause"), [("Suspend", "Stop"), ("Run", "Interval"), ("Terminate", "Interval")])
def test_the_last_save_says_stop_when_the_task_is_to_be_suspended(
    server: StandIn, tmp_path: Path, wanted: str, cause: str
) -> None:
    """A program that ends by itself ends the sidecar, too; that is no stop."""
    pod = Pod(server, tmp_path)
    pod.restore()
    with pod.save() as saving:
        pod.write("at 40")
        server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save on the way")
        server.set("spec.desiredState", wanted)
        pod.write("at 41")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert (saved(server), server.checkpoint["cause"]) == ("at 41", cause)


def test_a_suspension_is_answered_though_the_program_has_written_nothing(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    pod.restore()
    with pod.save() as saving:
        server.wait_until(lambda: len(server.requests) == 3, "the claim to be taken over")
        server.set("spec.desiredState", "Suspend")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert (server.checkpoint["sequence"], server.checkpoint["cause"], server.checkpoint["data"]) == (1, "Stop", "")


def test_a_suspension_that_comes_during_the_last_save_is_answered_too(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    pod.restore()
    server.on_patch = lambda _: server.set("spec.desiredState", "Suspend")
    with pod.save() as saving:
        pod.write("at 40")
        server.wait_until(lambda: len(server.requests) == 3, "the claim to be taken over")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert [request.checkpoint["cause"] for request in server.patches()] == ["Claim", "Interval", "Stop"]
    assert saved(server) == "at 40"


def test_nothing_is_written_when_nothing_has_changed(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    pod.restore()
    with pod.save() as saving:
        server.wait_until(lambda: len(server.requests) == 3, "the claim to be taken over")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert len(server.patches()) == 1


def test_versions_are_counted_where_the_program_tells_no_progress(server: StandIn, tmp_path: Path) -> None:
    first, second = Pod(server, tmp_path, 1), Pod(server, tmp_path, 2)
    for pod, text in ((first, "at 40"), (second, "at 41")):
        pod.restore()
        with pod.save() as saving:
            pod.write(text)
            saving.signal()
            assert saving.wait() == 0, saving.output
    assert progress(server) == {"done": 2}


def test_the_progress_that_the_program_tells_is_shown_and_outlives_the_pod(server: StandIn, tmp_path: Path) -> None:
    first, second = Pod(server, tmp_path, 1), Pod(server, tmp_path, 2)
    first.restore()
    with first.save() as saving:
        first.write("at 40")
        first.tell("40 160 copying\n")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert progress(server) == {"done": 40, "total": 160, "percent": 25, "message": "copying"}
    second.restore()
    with second.save() as saving:
        second.write("at 41")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert progress(server)["done"] == 40


def test_progress_alone_is_saved_too(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    pod.restore()
    with pod.save():
        pod.tell("7")
        server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save of progress")
    assert progress(server)["done"] == 7
    assert server.checkpoint["data"] == ""


def test_a_thousand_versions_cost_one_save_and_the_last_one_arrives(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    pod.restore()
    with pod.save() as saving:
        for number in range(1000):
            pod.write(f"at {number}")
        server.wait_until(lambda: server.checkpoint["sequence"] == 1, "the first save")
        for number in range(1000, 3000):
            pod.write(f"at {number}")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert saved(server) == "at 2999"
    assert server.checkpoint["sequence"] <= 2


def test_a_file_that_does_not_fit_is_told_and_what_was_saved_stays(server: StandIn, tmp_path: Path) -> None:
    """A suspension must not look as if all were saved."""
    pod = Pod(server, tmp_path)
    pod.restore()
    with pod.save() as saving:
        pod.write("at 40")
        server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save on the way")
        pod.file.write_bytes(b"".join(number.to_bytes(4, "big") for number in range(0, 2**31, 9973)))
        server.set("spec.desiredState", "Suspend")
        saving.signal()
        assert saving.wait() == 0, saving.output
    assert (saved(server), server.checkpoint["cause"]) == ("at 40", "Interval")
    assert "is too large to be saved" in str(progress(server)["message"])
    assert "is too large to be saved" in saving.output


def test_a_sidecar_that_is_killed_and_started_again_goes_on_with_the_claim(server: StandIn, tmp_path: Path) -> None:
    pod = Pod(server, tmp_path)
    pod.restore()
    with pod.save() as saving:
        pod.write("at 40")
        server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save on the way")
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
    pod.restore()
    with pod.save() as saving:
        pod.write("at 40")
        server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save on the way")
        server.stop()
        pod.write("at 41")
        saving.signal()
        with pytest.raises(Exception, match="timed out"):
            saving.wait(2)
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
