"""What a run says of itself: figures for everybody, and for whoever must find a cause the script and a task's story.

Pure functions from a record to text or JSON.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.chaos.endings import container_end
from tests.chaos.hands import NOBODY
from tests.chaos.script import FAULTS, OPERATOR
from tests.chaos.verdicts import checkpoint_of, place
from tests.e2e.support.watch_verdicts import TASK_UID, suspensions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.chaos.hands import Deed
    from tests.chaos.stage import Record, TaskRecord
    from tests.e2e.support.client import Body
    from tests.e2e.support.watch import Seen


def figures(record: Record) -> dict[str, Any]:
    """The figures of a run; seconds and counts."""
    done = [deed for deed in record.deeds if not deed.words.startswith(("in vain", NOBODY))]
    costs = [cost for task in record.tasks for cost in task.interruptions]
    tasks = {task.work.name for task in record.tasks}
    return {
        "seed": record.script.seed,
        "tasks": len(record.tasks),
        "batches": sum(task.work.batches for task in record.tasks),
        "seconds": round(record.seconds),
        "acts": len(record.deeds),
        "acts that hit": len(done),
        "outages": counted(deed for deed in done if deed in _outages(record, done)),
        "workers hit": counted(deed for deed in done if deed.act.verb in FAULTS and deed.act.target in tasks),
        "operator hit": counted(deed for deed in done if deed.act.target == OPERATOR),
        "wishes": dict(sorted(Counter(deed.act.verb for deed in done if deed.act.verb not in FAULTS).items())),
        "suspended": suspensions(seen for seen in record.log),
        "pods": dict(sorted(Counter(pod.how for task in record.tasks for pod in task.pods.values()).items())),
        "retries used": sum(task.versions[-1]["status"].get("failures") or 0 for task in record.tasks),
        "attempts": sum(task.versions[-1]["status"]["attempt"] for task in record.tasks),
        "interruptions": dict(sorted(Counter(cost.how for cost in costs).items())),
        "batches done again": sum(cost.again for cost in costs),
        "most done again after one interruption": max((cost.again for cost in costs), default=0),
        "done again after": dict(_again(costs)),
        "versions observed": len(record.log),
        "gaps bridged": record.bridged,
        "missed": record.missed,
    }


def _outages(record: Record, done: Iterable[Deed]) -> list[Deed]:
    outages = record.script.outages()
    return [deed for deed in done if deed.act in outages]


def _again(costs: Iterable[Any]) -> Counter[str]:
    again: Counter[str] = Counter()
    for cost in costs:
        again[cost.how] += cost.again
    return again


def counted(deeds: Iterable[Deed]) -> dict[str, Any]:
    """How many there were of each kind, and how long they lasted in all."""
    found = list(deeds)
    kinds = Counter(f"{deed.act.verb} {component(deed.act.target)}" for deed in found)
    return {**dict(sorted(kinds.items())), "seconds in all": round(sum(deed.ended - deed.begun for deed in found))}


def component(name: str) -> str:
    """What it is, without the number of its node or task."""
    return "worker" if name.startswith("chain-") else name.rstrip("0123456789-")


def table(values: Mapping[str, Any]) -> list[str]:
    """Figures, a line each."""
    return [f"{name + ':':40} {value}" for name, value in values.items()]


def deeds(record: Record) -> list[str]:
    """What was done, a line each, at times of the day in UTC, as in the logs of the components."""
    return [
        f"{clock(deed.begun)} to {clock(deed.ended)}  {deed.act.verb:8} {deed.act.target:24} {deed.words}"
        for deed in record.deeds
    ]


def clock(seconds: float) -> str:
    """Time of the day in UTC."""
    return time.strftime("%H:%M:%S", time.gmtime(seconds))


def stories(record: Record) -> list[str]:
    """What happened to every task."""
    return [line for task in record.tasks for line in ("", *about(record, task))]


def about(record: Record, task: TaskRecord) -> list[str]:
    """The story of a task, how its pods ended, and what the interruptions cost."""
    return [
        f"the story of {task.work.name}:",
        *story(record.log, task.versions[-1]["metadata"]["uid"]),
        *(f"{pod.name}: {pod.how}, uses a retry: {pod.counts}" for pod in task.pods.values()),
        *map(str, task.interruptions),
    ]


def story(log: Iterable[Seen], task: str) -> list[str]:
    """What happened to a task and its pods, a line for each version that says something new. `task`: its UID."""
    lines: list[str] = []
    last: dict[str, str] = {}
    for seen in log:
        metadata = seen.body["metadata"]
        if task not in {metadata["uid"], metadata.get("labels", {}).get(TASK_UID)}:
            continue
        words = "is gone" if seen.gone else _task(seen.body) if seen.kind == "LongTask" else _pod(seen.body)
        if last.get(metadata["uid"]) != words:
            last[metadata["uid"]] = words
            at = f" at batch {place(seen.body)}" if seen.kind == "LongTask" else ""
            lines.append(f"{seen.revision} {metadata['name']}: {words}{at}")
    return lines


def _task(body: Body) -> str:
    status, checkpoint = body["status"], checkpoint_of(body)
    ready: Body = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
    return (
        f"wants {body['spec']['desiredState']}, {status['state']} ({ready.get('reason', '')},"
        f" generation {status.get('observedGeneration')} of {body['metadata']['generation']}),"
        f" attempt {status['attempt']}, failures {status.get('failures')},"
        f" epoch {checkpoint.get('epoch')} {checkpoint.get('cause')}"
    )


def _pod(body: Body) -> str:
    told = ", told to stop" if "deletionTimestamp" in body["metadata"] else ""
    disrupted = any(c["type"] == "DisruptionTarget" for c in body["status"].get("conditions", []))
    code, reason = container_end(body)
    end = "" if code is None else f", exit code {code} {reason}"
    return f"{body['status'].get('phase')}{told}{', disrupted' if disrupted else ''}{end}"
