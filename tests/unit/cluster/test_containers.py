"""Reaching a container past kubelet and API server, and the image that every pod's sandbox is made of."""

from __future__ import annotations

import io
import json
import tarfile
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from tests.cluster import containers, pause
from tests.cluster.configs import PAUSE_IMAGE
from tests.unit.cluster.builders import a_program

if TYPE_CHECKING:
    from pathlib import Path

UID = "8a1c0f3e-0000-4000-8000-000000000001"
TASKS = "TASK   PID   STATUS\nold    11    STOPPED\nnew    12    RUNNING\n"


@pytest.fixture
def ctr(tmp_path: Path) -> Path:
    """A client of a node where a pod's container ran twice: `old` has ended, `new` runs."""
    return a_program(
        tmp_path / "ctr",
        f'echo "$*" >>{tmp_path}/calls\n'
        f"case $* in 'tasks list') printf '{TASKS}';; 'containers list --quiet '*{UID}*worker*) echo old; echo new;;\n"
        "'images list --quiet') echo docker.io/library/longtask:dev;; esac",
    )


def test_the_container_that_runs_is_signalled(ctr: Path) -> None:
    assert containers.kill([str(ctr)], UID, "worker", "KILL")

    assert (ctr.parent / "calls").read_text().splitlines()[-1] == "tasks kill --signal SIGKILL new"


@pytest.mark.parametrize(("uid", "name"), [("another", "worker"), (UID, "sidecar")])
def test_no_other_container_is_signalled(ctr: Path, uid: str, name: str) -> None:
    assert not containers.kill([str(ctr)], uid, name, "KILL")

    assert "tasks kill" not in (ctr.parent / "calls").read_text()


def test_a_signal_that_does_not_exist_is_refused_before_anything_is_asked(ctr: Path) -> None:
    with pytest.raises(KeyError, match="SIGMURDER"):
        containers.kill([str(ctr)], UID, "worker", "MURDER")

    assert not (ctr.parent / "calls").exists()


def test_where_no_container_runs_none_is_found() -> None:
    assert containers.running_tasks("TASK   PID   STATUS\n") == set()


@pytest.mark.parametrize(("name", "there"), [("longtask:dev", True), ("longtask:de", False), ("dev", False)])
def test_an_image_is_known_by_its_whole_name(ctr: Path, name: str, there: bool) -> None:
    assert containers.has_image([str(ctr)], name) is there


def test_the_sandbox_image_is_whole_and_holds_one_program(tmp_path: Path) -> None:
    (tmp_path / "busybox").write_bytes(b"a static program")

    pause.archive(tmp_path / "busybox", tmp_path / "pause.tar")

    with tarfile.open(tmp_path / "pause.tar") as archive:
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    manifest = json.loads(files["manifest.json"])[0]
    config = json.loads(files[manifest["Config"]])
    layer = files[manifest["Layers"][0]]
    assert manifest["RepoTags"] == [PAUSE_IMAGE]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as content:
        assert [(entry.name, entry.mode) for entry in content] == [("bin/busybox", 0o755)]
