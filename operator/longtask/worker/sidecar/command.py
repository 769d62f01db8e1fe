"""The commands `longtask sidecar restore`, `save` and `unpack`, as the operator puts them beside a program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from longtask.worker import exitcodes
from longtask.worker.console import Console, leave_message, write_error
from longtask.worker.endings import ending_of
from longtask.worker.errors import LongTaskError, UsageError
from longtask.worker.keeping import open_vault, status_store
from longtask.worker.settings import from_environment, in_cluster
from longtask.worker.sidecar.keeper import Keeper
from longtask.worker.sidecar.restore import restore, unpack
from longtask.worker.sidecar.watched import WatchedFile

if TYPE_CHECKING:
    from longtask.worker.settings import ClusterSettings
    from longtask.worker.signals import Stop

_LOOK_SECONDS = 1.0


def run(step: str, stop: Stop) -> int:
    """Do one of the steps, and return the exit code."""
    console = Console()
    try:
        if step == "unpack":
            volume = os.environ.get("LONGTASK_CHECKPOINT_VOLUME")
            vault = open_vault(Path(volume) if volume else None, os.environ.get("LONGTASK_CHECKPOINT_STORE", ""))
            console.say(unpack(_path("LONGTASK_CHECKPOINT_FILE"), _path("LONGTASK_LAST_CHECKPOINT"), vault=vault))
            return exitcodes.DONE
        who, path = _settings()
        console = Console(termination_log=who.termination_log)
        if step == "restore":
            vault = open_vault(who.volume, who.object_store)
            console.say(restore(path, who.schema, status_store(who, vault), stop, console, vault=vault))
        else:
            # The program is not started before this is there: one that ends at once would stop us before we listen.
            leave_message(who.termination_log, f"saving {path}")
            vault = open_vault(who.volume, who.object_store)
            file = WatchedFile(path, vault=vault)
            _save(Keeper(file, lambda: status_store(who, vault), stop, console, schema=who.schema), stop, console)
    except BaseException as error:  # noqa: BLE001 - the exit code is ours
        ending = ending_of(error, stopped=stop.requested)
        write_error(ending.details)
        console.last_words(ending.line, ending.details)
        return ending.code
    return exitcodes.DONE


def _save(keeper: Keeper, stop: Stop, console: Console) -> None:
    """Where nothing can be saved any more, wait for the end: ending before the program would only get us restarted."""
    try:
        keeper.run()
    except LongTaskError as error:
        console.say(f"nothing more can be saved: {error}")
        while not stop.wait(_LOOK_SECONDS):  # a signal that comes just before a wait begins does not end it
            pass


def _settings() -> tuple[ClusterSettings, Path]:
    if not in_cluster(os.environ):
        raise UsageError("this command is for pods that the operator has prepared: see spec.checkpoint.file")
    return from_environment(os.environ), _path("LONGTASK_CHECKPOINT_FILE")


def _path(name: str) -> Path:
    value = os.environ.get(name, "")
    if not value.startswith("/"):
        raise UsageError(f"{name} is {value!r}, which is no absolute path")
    return Path(value)
