"""Every name that the cluster, its users and our own parts share, each once.

It must not know how a name is used: no logic but the one function that builds a computed name.
Words are Kubernetes' own where it has them (batch/v1 Job's conditions, kstatus' `Ready` and `Stalled`),
because `kubectl wait`, Helm, Flux and Argo CD then work without being told anything.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

# --- The resource ---

GROUP: Final = "longtask.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "LongTask"
PLURAL: Final = "longtasks"
SINGULAR: Final = "longtask"
SHORT_NAME: Final = "lt"
CATEGORY: Final = "longtasks"  # `kubectl get longtasks` of every kind that we may add later
CRD_NAME: Final = f"{PLURAL}.{GROUP}"

# --- Labels and annotations, on Jobs and on their pods ---

LABEL_TASK_UID: Final = f"{GROUP}/task-uid"  # what we list and watch by: a re-created task has another one
# for people: `kubectl get pods -l longtask.dev/task-name=nightly-import`
LABEL_TASK_NAME: Final = f"{GROUP}/task-name"
LABEL_ATTEMPT: Final = f"{GROUP}/attempt"  # decimal number of the attempt
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"  # recommended by Kubernetes; its value is MANAGED_BY
MANAGED_BY: Final = "longtask-operator"
# on the Job: hash of the task's template as written
ANNOTATION_TEMPLATE_HASH: Final = f"{GROUP}/template-hash"

# on the Job: failures that earlier attempts had used
ANNOTATION_FAILURES_BEFORE: Final = f"{GROUP}/failures-before"

# on the Job: for how many seconds its worker is asked before it is stopped
ANNOTATION_WAIT_FOR_BATCH: Final = f"{GROUP}/wait-for-batch-seconds"

# on the Job: the task's `spec.restartNonce` when it was created
ANNOTATION_RESTART_NONCE: Final = f"{GROUP}/restart-nonce"

# on the pod that cleans up: what was saved last
ANNOTATION_CHECKPOINT: Final = f"{GROUP}/checkpoint"

FINALIZER: Final = f"{GROUP}/cleanup"  # on a task with `spec.cleanup`, until that has run

# refused for now: Kueue un-suspends the Jobs that we suspend
LABEL_KUEUE_QUEUE: Final = "kueue.x-k8s.io/queue-name"

# --- What is installed in the cluster ---

# default of chart and manifests; the chart's release may choose another
OPERATOR_NAMESPACE: Final = "longtask-system"
# ServiceAccount, Deployment, ClusterRole, and source of our events
OPERATOR_CONTAINER: Final = "operator"  # in the operator's own pod
OPERATOR_NAME: Final = "longtask-operator"
# ClusterRole, and the RoleBinding to it in every namespace that has tasks
WORKER_ROLE: Final = "longtask-worker"
STATUS_POLICY: Final = "longtask-status"  # ValidatingAdmissionPolicy and its binding: what a worker may write
TEMPLATE_POLICY: Final = "longtask-template"  # the same: who may decide what runs

# --- In the worker's pod ---

WORKER_CONTAINER: Final = "worker"  # the container that does the work; where none has this name, the first
ACCESS_VOLUME: Final = "longtask-access"  # projected volume with the two files below
ACCESS_MOUNT_PATH: Final = "/var/run/secrets/longtask.dev"
ACCESS_TOKEN_FILE: Final = "token"  # noqa: S105 - the name of a file
ACCESS_CA_FILE: Final = "ca.crt"
ACCESS_CA_CONFIG_MAP: Final = "kube-root-ca.crt"  # published into every namespace by Kubernetes
ACCESS_TOKEN_SECONDS: Final = 3600  # the kubelet renews it long before

ENV_NAMESPACE: Final = "LONGTASK_NAMESPACE"
ENV_NAME: Final = "LONGTASK_NAME"
ENV_UID: Final = "LONGTASK_UID"
ENV_ATTEMPT: Final = "LONGTASK_ATTEMPT"
ENV_POD_UID: Final = "LONGTASK_POD_UID"
ENV_GRACE_PERIOD_SECONDS: Final = "LONGTASK_GRACE_PERIOD_SECONDS"
ENV_CHECKPOINT_FILE: Final = "LONGTASK_CHECKPOINT_FILE"  # where `spec.checkpoint.file` is

ENV_CHECKPOINT_SCHEMA: Final = "LONGTASK_CHECKPOINT_SCHEMA"  # `spec.checkpoint.schema`, where there is one

ENV_START_OVER_SEQUENCE: Final = "LONGTASK_START_OVER_SEQUENCE"  # what was saved up to there is not gone on from

ENV_RESTART_SEQUENCE: Final = "LONGTASK_RESTART_SEQUENCE"  # what is gone on from instead; not there: nothing

ENV_CHECKPOINT_VOLUME: Final = "LONGTASK_CHECKPOINT_VOLUME"  # the task's folder of `spec.checkpoint.volume`
ENV_CHECKPOINT_KEEP: Final = "LONGTASK_CHECKPOINT_KEEP"  # how many versions are kept there
ENV_CHECKPOINT_STORE: Final = "LONGTASK_CHECKPOINT_STORE"  # the task's prefix in `spec.checkpoint.objectStore`
VAULT_VOLUME: Final = "longtask-checkpoints"
VAULT_MOUNT_PATH: Final = "/var/lib/longtask/checkpoints"  # each task has a folder there, named by its UID

ENV_WAIT_FOR_BATCH: Final = "LONGTASK_WAIT_FOR_BATCH"  # "1": `spec.suspend.waitForBatch`, else not there

# --- Beside a program that keeps its position in a file ---

RESTORE_CONTAINER: Final = "longtask-restore"  # init container: claims the task and puts the saved file into its place
SIDECAR_CONTAINER: Final = "longtask-sidecar"  # native sidecar: saves the file while the program runs and after its end
FILE_VOLUME: Final = "longtask-file"  # where no volume of the template holds the file

UNPACK_CONTAINER: Final = "longtask-unpack"  # init container of a clean-up: puts the saved file into its place

# --- In the pod that cleans up ---

CLEANUP_VOLUME: Final = "longtask-checkpoint"  # downward API volume with the file below
CLEANUP_MOUNT_PATH: Final = "/var/run/longtask.dev"
CLEANUP_FILE: Final = "checkpoint"
ENV_LAST_CHECKPOINT: Final = "LONGTASK_LAST_CHECKPOINT"  # where that file is

EXIT_SAVED: Final = 75  # saved at a stop request: uses no retry
EXIT_NEVER_RETRY: Final = 78  # retrying can't help; never used after SIGTERM

# --- Limits ---

MAX_TASK_NAME: Final = 36  # <name>-<8>-<attempt>-<index>-<5> must stay within a pod name's 63 characters
MAX_ATTEMPT: Final = 99_999  # five digits: see MAX_TASK_NAME
MAX_EPOCH: Final = 2**31 - 1
MAX_SEQUENCE: Final = 2**53 - 1  # what JSON numbers hold exactly in every language
MAX_DATA: Final = 32_768  # characters of a checkpoint's data
MAX_MESSAGE: Final = 1024  # characters of a progress message
MAX_FILE_PATH: Final = 1024  # characters of the checkpoint file's path
MAX_SCHEMA: Final = 63  # characters of the name of a checkpoint's schema
MAX_EXIT_CODES: Final = 100  # of one kind; a Job's rule takes 255
MAX_CONDITION_MESSAGE: Final = 32_768  # as in metav1.Condition
MAX_HISTORY: Final = 10


class ConditionType(StrEnum):
    """The types of `status.conditions`."""

    READY = "Ready"  # true in every settled state but Failed: a suspended task is ready
    STALLED = "Stalled"  # only a person can help; the message has the words of whoever refused
    SUSPENDED = "Suspended"  # proved: no pod of the task is active
    COMPLETE = "Complete"  # as batch/v1 Job has it
    FAILED = "Failed"  # as batch/v1 Job has it; not a dead end here
    TERMINATED = "Terminated"  # final, at the user's wish
    SECRETS_INLINE = "SecretsInline"  # warning: the template seems to hold a secret that every pod here can read
    CHECKPOINT_DAMAGED = "CheckpointDamaged"  # warning: an older version was gone on from
    CLEANED_UP = "CleanedUp"  # whether spec.cleanup has run to its end; absent until then, and without one
    BATCHES_TOO_LONG = "BatchesTooLong"  # warning: a stop would cut a batch as long as the longest so far


class ConditionStatus(StrEnum):
    """The statuses of a condition, as in metav1.Condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """The reasons of conditions and of history entries: one CamelCase word for one cause."""

    # where the task stands, for Ready and for conditions that are not (or no longer) true
    STARTING = "Starting"  # accepted or resuming; no worker is at work yet
    RUNNING = "Running"  # a worker is at work
    RESUMED = "Resumed"  # goes on after a suspension
    RETRYING = "Retrying"  # a pod failed; the Job controller starts another after its back-off
    TEMPLATE_CHANGED = "TemplateChanged"  # a new attempt, because what to run has changed
    RESTARTED = "Restarted"  # a new attempt, because spec.restartNonce has changed
    INTERRUPTED = "Interrupted"  # a new attempt after an eviction, a drain or a worker that saved and left

    WAITING_FOR_BATCH = "WaitingForBatch"  # to be suspended; the worker was asked, and is at its batch

    # how a suspension ended
    SAVED = "Saved"  # the last write's cause is Stop: nothing was lost
    KILLED = "Killed"  # it is not: the grace period was too short for a batch and a save
    NOT_STARTED = "NotStarted"  # no worker had claimed the attempt
    NODE_LOST = "NodeLost"  # the pod's node is gone: its container may live on, fenced

    # how an attempt ended
    DONE = "Done"  # the worker's checkpoint says so
    EXITED_ZERO = "ExitedZero"  # a program that has no other way to say so exited with 0, and was never asked to stop
    EXITED_COMPLETE = "ExitedComplete"  # the same with one of spec.checkpoint.completeExitCodes
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"  # retries used up; the Job's own word
    POD_FAILURE_POLICY = "PodFailurePolicy"  # a pod's exit code failed the Job for good; the Job's own word
    NEVER_RETRY = "NeverRetry"  # exit code 78
    DEADLINE_EXCEEDED = "DeadlineExceeded"  # spec.activeDeadlineSeconds are over; the Job's own word for the same
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"  # a worker at work made none; the Deployment's own word
    FALSE_SUCCESS = "FalseSuccess"  # exit 0 with work left
    JOB_LOST = "JobLost"  # somebody deleted or replaced the attempt's Job

    # how a termination ended
    TERMINATED = "Terminated"
    CLEANING_UP = "CleaningUp"  # spec.cleanup runs
    CLEANED_UP = "CleanedUp"
    CLEANUP_FAILED = "CleanupFailed"  # it was given up
    NO_CLEANUP = "NoCleanup"  # terminated without a worker, so that no clean-up code of the user has run

    # why a task is not suspended although it was
    POD_ACTIVE = "PodActive"  # a pod of it turned up
    JOB_RESUMED = "JobResumed"  # somebody else unsuspended its Job

    # why only a person can help
    JOB_REFUSED = "JobRefused"  # the API server does not accept the Job (a misspelt field, a bad value)
    FORBIDDEN = "Forbidden"  # 403: quota, admission or missing permission
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_REFUSED = "PodRefused"  # the Job is there, its pods are not: Pod Security, a webhook
    NAMESPACE_TERMINATING = "NamespaceTerminating"  # nothing can be created any more; the API server's own word
    NAME_TAKEN = "NameTaken"  # a Job of that name exists and is not this task's
    IMAGE_PULL = "ImagePull"
    UNSCHEDULABLE = "Unschedulable"
    CONTAINER_CONFIG = "ContainerConfig"  # the kubelet can't make the container: a missing ConfigMap, Secret or key
    CRASH_LOOP = "CrashLoop"  # a container beside the worker ends again and again
    NO_SIDECAR_IMAGE = "NoSidecarImage"  # spec.checkpoint.file is set, and the operator does not know its own image
    NO_PROGRESS = "NoProgress"  # restarted too often without getting on
    KUEUE_UNSUPPORTED = "KueueUnsupported"  # has a Kueue queue label
    ATTEMPTS_EXHAUSTED = "AttemptsExhausted"  # MAX_ATTEMPT is reached

    # why something is well
    AS_DESIRED = "AsDesired"  # the counterpart of every reason above, for Stalled=False and its like
    GRACE_PERIOD_TOO_SHORT = "GracePeriodTooShort"  # of BatchesTooLong
    FELL_BACK = "FellBack"  # of CheckpointDamaged
    SECRET_FOUND = "SecretFound"  # noqa: S105 - of SecretsInline: a name of a variable that looks like a secret's


