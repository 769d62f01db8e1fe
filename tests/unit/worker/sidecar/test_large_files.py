"""Files that are too large for the status: copied into the volume, told of only when they are there, and restored."""

from __future__ import annotations

import json
import random
import threading
from typing import TYPE_CHECKING

import pytest

from longtask.worker.sidecar.content import LARGEST_FILE
from longtask.worker.sidecar.watched import SETTLED_AFTER
from tests.unit.worker.sidecar.pod import Pod
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from pathlib import Path

SIZES = [100_000, LARGEST_FILE + 1]


def a_pod(server: StandIn, folder: Path, number: int = 1) -> Pod:
    return Pod(
        server, folder, number, LONGTASK_CHECKPOINT_VOLUME=str(folder / "volume" / "it"), LONGTASK_CHECKPOINT_KEEP="2"
    )


def noise(size: int, seed: int) -> bytes:
    """Bytes that can't be compressed."""
    return random.Random(seed).randbytes(size)  # noqa: S311


def write(pod: Pod, content: bytes) -> None:
    other = pod.file.with_name("other")
    other.write_bytes(content)
    other.rename(pod.file)


@pytest.mark.parametrize("size", SIZES)
def test_a_large_file_is_saved_and_restored_byte_for_byte(tmp_path: Path, size: int) -> None:
    with StandIn() as server:
        pod = a_pod(server, tmp_path)
        assert pod.restore().process.returncode == 0
        with pod.save() as saving:
            write(pod, noise(size, 1))
            server.wait_until(lambda: server.checkpoint["sequence"] == 1, "the first save")
            write(pod, noise(size, 2))
            saving.signal()
            assert saving.wait() == 0
        data = json.loads(server.checkpoint["data"])
        assert data["file"]["object"]["size"] == size
        assert len(list((tmp_path / "volume" / "it").iterdir())) == len(data["kept"]) == 2

        second = a_pod(server, tmp_path, 2)
        assert second.restore().process.returncode == 0
        assert second.file.read_bytes() == noise(size, 2)


@pytest.mark.parametrize("size", SIZES)
def test_a_damaged_copy_gives_way_to_the_one_before_and_that_is_told_at_once(tmp_path: Path, size: int) -> None:
    with StandIn() as server:
        pod = a_pod(server, tmp_path)
        pod.restore()
        with pod.save() as saving:
            for number in (1, 2):
                write(pod, noise(size, number))
                server.wait_until(lambda: server.checkpoint["sequence"] == number, "a save")  # noqa: B023
            saving.signal()
            saving.wait()
        newest = json.loads(server.checkpoint["data"])["kept"][0]["name"]
        (tmp_path / "volume" / "it" / newest).write_bytes(b"nonsense")

        second = a_pod(server, tmp_path, 2)
        assert second.restore().process.returncode == 0
        assert second.file.read_bytes() == noise(size, 1)
        with second.save() as saving:
            server.wait_until(lambda: "damage" in (server.task or {})["status"]["progress"], "the damage told")
            saving.signal()
            saving.wait()
        assert json.loads(server.checkpoint["data"])["file"]["object"]["name"] != newest


def test_a_sidecar_killed_while_it_copies_leaves_what_was_saved_before(tmp_path: Path) -> None:
    with StandIn() as server:
        pod = a_pod(server, tmp_path)
        pod.restore()
        with pod.save() as saving:
            write(pod, noise(LARGEST_FILE + 1, 1))
            server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save")
            write(pod, noise(LARGEST_FILE * 8, 2))
            folder = tmp_path / "volume" / "it"
            server.wait_until(
                lambda: any(path.name.startswith("draft") for path in folder.iterdir()), "a copy on its way"
            )
            saving.process.kill()
            saving.wait()
        assert server.checkpoint["sequence"] == 1
        second = a_pod(server, tmp_path, 2)
        assert second.restore().process.returncode == 0
        assert second.file.read_bytes() == noise(LARGEST_FILE + 1, 1)
        assert not [path for path in folder.iterdir() if path.name.startswith("draft")]


def test_while_a_version_can_not_be_told_of_no_other_takes_room(tmp_path: Path) -> None:
    with StandIn() as server:
        pod = a_pod(server, tmp_path)
        pod.restore()
        with pod.save() as saving:
            write(pod, noise(100_000, 1))
            server.wait_until(lambda: server.checkpoint["sequence"] == 1, "a save")
            server.stop()
            folder = tmp_path / "volume" / "it"
            for number in range(2, 6):
                write(pod, noise(100_000, number))
                threading.Event().wait(2 * SETTLED_AFTER)  # what is awaited is that nothing comes of it
            assert len(list(folder.iterdir())) <= 2
            server.restart()
            saving.signal()
            assert saving.wait(40) == 0
        second = a_pod(server, tmp_path, 2)
        assert second.restore().process.returncode == 0
        assert second.file.read_bytes() == noise(100_000, 5)
