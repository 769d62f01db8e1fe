"""Versions in an object store, at a real server: whole or not there, damage is found, and a cut wire costs nothing."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from typing import TYPE_CHECKING

import pytest

from longtask.worker.errors import AwayError, DamagedError, UsageError
from longtask.worker.objects import ObjectVault
from longtask.worker.vault import PATIENCE, Stored
from tests.unit.worker.builders import COUNT, pod_environment, run_worker
from tests.unit.worker.s3 import BUCKET, object_store
from tests.unit.worker.sidecar.pod import Pod
from tests.unit.worker.sidecar.test_large_files import noise, write
from tests.unit.worker.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.worker.s3 import ObjectStore

SMALL, LARGE = b"a", bytes(range(256)) * 50_000  # 12.8 MB: more than one part of an upload


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    """One for all tests here; each has a prefix of its own."""
    with object_store() as store:
        yield store


@pytest.fixture
def prefix(server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A place that no other test has, and the way there in the environment."""
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    server.wire.room = None
    yield uuid.uuid4().hex
    server.wire.room = None


def a_vault(prefix: str, epoch: int = 1) -> ObjectVault:
    vault = ObjectVault(f"s3://{BUCKET}/{prefix}")
    vault.epoch = epoch
    return vault


def placed(vault: ObjectVault, content: bytes) -> Stored:
    return vault.place(vault.draft(io.BytesIO(content)))


@pytest.mark.parametrize("content", [b"", SMALL, LARGE])
def test_what_was_put_comes_back_by_either_way(prefix: str, tmp_path: Path, content: bytes) -> None:
    vault = a_vault(prefix)
    for stored in (vault.put(content), placed(vault, content)):
        assert stored == Stored(stored.name, len(content), hashlib.sha256(content).hexdigest())
        assert vault.read(stored) == content
        vault.check(stored)
        vault.copy_out(stored, tmp_path / "out", mode=0o640)
        assert (tmp_path / "out").read_bytes() == content


@pytest.mark.parametrize(("harm", "words"), [(b"other", "SHA-256"), (None, "gone")])
def test_damage_is_found_and_harms_nothing_else(
    server: ObjectStore, prefix: str, tmp_path: Path, harm: bytes | None, words: str
) -> None:
    vault = a_vault(prefix)
    stored = vault.put(SMALL)
    server.harm(f"{prefix}/{stored.name}", harm)
    out = tmp_path / "out"
    out.write_bytes(b"as it was")
    for read in (vault.read, vault.check, lambda it: vault.copy_out(it, out, mode=0o600)):
        with pytest.raises(DamagedError, match=words):
            read(stored)
    assert out.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("room", [0, 1_000_000, 7_000_000])
def test_an_upload_that_is_cut_halfway_is_no_version_and_may_be_tried_again(
    server: ObjectStore, prefix: str, room: int
) -> None:
    vault = a_vault(prefix)
    before = vault.put(SMALL)
    for put in (ObjectVault.put, placed):
        server.wire.room = room
        with pytest.raises(AwayError, match="object store can't be written to"):
            put(vault, LARGE)
        server.wire.room = None
        assert server.names(prefix) == [before.name]
    assert vault.read(vault.put(LARGE)) == LARGE


def test_a_store_that_is_away_is_no_damage(server: ObjectStore, prefix: str, tmp_path: Path) -> None:
    """An older version instead would be work lost."""
    vault = a_vault(prefix)
    stored = vault.put(SMALL)
    server.wire.room = 0
    for read in (vault.read, vault.check, lambda it: vault.copy_out(it, tmp_path / "out", mode=0o600)):
        with pytest.raises(AwayError, match="object store can't be read"):
            read(stored)
    vault.prune([])
    server.wire.room = None
    assert vault.read(stored) == SMALL
    assert list(tmp_path.iterdir()) == []


def test_all_versions_but_those_that_are_kept_are_removed_and_none_of_a_later_claim(
    server: ObjectStore, prefix: str
) -> None:
    stale, present = a_vault(prefix, 1), a_vault(prefix, 2)
    theirs = present.put(SMALL)
    own = []
    for number in range(4):
        own.append(stale.put(bytes([number])))
        stale.prune([version.name for version in own[-2:]])
    assert server.names(prefix) == sorted([own[-2].name, own[-1].name, theirs.name])
    present.prune([theirs.name])
    assert server.names(prefix) == [theirs.name]


