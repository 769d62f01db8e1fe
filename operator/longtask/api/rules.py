"""What the API server itself enforces on a LongTask, whoever writes: CEL rules of the CRD.

It must not know who may write: that is the business of the two admission policies, in the chart. Nearly every rule
stands at the root of the object, because a rule at `status.checkpoint` does not run when one side is absent: setting
the checkpoint to null and adding it again would then reset it.

In the expressions `self` is the object as it would be stored and `oldSelf` the object as it is stored now. Rules
that name `oldSelf` run on updates only, which is enough: on creation the API server drops any status. After that
there always is one, by the schema's default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from longtask.api import names
from longtask.api.longtask import DesiredState
from longtask.api.status import CheckpointCause, State

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEW: Final = "self.status.checkpoint"
_OLD: Final = "oldSelf.status.checkpoint"
_CHECKPOINT: Final = ".status.checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what must hold, and what a user is told when it does not.

    `field_path` is where the API server reports it; `forbidden` says that the value is well-formed but not allowed.
    """

    expression: str
    message: str
    field_path: str = ""
    forbidden: bool = False

    def to_schema(self) -> dict[str, Any]:
        """Return the rule as an entry of `x-kubernetes-validations`."""
        path = {"fieldPath": self.field_path} if self.field_path else {}
        reason = {"reason": "FieldValueForbidden"} if self.forbidden else {}
        return {"rule": self.expression, "message": self.message, **path, **reason}


def _all(*terms: str) -> str:
    return "\n&& ".join(terms)


def _when(condition: str, then: str) -> str:
    """Write "if condition, then" in CEL, which has no implication: a conditional whose other branch is true."""
    return f"{condition}\n? {then}\n: true"


def _same(*keys: str) -> str:
    return _all(*(f"{_NEW}.{key} == {_OLD}.{key}" for key in keys))


_IS_CLAIM: Final = f"has({_NEW}) && (!has({_OLD}) || {_NEW}.epoch != {_OLD}.epoch)"
"""A claim is what makes the first checkpoint, or changes the epoch. Who changes the holder alone makes a bad save."""

_IS_LATER: Final = f"has({_OLD}) && has({_NEW}) && {_NEW}.epoch == {_OLD}.epoch"
"""Everything else: the same again, a save, or the emptying on termination."""

