"""Where this process keeps its checkpoints: at the API server in a cluster, in a file elsewhere.

It must not know what the work is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from longtask.worker.console import Console
from longtask.worker.control import Control
from longtask.worker.session import SAVE_EVERY, Session
from longtask.worker.settings import SCHEMA, from_environment, in_cluster, seconds_to_live

if TYPE_CHECKING:
    from longtask.worker.signals import Stop


def connect(
    stop: Stop, task: str, *, save_every: float = SAVE_EVERY, checkpoint: str = "", restart: bool = False
) -> tuple[Session, Console, Control]:
    """Return a session that is yet to claim its task.

    `task`: its name, for the local file. `save_every`: seconds. `checkpoint`: the local file; by default
    `<task>.checkpoint.json` in the current folder. Raises UsageError for settings that can't be meant.
    """
    control = Control(lambda: stop.requested)
    if in_cluster(os.environ):
        from longtask.worker.api import Door  # noqa: PLC0415 - a local run needs neither HTTP nor TLS
        from longtask.worker.apistore import ApiStore  # noqa: PLC0415
        from longtask.worker.keeping import status_store  # noqa: PLC0415

        who = from_environment(os.environ)
        stop.seconds_to_live = seconds_to_live(who.grace_seconds)
        stop.words = b"longtask: asked to stop: after this batch\n"
        console = Console(termination_log=who.termination_log)
        store = status_store(who)
        ask = ApiStore(Door(who.api_server, who.credentials), who).wanted if who.wait_for_batch else None
        session = Session(store, stop, console, control, save_every=save_every, schema=who.schema, ask=ask)
        return session, console, control

    from longtask.worker.filestore import FileStore  # noqa: PLC0415 - needs a POSIX system; a cluster's worker need not

    stop.second_aborts = True
    stop.words = b"\nlongtask: stopping after this batch; once more aborts\n"
    console = Console(bar=sys.stderr.isatty())
    file = FileStore(Path(checkpoint or f"{task}.checkpoint.json"), task, restart=restart)
    schema = os.environ.get(SCHEMA, "")
    return Session(file, stop, console, control, save_every=save_every, schema=schema), console, control