def test_a_version_that_was_not_told_of_yet_is_spared(server: ObjectStore, prefix: str) -> None:
    vault = a_vault(prefix)
    told, waiting = vault.put(b"told"), vault.put(b"waiting")
    vault.prune([told.name])
    assert server.names(prefix) == sorted([told.name, waiting.name])


def test_dropping_a_draft_never_harms_a_version_of_the_same_content(prefix: str) -> None:
    vault = a_vault(prefix)
    stored = vault.put(SMALL)
    vault.drop(vault.draft(io.BytesIO(SMALL)))
    assert vault.read(stored) == SMALL


def test_a_bucket_that_is_not_there_is_told_before_the_work_begins(server: ObjectStore, prefix: str) -> None:  # noqa: ARG001
    a_vault(prefix).probe()
    with pytest.raises(AwayError, match="object store can't be used") as told:
        ObjectVault("s3://no-such-bucket/x").probe()
    assert told.value.patience == PATIENCE


def test_an_address_of_no_use_is_told() -> None:
    with pytest.raises(UsageError, match="objectStore can't be used"):
        ObjectVault("nowhere://x")


# --- as programs ---

HEAVY = COUNT.replace('return {"next": self.next}', 'return {"next": self.next, "made": "x" * 100_000}')


def test_a_worker_goes_on_from_an_object_store(server: ObjectStore, prefix: str, tmp_path: Path) -> None:
    store = {**server.variables, "LONGTASK_CHECKPOINT_STORE": f"s3://{BUCKET}/{prefix}"}
    with StandIn() as api:
        first = pod_environment(api, tmp_path, 1, **store)
        with run_worker(tmp_path, first, "count.py:Steps", "--save-every", "0", code=HEAVY) as worker:
            worker.steps(3)
            worker.await_line("checkpoint 1:")
            worker.signal()
            worker.step_if_it_lives()
            assert worker.wait() == 75
        kept = json.loads(api.checkpoint["data"])["kept"]
        assert server.names(prefix) == sorted(entry["name"] for entry in kept)
        server.harm(f"{prefix}/{kept[0]['name']}", b"damaged")
        with run_worker(tmp_path, pod_environment(api, tmp_path, 2, **store), "count.py:Count", code=HEAVY) as worker:
            assert worker.wait() == 0
        assert any("went on from checkpoint" in line for line in worker.lines), worker.output
        assert "damaged" in (api.task or {})["status"]["progress"]["damage"]


def test_a_worker_whose_store_is_away_works_on_and_saves_when_it_is_back(
    server: ObjectStore, prefix: str, tmp_path: Path
) -> None:
    store = {**server.variables, "LONGTASK_CHECKPOINT_STORE": f"s3://{BUCKET}/{prefix}"}
    with StandIn() as api:
        environment = pod_environment(api, tmp_path, 1, **store)
        with run_worker(tmp_path, environment, "count.py:Steps", "--save-every", "0", code=HEAVY) as worker:
            worker.steps(2)
            worker.await_line("checkpoint 1:")
            server.wire.room = 0
            saved = api.checkpoint["sequence"]
            worker.steps(6)
            worker.await_line("end 7")
            assert api.checkpoint["sequence"] <= saved + 1
            server.wire.room = None
            worker.steps(2)
            assert worker.wait(60) == 0
        assert api.checkpoint["cause"] == "Done"


def test_a_large_file_is_saved_to_an_object_store_and_restored(
    server: ObjectStore, prefix: str, tmp_path: Path
) -> None:
    store = {**server.variables, "LONGTASK_CHECKPOINT_STORE": f"s3://{BUCKET}/{prefix}"}
    size = 9 * 2**20
    with StandIn() as api:
        pod = Pod(api, tmp_path, 1, **store)
        assert pod.restore().process.returncode == 0
        with pod.save() as saving:
            write(pod, noise(size, 1))
            api.wait_until(lambda: api.checkpoint["sequence"] == 1, "a save", seconds=40)
            saving.signal()
            assert saving.wait() == 0
        second = Pod(api, tmp_path, 2, **store)
        assert second.restore().process.returncode == 0
        assert second.file.read_bytes() == noise(size, 1)