_NAMES: Final = (
    Rule(
        expression=_all(
            f"size(self.metadata.name) <= {names.MAX_TASK_NAME}",
            "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        ),
        message=f"metadata.name must be a DNS label of at most {names.MAX_TASK_NAME} characters (lower-case letters, "
        "digits and hyphens, beginning and ending with a letter or digit), because Jobs and pods are named after it",
    ),
)

_STATES: Final = (
    Rule(
        expression=_when(
            f"oldSelf.spec.desiredState == '{DesiredState.TERMINATE}'",
            f"self.spec.desiredState == '{DesiredState.TERMINATE}'",
        ),
        message="a task that was told to terminate must stay so: to do the work again, create a task of another name, "
        "or delete this one first",
        field_path=".spec.desiredState",
        forbidden=True,
    ),
    Rule(
        expression=_when(f"oldSelf.status.state == '{State.TERMINATED}'", f"self.status.state == '{State.TERMINATED}'"),
        message="Terminated is final: the state must stay Terminated",
        field_path=".status.state",
        forbidden=True,
    ),
    Rule(
        expression=_when(
            f"oldSelf.status.state == '{State.COMPLETE}'",
            f"self.status.state in ['{State.COMPLETE}', '{State.TERMINATED}']",
        ),
        message="Complete is final: the state must stay Complete, or become Terminated when that is desired",
        field_path=".status.state",
        forbidden=True,
    ),
    Rule(
        expression=_when(
            f"has(self.status) && self.status.state == '{State.TERMINATED}'",
            f"self.spec.desiredState == '{DesiredState.TERMINATE}'",
        ),
        message="the state must not become Terminated unless spec.desiredState is Terminate",
        field_path=".status.state",
        forbidden=True,
    ),
    # An attempt's number names its Job and its pods. Going back would let the pods of an earlier attempt in again.
    Rule(
        expression="self.status.attempt >= oldSelf.status.attempt",
        message="attempt must never go back: pods of an earlier attempt could write again",
        field_path=".status.attempt",
        forbidden=True,
    ),
)

_CLAIMS: Final = (
    Rule(
        expression=_when(
            f"!has({_OLD}) && has({_NEW})",
            _all(
                f"{_NEW}.epoch == 1",
                f"{_NEW}.sequence == 0",
                f"{_NEW}.data == ''",
                f"{_NEW}.cause == '{CheckpointCause.CLAIM}'",
            ),
        ),
        message="the first checkpoint must be a claim: epoch 1, sequence 0, cause Claim, empty data",
        field_path=_CHECKPOINT,
    ),
    # A claim can never lose an acknowledged save: it leaves sequence and data as they are.
    Rule(
        expression=_when(
            f"has({_OLD}) && {_IS_CLAIM}",
            _all(
                f"{_NEW}.epoch == {_OLD}.epoch + 1",
                f"{_NEW}.cause == '{CheckpointCause.CLAIM}'",
                _same("sequence", "data"),
            ),
        ),
        message="a claim must raise epoch by exactly 1, with cause Claim, and leave sequence and data as they are: "
        "read the task again, and if its epoch is higher than yours, stop",
        field_path=_CHECKPOINT,
    ),
    Rule(
        expression=_when(_IS_CLAIM, f"{_NEW}.attempt == self.status.attempt"),
        message="a claim must be made for the current attempt, status.attempt",
        field_path=f"{_CHECKPOINT}.attempt",
    ),
    # A pod that starts late, whoever created it, can do no work on a task that is to stand still.
    Rule(
        expression=_when(_IS_CLAIM, f"self.spec.desiredState == '{DesiredState.RUN}'"),
        message="a claim must wait until spec.desiredState is Run",
        field_path=_CHECKPOINT,
        forbidden=True,
    ),
)

_SAVES: Final = (
    Rule(
        expression=_when(f"has({_OLD})", f"has({_NEW})"),
        message="a checkpoint must not be removed, or saved work would be lost",
        field_path=".status",
        forbidden=True,
    ),
    Rule(
        expression=_when(
            f"{_IS_LATER}\n&& {_NEW}.sequence != {_OLD}.sequence",
            _all(
                f"{_NEW}.sequence > {_OLD}.sequence",
                f"{_NEW}.cause != '{CheckpointCause.CLAIM}'",
                _same("holder", "attempt"),
            ),
        ),
        message="a save must keep epoch, holder and attempt, have a greater sequence, and not be a Claim: "
        "read the task again, and if another pod holds it, stop",
        field_path=_CHECKPOINT,
    ),
    Rule(
        expression=_when(
            f"{_IS_LATER}\n&& {_NEW}.sequence == {_OLD}.sequence\n&& {_NEW} != {_OLD}",
            _all(
                f"self.status.state == '{State.TERMINATED}'",
                f"{_NEW}.data == ''",
                _same("holder", "attempt", "cause", "time"),
            ),
        ),
        message="a checkpoint must not change without a greater sequence; only its data may be emptied, "
        "in the write that sets the state to Terminated",
        field_path=_CHECKPOINT,
    ),
    # Together with the two rules above: no save and no claim gets into a task that has ended for good.
    Rule(
        expression=_when(
            f"self.status.state == '{State.TERMINATED}' && has({_NEW})",
            _all(f"{_NEW}.data == ''", f"has({_OLD})", _same("sequence", "epoch")),
        ),
        message="a Terminated task must keep no saved data: empty the checkpoint's data and leave the rest",
        field_path=_CHECKPOINT,
        forbidden=True,
    ),
)

ROOT_RULES: Final[Sequence[Rule]] = (*_NAMES, *_STATES, *_CLAIMS, *_SAVES)

TEMPLATE_RULES: Final[Sequence[Rule]] = (
    Rule(
        expression="has(self.spec) && has(self.spec.containers) && size(self.spec.containers) > 0",
        message="template.spec.containers must list at least one container: "
        "the one named worker, or else the first, does the work",
    ),
    Rule(
        expression="!has(self.metadata) || !has(self.metadata.labels) "
        f"|| !('{names.LABEL_KUEUE_QUEUE}' in self.metadata.labels)",
        message=f"the label {names.LABEL_KUEUE_QUEUE} must be removed: Kueue is not supported yet, "
        "it resumes Jobs that were suspended on purpose",
        forbidden=True,
    ),
)

CHECKPOINT_RULES: Final[Sequence[Rule]] = (
    Rule(
        expression="!has(self.volume) || !has(self.objectStore)",
        message="checkpoint must not have both a volume and an objectStore: versions are kept in one of them",
        field_path=".objectStore",
    ),
    Rule(
        expression="!has(self.file) || !self.file.matches('/[.]{1,2}(/|$)')",
        message="file must be an absolute path without . and .. in it",
        field_path=".file",
    ),
    Rule(
        expression="!has(self.completeExitCodes) || !has(self.interruptedExitCodes)\n"
        "|| !self.completeExitCodes.exists(code, code in self.interruptedExitCodes)",
        message="an exit code must not be in both completeExitCodes and interruptedExitCodes: "
        "either the work is done or it is not",
        field_path=".interruptedExitCodes",
    ),
)

CLEANUP_RULES: Final[Sequence[Rule]] = (
    Rule(
        expression="has(self.command) != has(self.template)",
        message="cleanup must have either a command, which runs in the worker's image, or a template of its own",
    ),
    Rule(
        expression="!has(self.template) || (has(self.template.spec) && has(self.template.spec.containers)\n"
        "&& size(self.template.spec.containers) > 0)",
        message="cleanup.template.spec.containers must list at least one container",
        field_path=".template",
    ),
)

VOLUME_RULES: Final[Sequence[Rule]] = (
    Rule(
        expression="has(self.claimName) != has(self.claimTemplate)",
        message="checkpoint.volume must have either a claimName or a claimTemplate",
    ),
)

SPEC_RULES: Final[Sequence[Rule]] = (
    Rule(
        expression="!has(self.suspend) || !has(self.suspend.waitForBatch) || !self.suspend.waitForBatch\n"
        "|| !has(self.checkpoint) || !has(self.checkpoint.file)",
        message="suspend.waitForBatch must be left out where checkpoint.file is set: a program that is saved by its "
        "file can't be asked, and knows no batches",
        field_path=".suspend",
    ),
)
