"""Judges the checkpoints of a task by every version that was stored: pure functions, as in watch_verdicts.py."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.support.client import Body


def position(task: Body) -> tuple[int, int, int, int]:
    """How far a version of a task of `items.py` is: epoch, sequence, the item to go on with, and progress."""
    status = task["status"]
    checkpoint = status.get("checkpoint", {})
    return (
        checkpoint.get("epoch", 0),
        checkpoint.get("sequence", 0),
        next_item(checkpoint.get("data", "")),
        status.get("progress", {}).get("done", 0),
    )


def next_item(data: str) -> int:
    """The item to go on with, of what a worker saved, or a sidecar for a program that keeps the item in its file."""
    saved = json.loads(data or '{"state": {"next": 0}}')
    return int(saved["file"]["text"] if "file" in saved else saved["state"]["next"])


def steps_back(versions: Iterable[Body]) -> list[str]:
    """Every write by which any of epoch, sequence, place to go on at and progress became less than it had been."""
    return [
        f"from {before} to {after}"
        for before, after in pairwise(map(position, versions))
        if any(new < old for old, new in zip(before, after, strict=True))
    ]


def writers(versions: Iterable[Body]) -> list[tuple[int, str]]:
    """Epochs with the pod that held each, in the order in which they wrote; an epoch that came back is there twice."""
    found: list[tuple[int, str]] = []
    for version in versions:
        checkpoint = version["status"].get("checkpoint")
        if checkpoint is not None and (not found or found[-1] != (checkpoint["epoch"], checkpoint["holder"])):
            found.append((checkpoint["epoch"], checkpoint["holder"]))
    return found
