"""From raw objects to the records that the decision reads: parsed once, at the edge, and nothing kept beyond them.

None means "not an object of ours": a label is no proof, so owner and name are looked at, too. Whatever users and pods
may write is read without failing, and a pod of which not everything is understood counts as one that runs. What makes
no sense at all raises: unknown is not empty, so nothing must be decided as if it were not there.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from longtask.api import names
from longtask.api.checkpoint import CheckpointSpec
from longtask.api.longtask import FROM_BEGINNING, LongTask
from longtask.api.names import Reason
from longtask.core.exitcodes import ExitCodes
from longtask.core.job import grace_seconds, queue_of, secrets_inline, template_hash, worker_container
from longtask.core.observed import JobOutcome, ObservedJob, ObservedPod, ObservedTask, PodPhase, Trouble
from longtask.shell import values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from longtask.api.status import LongTaskStatus

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

_SOME_DAY = datetime(9000, 1, 1, tzinfo=UTC)
"""For a deletion whose time makes no sense: asked to stop, and never known to have had its time."""


def task_record(body: Mapping[str, Any]) -> ObservedTask:
    """The record of a LongTask. Raises `pydantic.ValidationError` for one that our CRD would not have let in."""
    task = LongTask.from_body(body)
    metadata, spec = task.metadata, task.spec
    checkpoint = spec.checkpoint or CheckpointSpec()
    return ObservedTask(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        deleting=metadata.deletion_timestamp is not None,
        has_finalizer=names.FINALIZER in metadata.finalizers,
        has_cleanup=spec.cleanup is not None,
        desired=spec.desired_state,
        backoff_limit=spec.backoff_limit,
        template_hash=template_hash(body["spec"]),
        secrets_inline=secrets_inline(spec.template),
        queue=metadata.labels.get(names.LABEL_KUEUE_QUEUE) or queue_of(spec.template),
        keeps_file=checkpoint.file is not None,
        exit_codes=ExitCodes.of(spec.checkpoint),
        active_deadline=_seconds(spec.active_deadline_seconds),
        progress_deadline=_seconds(spec.progress_deadline_seconds),
        restart_nonce=spec.restart_nonce,
        from_beginning=spec.restart_from == FROM_BEGINNING,
        rewind=values.number(spec.restart_from),
        owns_claim=checkpoint.volume is not None and checkpoint.volume.claim_template is not None,
        ttl=_seconds(spec.ttl_seconds_after_finished),
        grace_seconds=grace_seconds(spec.template),
        status=_without_data(task.status),
    )


def _seconds(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(seconds=number)


def _without_data(status: LongTaskStatus) -> LongTaskStatus:
    """The status without the saved data, of which only the worker reads more than whether there is any.

    Up to 32 KiB a task would fill the operator's memory.
    """
    checkpoint = status.checkpoint
    if checkpoint is None or len(checkpoint.data) <= 1:
        return status
    return status.model_copy(update={"checkpoint": checkpoint.model_copy(update={"data": checkpoint.data[:1]})})


def job_record(body: Json) -> ObservedJob | None:
    """The record of a Job that a LongTask controls. Raises for one that makes no sense."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    owner = _controller(metadata)
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    attempt = values.count(labels.get(names.LABEL_ATTEMPT))
    if attempt is None or not _is_ours(metadata["name"], owner, labels, attempt):
        return None
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    kind, outcome = next(
        ((kind, outcome) for kind, outcome in _OUTCOMES if _true(conditions.get(kind))), ("", JobOutcome.OPEN)
    )
    said, ended = conditions.get("Suspended"), conditions.get(kind) or {}
    return ObservedJob(
        **_identity(metadata),
        generation=values.integer(metadata["generation"]),
        task_uid=values.uid(labels.get(names.LABEL_TASK_UID) if owner is None else owner["uid"]),
        attempt=attempt,
        template_hash=values.text(annotations.get(names.ANNOTATION_TEMPLATE_HASH, "")),
        failures_before=values.count(annotations.get(names.ANNOTATION_FAILURES_BEFORE)) or 0,
        restart_nonce=values.count(annotations.get(names.ANNOTATION_RESTART_NONCE)),
        batch_wait=_seconds(values.count(annotations.get(names.ANNOTATION_WAIT_FOR_BATCH))),
        deleting="deletionTimestamp" in metadata,
        suspend=values.flag(spec.get("suspend")),
        suspended=None if said is None else _true(said),
        outcome=outcome,
        outcome_reason=values.text(ended.get("reason") or ""),
        outcome_message=values.text(ended.get("message") or ""),
        failed=values.optional(status.get("failed"), int) or 0,
        started="startTime" in status,
        active_since=values.time(status.get("startTime")) or values.required_time(metadata["creationTimestamp"]),
    )


