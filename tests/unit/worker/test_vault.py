"""Versions as files of a volume: whole or not there, damage is found, and nobody removes what another relies on."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from typing import TYPE_CHECKING

import pytest

from longtask.worker.errors import AwayError, DamagedError
from longtask.worker.vault import PATIENCE, FolderVault, Stored

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

LARGE = bytes(range(256)) * 10_000  # more than is copied at once


def a_vault(folder: Path, epoch: int = 1) -> FolderVault:
    vault = FolderVault(folder / "task")
    vault.epoch = epoch
    return vault


def names(vault: FolderVault) -> list[str]:
    return sorted(path.name for path in vault.folder.iterdir())


def placed(vault: FolderVault, content: bytes) -> Stored:
    return vault.place(vault.draft(io.BytesIO(content)))


@pytest.mark.parametrize("content", [b"", b"a", LARGE])
def test_what_was_put_comes_back_by_either_way(tmp_path: Path, content: bytes) -> None:
    vault = a_vault(tmp_path)
    for stored in (vault.put(content), placed(vault, content)):
        assert stored == Stored(stored.name, len(content), hashlib.sha256(content).hexdigest())
        assert vault.read(stored) == content
        vault.copy_out(stored, tmp_path / "out", mode=0o640)
        assert (tmp_path / "out").read_bytes() == content
    assert len(names(vault)) == 1, "the same content of the same claim is the same version"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.write_bytes(b"other"), "SHA-256"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "SHA-256"),
        (lambda path: path.unlink(), "gone"),
        (lambda path: (path.unlink(), path.mkdir()), "can't be read"),
    ],
)
def test_damage_is_found_and_harms_nothing_else(tmp_path: Path, harm: object, words: str) -> None:
    vault = a_vault(tmp_path)
    stored = vault.put(LARGE)
    harm(vault.folder / stored.name)  # type: ignore[operator]  # any of the above
    out = tmp_path / "out"
    out.write_bytes(b"as it was")
    for read in (vault.read, vault.check, lambda it: vault.copy_out(it, out, mode=0o600)):
        with pytest.raises(DamagedError, match=words):
            read(stored)
    assert out.read_bytes() == b"as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "task"]


@pytest.mark.parametrize("put", [FolderVault.put, placed])
def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, mocker: MockerFixture, put: object) -> None:
    vault = a_vault(tmp_path)
    vault.put(b"before")
    before = names(vault)
    mocker.patch("os.fsync", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(OSError, match="No space"):
        put(vault, LARGE)  # type: ignore[operator]  # either of the above
    assert names(vault) == before


def test_a_volume_that_can_not_be_read_is_no_damage(tmp_path: Path) -> None:
    """It may be read again, and an older version instead would be work lost."""
    vault = a_vault(tmp_path)
    stored = vault.put(b"a")
    path = vault.folder / stored.name
    path.unlink()
    path.symlink_to(path)  # stands for any error that says nothing of the content
    with pytest.raises(AwayError, match="volume can't be read"):
        vault.read(stored)


def test_all_versions_but_those_that_are_kept_are_removed(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    stored = []
    for number in range(6):
        stored.append(vault.put(bytes([number])))
        vault.prune([version.name for version in stored[-2:]])
    assert names(vault) == sorted(version.name for version in stored[-2:])


def test_what_is_only_on_its_way_to_become_a_version_is_not_removed_until_the_next_claim(tmp_path: Path) -> None:
    """One thread writes a version while another removes those that are not kept: seen to cost a save."""
    vault = a_vault(tmp_path)
    stored = vault.put(b"a")
    on_its_way = vault.folder / f"{stored.name[:11]}{'0' * 64}.new"
    on_its_way.write_bytes(b"half")
    vault.prune([stored.name])
    assert on_its_way.exists()
    vault.clear()
    assert names(vault) == [stored.name]


def test_a_version_that_was_not_told_of_yet_is_spared(tmp_path: Path) -> None:
    """One thread writes the next while another learns that the last was saved."""
    vault = a_vault(tmp_path)
    told, waiting = vault.put(b"told"), vault.put(b"waiting")
    vault.prune([told.name])
    assert names(vault) == sorted([told.name, waiting.name])
    vault.prune([waiting.name])
    vault.prune([waiting.name])
    assert names(vault) == [waiting.name]


def test_a_worker_that_was_fenced_removes_nothing_of_its_successors(tmp_path: Path) -> None:
    stale, present = a_vault(tmp_path, 1), a_vault(tmp_path, 2)
    theirs = present.put(b"theirs")
    own = stale.put(b"own")
    stale.prune([own.name])
    assert names(stale) == sorted([own.name, theirs.name])
    present.prune([theirs.name])
    assert names(present) == [theirs.name], "but its successor does"


def test_the_same_content_of_a_stale_worker_is_another_file(tmp_path: Path) -> None:
    stale, present = a_vault(tmp_path, 1), a_vault(tmp_path, 2)
    assert stale.put(b"same").name != present.put(b"same").name


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    stored = vault.put(b"a")
    (vault.folder / "README").write_text("mine")
    vault.prune([stored.name])
    assert "README" in names(vault)


def test_copies_that_were_never_finished_are_cleared_away(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    vault.draft(io.BytesIO(b"half"))
    stored = vault.put(b"a")
    vault.clear()
    assert names(vault) == [stored.name]


def test_a_volume_that_nothing_can_be_kept_in_is_told_before_the_work_begins(
    tmp_path: Path, mocker: MockerFixture
) -> None:
    vault = a_vault(tmp_path)
    vault.probe()
    assert vault.folder.is_dir()
    mocker.patch("os.access", return_value=False)
    with pytest.raises(AwayError, match=r"Permission denied.*fsGroup") as told:
        vault.probe()
    assert told.value.patience == PATIENCE
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AwayError, match="volume"):
        FolderVault(tmp_path / "file" / "task").probe()


def test_the_folder_is_for_whoever_comes_next(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    stored = vault.put(b"a")
    assert vault.folder.stat().st_mode & 0o777 == 0o777
    assert (vault.folder / stored.name).stat().st_mode & 0o777 == 0o666
