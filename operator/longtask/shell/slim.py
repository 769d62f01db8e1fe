"""From raw objects to the records that the decision reads: parsed once, at the edge, and nothing kept beyond them.

None means "not an object of ours": a label is no proof, so owner and name are looked at, too. Whatever users and pods
may write is read without failing, and a pod of which not everything is understood counts as one that runs.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from longtask.api import names
from longtask.api.longtask import LongTask
from longtask.api.names import Reason
from longtask.core.job import secrets_inline, template_hash, worker_container
from longtask.core.observed import JobOutcome, ObservedJob, ObservedPod, ObservedTask, PodPhase, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from longtask.api.longtask import LongTaskStatus

Json = dict[str, Any]

_POD_NAME = re.compile(r"-(\d{1,5})(?:-\d+)?-[a-z0-9]{5}$")

_OUTCOMES = (
    ("Complete", JobOutcome.COMPLETE),
    ("Failed", JobOutcome.FAILED),
    ("SuccessCriteriaMet", JobOutcome.COMPLETING),
    ("FailureTarget", JobOutcome.FAILING),
)

_WAITING = {
    "ErrImagePull": Reason.IMAGE_PULL,
    "ImagePullBackOff": Reason.IMAGE_PULL,
    "InvalidImageName": Reason.IMAGE_PULL,
    "ErrImageNeverPull": Reason.IMAGE_PULL,
    "RegistryUnavailable": Reason.IMAGE_PULL,
    "CreateContainerConfigError": Reason.CONTAINER_CONFIG,
    "CreateContainerError": Reason.CONTAINER_CONFIG,
    "RunContainerError": Reason.CONTAINER_CONFIG,
    "CrashLoopBackOff": Reason.CRASH_LOOP,
}
"""What the kubelet says of containers that will not start by themselves."""


_NEVER_A_POD = re.compile(r'(pods "[^"]*-)[a-z0-9]{5}(?=")')
"""The name of a pod that was refused: its end is random, so each try would be news, and the status written for ever."""

_LONGEST_GRACE = timedelta(days=36500)
"""A pod may ask for more than Python can count."""


def task_record(body: Mapping[str, Any]) -> ObservedTask:
    """The record of a LongTask. Raises `pydantic.ValidationError` for one that our CRD would not have let in."""
    task = LongTask.from_body(body)
    metadata, spec = task.metadata, task.spec
    template_labels = ((spec.template.get("metadata") or {}).get("labels")) or {}
    return ObservedTask(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        deleting=metadata.deletion_timestamp is not None,
        desired=spec.desired_state,
        backoff_limit=spec.backoff_limit,
        template_hash=template_hash(spec.template),
        secrets_inline=secrets_inline(spec.template),
        queue=metadata.labels.get(names.LABEL_KUEUE_QUEUE) or template_labels.get(names.LABEL_KUEUE_QUEUE),
        status=_without_data(task.status),
    )


def _without_data(status: LongTaskStatus) -> LongTaskStatus:
    """The status without the saved data, of which only the worker reads more than whether there is any.

    Up to 32 KiB a task would fill the operator's memory.
    """
    checkpoint = status.checkpoint
    if checkpoint is None or len(checkpoint.data) <= 1:
        return status
    return status.model_copy(update={"checkpoint": checkpoint.model_copy(update={"data": checkpoint.data[:1]})})


def job_record(body: Json) -> ObservedJob | None:
    """The record of a Job that a LongTask controls."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    owner = _controller(metadata)
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    attempt = labels.get(names.LABEL_ATTEMPT, "")
    if owner is None or owner.get("kind") != names.KIND or not attempt.isdigit():
        return None
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    kind, outcome = next(
        ((kind, outcome) for kind, outcome in _OUTCOMES if _true(conditions.get(kind))), ("", JobOutcome.OPEN)
    )
    said = conditions.get("Suspended")
    ended = conditions.get(kind) or {}
    failures_before = annotations.get(names.ANNOTATION_FAILURES_BEFORE, "")
    return ObservedJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        task_uid=owner["uid"],
        attempt=int(attempt),
        template_hash=annotations.get(names.ANNOTATION_TEMPLATE_HASH, ""),
        failures_before=int(failures_before) if failures_before.isdigit() else 0,
        deleting="deletionTimestamp" in metadata,
        suspend=bool(spec.get("suspend")),
        suspended=None if said is None else _true(said),
        outcome=outcome,
        outcome_reason=ended.get("reason") or "",
        outcome_message=ended.get("message") or "",
        failed=status.get("failed") or 0,
        active_since=_time(status.get("startTime")) or _required_time(metadata["creationTimestamp"]),
    )


