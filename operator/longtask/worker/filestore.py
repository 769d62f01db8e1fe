"""Checkpoints in a local file, outside a cluster, by the same rules. It must not know of a cluster.

The file is replaced as a whole and written through to the disk, so that it is the old one or the new one at any
moment. A checksum tells a damaged file, which is an error: beginning at zero over lost work must be asked for.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from longtask.worker.durable import replace_file
from longtask.worker.envelope import MAX_BYTES
from longtask.worker.errors import AlreadyDone, DamagedError, FencedError, RefusedError, UsageError
from longtask.worker.store import Cause, Claim, Wanted, anything, is_checkpoint, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from longtask.worker.store import Snapshot

_FORMAT = "longtask checkpoint 1"


class FileStore:
    """The checkpoint of one task in one file, for one process at a time."""

    limit = MAX_BYTES

    def __init__(self, path: Path, task: str, *, restart: bool = False) -> None:
        """`task`: the task's name, so that no other task's file is taken. `restart`: begin anew, keep the old one."""
        self.name = str(path)
        self._path = path
        self._task = task
        self._restart = restart
        self._lock = -1
        self._record: dict[str, Any] = {}

    def claim(self, accept: Callable[[str], None] = anything) -> Claim:
        """See CheckpointStore. Raises UsageError while another process has the file, and for another task's."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        except OSError as error:
            raise UsageError(f"{self._path} can't be locked: {error}. --checkpoint FILE names another place") from error
        if self._restart and self._path.exists():
            self._path.replace(self._path.with_name(f"{self._path.name}.old"))
        self._record = self._read()
        found = self._record.get("checkpoint")
        if found and found["cause"] == Cause.DONE:
            raise AlreadyDone(f"all work was done at {found['time']}; --restart begins anew")
        base = found or {"epoch": 0, "sequence": 0, "data": ""}
        accept(base["data"])
        claim = {
            "epoch": base["epoch"] + 1,
            "holder": f"{socket.gethostname()}:{os.getpid()}",
            "attempt": 1,
            "sequence": base["sequence"],
            "cause": str(Cause.CLAIM),
            "time": timestamp(self.now()),
            "data": base["data"],
        }
        self._write(self._record | {"checkpoint": claim})
        return Claim(claim["epoch"], claim["sequence"], claim["data"])

    def save(self, snapshot: Snapshot, sequence: int, seconds: float) -> Wanted:  # noqa: ARG002 - a disk is fast
        """See CheckpointStore. Who stops a local run wants to go on later."""
        changed = {"sequence": sequence, "cause": str(snapshot.cause), "time": snapshot.time, "data": snapshot.data}
        record = self._record | {"checkpoint": self._record["checkpoint"] | changed}
        if snapshot.progress is not None:
            record["progress"] = snapshot.progress
        self._write(record)
        return Wanted.SUSPEND

    def now(self) -> float:
        """See CheckpointStore."""
        return time.time()

    def close(self) -> None:
        """Give the file to others."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take_lock(self) -> None:
        """Lock a file beside it: the file itself is replaced at every save. Removing it would race."""
        if self._lock >= 0:
            return
        path = self._path.with_name(f"{self._path.name}.lock")
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(lock, 100).decode(errors="replace").strip()
            os.close(lock)
            raise UsageError(f"another process ({holder or 'unknown'}) is working with {self._path}") from error
        except OSError:
            os.close(lock)
            raise
        os.ftruncate(lock, 0)
        os.write(lock, f"pid {os.getpid()}\n".encode())
        self._lock = lock

    def _read(self) -> dict[str, Any]:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return {"format": _FORMAT, "task": self._task}
        except OSError as error:
            raise RefusedError(f"{self._path} can't be read: {error}") from error
        try:
            record = parse(raw)
        except DamagedError as error:
            raise DamagedError(
                f"{self._path} is damaged ({error}). Put a good copy in its place, or begin anew with --restart"
            ) from error
        if record["task"] != self._task:
            raise UsageError(f"{self._path} belongs to the task {record['task']!r}, and this is {self._task!r}")
        return record

    def _write(self, record: dict[str, Any]) -> None:
        if self._lock < 0:
            raise FencedError(f"the lock of {self._path} is given up")
        try:
            replace_file(self._path, render(record))
        except OSError as error:
            raise RefusedError(f"{self._path} can't be written: {error}") from error
        self._record = record


def render(record: dict[str, Any]) -> bytes:
    """Return the file's content: one line that people can read, with a checksum over everything else in it."""
    return json.dumps(record | {"sha256": _checksum(record)}, indent=1).encode() + b"\n"


def parse(raw: bytes) -> dict[str, Any]:
    """Return the record in a file's content, without its checksum. Raises DamagedError and nothing else."""
    try:
        record = json.loads(raw.decode())
        if not isinstance(record, dict) or record.get("format") != _FORMAT:
            raise DamagedError("not written by this version of longtask")
        if record.pop("sha256", None) != _checksum(record):
            raise DamagedError("its checksum is wrong")
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"no JSON: {error}") from error
    if not isinstance(record.get("task"), str) or not is_checkpoint(record.get("checkpoint")):
        raise DamagedError("a field is missing")
    return record


def _checksum(record: dict[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
