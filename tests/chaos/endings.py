"""How pods ended, and what that means for the retries of their task: pure functions from what was seen.

It must not ask the cluster, nor look at the task's own words about its failures before it has counted them itself.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tests.e2e.support.watch_verdicts import ENDED, TASK_UID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.e2e.support.client import Body
    from tests.e2e.support.watch import Seen

SAVED: Final = 75
CUT: Final = frozenset({"StartError", "ContainerStatusUnknown"})
"""Reasons for the end of a container whose start, or whose end, nobody was there to see: containerd or kubelet died."""


def ending(versions: Sequence[Body], killed: Iterable[str] = ()) -> str:
    """How a pod ended, in a word, by its versions; `killed`: UIDs of pods whose workers were killed.

    `done`, `saved`; `disrupted` (evicted, or its node was lost). Of those that somebody had deleted before they ended:
    `struck` when a fault came on top, `lost` when nobody saw the end, otherwise `stopped`. Of all others: `killed` by a
    fault; `cut` when a dying containerd or kubelet lost it; otherwise it has `failed` by itself.
    """
    final = [version for version in versions if version["status"].get("phase") in ENDED]
    body = final[0] if final else versions[-1]
    told, code, reason = "deletionTimestamp" in body["metadata"], *container_end(body)
    if code in {0, SAVED} and not (code == 0 and told):
        return "done" if code == 0 else "saved"
    if any(c["type"] == "DisruptionTarget" and c["status"] == "True" for c in body["status"].get("conditions", [])):
        return "disrupted"
    hit = body["metadata"]["uid"] in killed
    if told:
        return "struck" if hit else "lost" if reason in CUT else "stopped"
    if not final:
        return "gone"
    if hit:
        return "killed"
    return "cut" if reason in CUT else "failed"


def own_failures(endings: Mapping[str, str]) -> list[str]:
    """Pods that failed though no fault was done to them. `endings`: by name."""
    return [f"{name} failed by itself" for name, how in endings.items() if how == "failed"]


class Counts(StrEnum):
    """Whether the end of a pod uses a retry."""

    YES = "yes"
    NO = "no"
    MAYBE = "maybe"


def counts(how: str, *, deleted: bool, wanted_on: bool) -> Counts:
    """Whether a pod that ended this way uses a retry.

    A worker that a fault has ended does, if its task was wanted to run until the next one began (`wanted_on`): a
    suspension that comes in between may take the pod away before the Job controller has counted it. Nobody can say of
    one that was struck while it was stopping anyway. And who has a pod `deleted` past the Eviction API leaves no mark
    on it: if its worker had not begun to listen, Kubernetes takes it for one that failed.
    """
    if how in {"killed", "cut", "failed"}:
        return Counts.YES if wanted_on else Counts.MAYBE
    return Counts.MAYBE if how == "struck" or (deleted and how in {"stopped", "lost"}) else Counts.NO


def used_retries(versions: Iterable[Body]) -> int:
    """All retries that a task has used, by its versions: each rise of its count, and each new row of one failure.

    A failure after progress is the first of a new row, and gets an attempt of its own.
    """
    used, failures, attempt = 0, 0, 1
    for body in versions:
        status = body["status"]
        now = status.get("failures") or 0
        if status.get("attempt", 1) == attempt:
            used += max(0, now - failures)
        elif any(c["type"] == "Ready" and c["reason"] == "Retrying" for c in status.get("conditions", [])):
            used += 1
        failures, attempt = now, status.get("attempt", 1)
    return used


def miscounted_retries(versions: Iterable[Body], ends: Iterable[Counts]) -> list[str]:
    """Retries used for anything but a worker that a fault had ended, or not used for one."""
    used = used_retries(versions)
    due = Counter(ends)
    least, most = due[Counts.YES], due[Counts.YES] + due[Counts.MAYBE]
    if least <= used <= most:
        return []
    return [f"{used} retries are used, and {least} to {most} workers were ended by faults"]


def wanted_on(log: Iterable[Seen], task: str, pod: str) -> bool:
    """Whether a task was wanted to run, and known to be, from the end of one of its pods until the next one began."""
    over = False
    wanted = True
    for seen in log:
        uid, labels = seen.body["metadata"]["uid"], seen.body["metadata"].get("labels", {})
        if uid == task:
            status, generation = seen.body["status"], seen.body["metadata"]["generation"]
            runs = seen.body["spec"]["desiredState"] == "Run" and status.get("observedGeneration") == generation
            wanted = runs and (wanted or not over)
        elif uid == pod:
            over = over or seen.body["status"].get("phase") in ENDED
        elif over and labels.get(TASK_UID) == task:
            return wanted
    return False


def container_end(pod: Body) -> tuple[int | None, str]:
    """Exit code and reason of the worker's container; None and nothing while it has not ended."""
    for status in pod["status"].get("containerStatuses", []):
        if (terminated := status["state"].get("terminated")) is not None:
            return terminated["exitCode"], terminated.get("reason", "")
    return None, ""


def versions_of_pods(log: Iterable[Seen], task: str) -> dict[str, list[Body]]:
    """The versions of every pod that a task ever had, by UID."""
    found: dict[str, list[Body]] = {}
    for seen in log:
        metadata = seen.body["metadata"]
        if seen.kind == "Pod" and metadata.get("labels", {}).get(TASK_UID) == task:
            found.setdefault(metadata["uid"], []).append(seen.body)
    return found