def pod_record(body: Json) -> ObservedPod | None:
    """The record of a pod of a task, by label and name; its worker's container is what counts."""
    metadata, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    labels = metadata.get("labels") or {}
    task_uid = labels.get(names.LABEL_TASK_UID, "")
    named = _POD_NAME.search(metadata["name"])
    if not task_uid or named is None or f"-{task_uid[:8]}-" not in metadata["name"]:
        return None
    container = worker_container(spec["containers"])["name"]
    states = {s["name"]: s.get("state") or {} for s in status.get("containerStatuses") or ()}
    state = states.get(container, {})
    ended = state.get("terminated") or {}
    owner = _controller(metadata)
    return ObservedPod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        task_uid=task_uid,
        owner_uid=None if owner is None else owner["uid"],
        attempt=int(named.group(1)),
        phase=_phase(status.get("phase") or "Pending"),
        node=spec.get("nodeName"),
        deletion_time=_time(metadata.get("deletionTimestamp")),
        deletion_grace=_grace(metadata.get("deletionGracePeriodSeconds") or 0),
        disrupted=any(c["type"] == "DisruptionTarget" and _true(c) for c in status.get("conditions") or ()),
        worker_started="running" in state,
        ended=_time(ended.get("finishedAt")),
        exit_code=ended.get("exitCode"),
        last_words=_last_words(status, container),
        trouble=_trouble(body),
    )


def event_trouble(event: Json) -> Trouble | None:
    """What a warning event of a Job complains about. None for other events."""
    if event.get("type") != "Warning":
        return None
    message = str(event.get("message", ""))
    known = {"exceeded quota": Reason.QUOTA_EXCEEDED, "violates PodSecurity": Reason.POD_REFUSED}
    reason = next((reason for words, reason in known.items() if words in message), None)
    if reason is None and event.get("reason") != "FailedCreate":
        return None
    said = _time(event.get("lastTimestamp") or event.get("eventTime"))
    words = _NEVER_A_POD.sub(r"\1...", message)
    return Trouble(reason=reason or Reason.POD_REFUSED, message=words, only_a_person_can_help=True, time=said)


def node_is_ready(node: Json) -> bool:
    """Whether the node's kubelet is known to be well."""
    return any(c["type"] == "Ready" and _true(c) for c in (node.get("status") or {}).get("conditions") or ())


def _trouble(body: Json) -> Trouble | None:
    """Why a pod does not start, in the words of scheduler or kubelet."""
    name, status = body["metadata"]["name"], body.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            message = f"pod {name} can't be scheduled: {condition.get('message', '')}"
            return Trouble(reason=Reason.UNSCHEDULABLE, message=message)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = _WAITING.get(waiting.get("reason", ""))
        if reason is not None:
            words = f"pod {name}, container {container['name']}: {waiting['reason']}: {waiting.get('message', '')}"
            died = (container.get("lastState") or {}).get("terminated") or {}
            log = str(died.get("message") or "").strip()
            return Trouble(reason=reason, message=f"{words}\n{log}" if log else words, only_a_person_can_help=True)
    return None


def _last_words(status: Json, worker: str) -> str:
    """What the worker's container said at its end; if it has not ended, what another one that failed said."""
    containers = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    ends = {c["name"]: end for c in containers if (end := (c.get("state") or {}).get("terminated"))}
    end = ends.get(worker, {})
    words = [f"{worker}: OOMKilled" if end.get("reason") == "OOMKilled" else "", end.get("message") or ""]
    if not end:
        failed = ((name, end) for name, end in ends.items() if end.get("exitCode"))
        words = [
            f"container {name} exited with code {end['exitCode']}: {end.get('message', '')}" for name, end in failed
        ]
    return "\n".join(word for word in (*words, status.get("message") or "") if word)


def _controller(metadata: Json) -> Json | None:
    owners: Iterable[Json] = metadata.get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def _true(condition: Json | None) -> bool:
    return condition is not None and condition.get("status") == "True"


def _phase(word: str) -> PodPhase:
    """A phase that we don't know is one that may be active."""
    return PodPhase(word) if word in PodPhase.__members__.values() else PodPhase.UNKNOWN


def _grace(seconds: float) -> timedelta:
    return min(_LONGEST_GRACE, timedelta(seconds=min(seconds, _LONGEST_GRACE.total_seconds())))


def _time(text: str | None) -> datetime | None:
    """The time, or None where there is none that Python can hold."""
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None


def _required_time(text: str) -> datetime:
    return datetime.fromisoformat(text)
