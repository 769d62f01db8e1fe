"""The sidecar as processes against the stand-in API server: what it saves, and what it restores.

A test is the program: it writes the file. Stopping the sidecar says that the program has ended, as the kubelet does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.worker.sidecar.pod import Pod, progress, saved

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.worker.standin import StandIn


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
    with first.at_work(server) as saving:
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
    with pod.at_work(server) as saving:
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