def _is_ours(name: str, owner: Json | None, labels: Json, attempt: int) -> bool:
    """Whether a LongTask controls it; or it cleans up for one that is being deleted, and has no owner for that."""
    if owner is not None:
        return bool(owner.get("kind") == names.KIND)
    task, uid = str(labels.get(names.LABEL_TASK_NAME)), str(labels.get(names.LABEL_TASK_UID))
    return attempt == 0 and name == names.cleanup_job_name(task, uid)


def pod_record(body: Json) -> ObservedPod | None:
    """The record of a pod of a task, by label and name; its worker's container is what counts.

    Raises for what is no pod. One whose parts make no sense is one of phase `Unknown` with an owner that nobody knows.
    """
    identity, labels = _identity(body["metadata"]), body["metadata"].get("labels") or {}
    task_uid = values.text(labels.get(names.LABEL_TASK_UID, ""))
    named = _POD_NAME.search(identity["name"])
    if not task_uid or named is None or f"-{task_uid[:8]}-" not in identity["name"]:
        return None
    known: Json = {**identity, "task_uid": task_uid, "attempt": int(named.group(1))}
    try:
        return ObservedPod(**known, **_seen_of_pod(body))
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
        return ObservedPod(**known, **_NOTHING_SEEN)


_NOTHING_SEEN: Json = {
    "created": None,
    "owner_uid": "",  # not None: without an owner it would be deleted
    "phase": PodPhase.UNKNOWN,
    "node": None,
    "deletion_time": _SOME_DAY,
    "deletion_grace": timedelta(0),
    "disrupted": False,
    "worker_started": False,
    "ended": None,
    "exit_code": None,
    "last_words": "",
    "trouble": None,
}
"""Of a pod that makes no sense. It may have been asked to stop, so that nothing it ends with passes for success."""


def _seen_of_pod(body: Json) -> Json:
    metadata, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    container = worker_container(spec["containers"])["name"]
    states = {s["name"]: s.get("state") or {} for s in status.get("containerStatuses") or ()}
    state = states.get(container, {})
    ended = state.get("terminated") or _failed_to_restore(status)
    owner = _controller(metadata)
    deletion_time, deletion_grace = _deletion(metadata)
    return {
        "created": values.time(metadata.get("creationTimestamp")),
        "owner_uid": None if owner is None else values.text(owner["uid"]),
        "phase": _phase(status.get("phase") or "Pending"),
        "node": values.optional(spec.get("nodeName"), str),
        "deletion_time": deletion_time,
        "deletion_grace": deletion_grace,
        "disrupted": any(c["type"] == "DisruptionTarget" and _true(c) for c in status.get("conditions") or ()),
        "worker_started": "running" in state,
        "ended": values.time(ended.get("finishedAt")),
        "exit_code": values.optional(ended.get("exitCode"), int),
        "last_words": _last_words(status, container),
        "trouble": _trouble(body),
    }


def _failed_to_restore(status: Json) -> Json:
    """The end of our init container, if it failed: the program never starts then, so that this is the worker's end."""
    states = {s["name"]: s.get("state") or {} for s in status.get("initContainerStatuses") or ()}
    ended: Json = states.get(names.RESTORE_CONTAINER, {}).get("terminated") or {}
    return ended if ended.get("exitCode") else {}


def event_trouble(event: Json) -> Trouble | None:
    """What a warning event of a Job complains about. None for other events."""
    if event.get("type") != "Warning":
        return None
    message = str(event.get("message", ""))
    known = {"exceeded quota": Reason.QUOTA_EXCEEDED, "violates PodSecurity": Reason.POD_REFUSED}
    reason = next((reason for words, reason in known.items() if words in message), None)
    if reason is None and event.get("reason") != "FailedCreate":
        return None
    said = values.time(event.get("lastTimestamp") or event.get("eventTime"))
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


def _deletion(metadata: Json) -> tuple[datetime | None, timedelta]:
    """Time of deletion and grace period. A time that makes no sense is some day, with no telling when it was asked."""
    if metadata.get("deletionTimestamp") is None:
        return None, timedelta(0)
    time = values.time(metadata["deletionTimestamp"])
    if time is None:
        return _SOME_DAY, timedelta(0)
    return time, values.grace(metadata.get("deletionGracePeriodSeconds") or 0)


def _identity(metadata: Json) -> dict[str, str]:
    """What every object has. Raises KeyError or TypeError where it has not: nothing can be done with it."""
    keys = {"namespace": "namespace", "name": "name", "uid": "uid", "resource_version": "resourceVersion"}
    return {field: values.text(metadata[key]) for field, key in keys.items()}
