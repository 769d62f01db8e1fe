"""A store whose versions are kept in a volume: first the volume, then the task's status, which names what is there.

A save counts when the status has it, as ever; by then the version is on the disk. It must not know what is saved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from longtask.worker.api import Door
from longtask.worker.apistore import ApiStore
from longtask.worker.console import write_error
from longtask.worker.errors import AwayError
from longtask.worker.store import Claim, anything
from longtask.worker.vault import FolderVault
from longtask.worker.versions import Opened, Rewind, open_data, version_of, with_versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from longtask.worker.settings import ClusterSettings
    from longtask.worker.store import Snapshot, Wanted
    from longtask.worker.vault import Vault
    from longtask.worker.versions import Version

LARGEST_STATE = 2**30
"""Bytes of a state: far more than anybody should hold in memory as text."""


class KeepingStore:
    """The task's status, and a vault behind it."""

    limit = LARGEST_STATE

    def __init__(self, status: ApiStore, vault: Vault, who: ClusterSettings) -> None:
        self.name = status.name
        self.vault = vault
        self.damage = ""  # what was found to be damaged, and where it went on instead
        self._status, self._keep = status, who.keep
        self._rewind = None if who.rewind is None else Rewind(who.rewind, who.start_over)
        self._versions: tuple[Version, ...] = ()
        self._opened: tuple[str, Opened] | None = None
        self._sent: tuple[Snapshot, int, Snapshot] | None = None  # what was asked to be saved, and what was sent for it

    def claim(self, accept: Callable[[str], None] = anything) -> Claim:
        """See CheckpointStore. Versions that are damaged are told of; DataError if none is left."""
        self.vault.probe()
        return self._of(self._status.claim(lambda data: accept(self._open(data).data)))

    def adopt(self) -> Claim:
        """See ApiStore."""
        return self._of(self._status.adopt())

    def wanted(self) -> Wanted:
        """See ApiStore."""
        return self._status.wanted()

    def save(self, snapshot: Snapshot, sequence: int, seconds: float) -> Wanted:
        """See CheckpointStore. Raises AwayError, too, while the volume can't be written to: it may have room later."""
        if self._sent is None or (self._sent[0], self._sent[1]) != (snapshot, sequence):
            self._sent = (snapshot, sequence, self._kept(snapshot, sequence))
        wanted = self._status.save(self._sent[2], sequence, seconds)
        self.vault.prune(version.stored.name for version in self._versions)
        return wanted

    def now(self) -> float:
        """See CheckpointStore."""
        return self._status.now()

    def close(self) -> None:
        """Close the connection."""
        self._status.close()

    def _kept(self, snapshot: Snapshot, sequence: int) -> Snapshot:
        """Keep it in the vault. An earlier try of the same save may have been carried out: it is the same version."""
        progress = snapshot.progress
        if progress is not None and self.damage:
            progress = {**progress, "damage": self.damage}
        if not snapshot.data:
            return replace(snapshot, progress=progress)
        try:
            version = version_of(snapshot.data, sequence, self.vault)
        except OSError as error:
            raise AwayError(f"the checkpoint's volume can't be written to: {error.strerror or error}") from error
        older = tuple(other for other in self._versions if other.stored != version.stored and other.sequence < sequence)
        self._versions = (version, *older)[: self._keep]
        return replace(snapshot, data=with_versions(snapshot.data, self._versions), progress=progress)

    def _of(self, claim: Claim) -> Claim:
        opened = self._open(claim.data)
        self._versions, self.damage, self.vault.epoch = opened.versions, opened.damage, claim.epoch
        self.vault.clear()
        if self.damage:
            write_error(f"longtask: {self.damage}\n")
        return Claim(claim.epoch, claim.sequence, opened.data)

    def _open(self, data: str) -> Opened:
        if self._opened is None or self._opened[0] != data:
            self._opened = (data, open_data(data, self.vault, rewind=self._rewind))
        return self._opened[1]


def status_store(who: ClusterSettings, vault: Vault | None = None) -> ApiStore | KeepingStore:
    """Return the store of a worker in a cluster: the task's status, and the volume that its settings name.

    `vault`: one that is shared with somebody else.
    """
    status = ApiStore(Door(who.api_server, who.credentials), who)
    vault = vault or open_vault(who.volume, who.object_store)
    return status if vault is None else KeepingStore(status, vault, who)


def open_vault(volume: Path | None, object_store: str) -> Vault | None:
    """Return where versions are kept, by the settings; None: nowhere. Raises UsageError for settings of no use."""
    if object_store:
        from longtask.worker.objects import ObjectVault  # noqa: PLC0415 - few need it

        return ObjectVault(object_store)
    return None if volume is None else FolderVault(volume)