class EventReason(StrEnum):
    """The reasons of the core/v1 Events that the operator posts on a LongTask: warnings only."""

    TASK_SUSPENDED = "TaskSuspended"
    TASK_FAILED = "TaskFailed"
    TASK_RETRIED = "TaskRetried"  # a worker has failed, and the next attempt follows
    TASK_STALLED = "TaskStalled"
    CLEANUP_FAILED = "CleanupFailed"
    CHECKPOINT_DAMAGED = "CheckpointDamaged"


def job_name(task_name: str, task_uid: str, attempt: int) -> str:
    """Name the Job of one attempt.

    `<task>-<first 8 of the task's UID>-<attempt>`: the UID keeps a re-created task apart from the old one's
    dying pods. At most 51 characters for names that the API server accepts. The admission policy
    computes the same.
    """
    return f"{task_name}-{task_uid[:8]}-{attempt}"


def claim_name(task_name: str, task_uid: str) -> str:
    """Name the claim of a volume that is made for a task's checkpoints."""
    return f"{task_name}-{task_uid[:8]}-checkpoints"


def cleanup_job_name(task_name: str, task_uid: str) -> str:
    """Name the Job that cleans up. No attempt has such a name, and no pod of it that of a worker's pod."""
    return f"{task_name}-{task_uid[:8]}-cleanup"
