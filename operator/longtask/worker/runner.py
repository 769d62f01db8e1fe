"""Runs a task that is a class: what is called when. It must not know where checkpoints are kept."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from longtask.worker.console import write_error
from longtask.worker.endings import Ending, ending_of
from longtask.worker.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from longtask.worker.console import Console
    from longtask.worker.reasons import Reason
    from longtask.worker.session import Session
    from longtask.worker.signals import Stop


def run(task: Task, session: Session, stop: Stop, console: Console) -> int:
    """Run the task to its end and return the exit code."""
    begun: list[Task] = []  # holds the task from the moment on in which it has something to clean up
    try:
        ending = _work(task, session, stop, begun)
    except BaseException as error:  # noqa: BLE001 - whatever ends it, its cleanup is called and its exit code is ours
        ending = ending_of(error, stopped=stop.requested)
        session.abandon()
        write_error(ending.details)
    console.last_words(ending.line, ending.details)  # before the cleanup, which may outlast the grace period
    if begun:
        clean_up(task.cleanup, ending.reason)
    session.close()
    return ending.code


def _work(task: Task, session: Session, stop: Stop, begun: list[Task]) -> Ending:
    saved = session.claim(task.migrate if type(task).migrate is not Task.migrate else None)
    if stop.requested:
        return session.finish()
    begun.append(task)
    task.setup(saved)
    session.begin(task.total(), task.save)
    for batch in session.batches(task.batches(), task.count):
        task.process(batch)
    return session.finish()


def clean_up(cleanup: Callable[[Reason], None], reason: Reason) -> None:
    """Call the user's cleanup. An error in it is shown and changes nothing: what is saved is saved."""
    try:
        cleanup(reason)
    except BaseException:  # noqa: BLE001 - see above
        write_error(f"longtask: cleanup({reason}) failed:\n{traceback.format_exc()}")
