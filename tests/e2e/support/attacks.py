"""Writes that a worker must not be able to make, as data: what is sent, how, and the words of the refusal.

Each is built on the task as it is at that moment, by somebody who has read it and knows all the rules. To think of
another attack is to add a line here. It must not know who makes them, nor on which cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.e2e.support.client import APPLY, JSON_PATCH, MERGE, STRATEGIC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.e2e.support.client import Body, Json

STRANGER: Final = "00000000-1111-2222-3333-444444444444"  # UID of a pod that is not the attacker's
LATER: Final = "2026-11-25T21:00:10.5Z"


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One write. `words`: a regular expression for what the server must answer."""

    what: str
    patch: Callable[[Body], Json]
    words: str
    how: str = JSON_PATCH
    subresource: str = "status"

    def __str__(self) -> str:
        return self.what


def checkpoint(task: Body) -> Body:
    """The task's present checkpoint."""
    found: Body = task["status"]["checkpoint"]
    return found


def a_save(task: Body, **changes: object) -> Body:
    """The save that would be right, but for the changes."""
    old = checkpoint(task)
    return {**old, "sequence": old["sequence"] + 1, "cause": "Interval", "time": LATER, "data": "forged", **changes}


def a_claim(task: Body, **changes: object) -> Body:
    """The attacker's next claim that would be right, but for the changes."""
    old = checkpoint(task)
    return {**old, "epoch": old["epoch"] + 1, "cause": "Claim", "time": LATER, **changes}


def put(path: str, value: object) -> dict[str, Any]:
    """One operation of a JSON patch."""
    return {"op": "add", "path": path, "value": value}


def _checkpoint(what: str, made: Callable[[Body], Body], words: str) -> Attack:
    return Attack(what=what, patch=lambda task: [put("/status/checkpoint", made(task))], words=words)


def _status(what: str, words: str, **values: object) -> Attack:
    return Attack(what=what, patch=lambda _: [put(f"/status/{key}", values[key]) for key in values], words=words)


def _without(what: str, key: str, words: str) -> Attack:
    return Attack(what=what, patch=lambda _: [{"op": "remove", "path": f"/status/{key}"}], words=words)


def _root(what: str, change: Body, how: str = MERGE) -> Attack:
    return Attack(
        what=what,
        patch=lambda task: (applied(task) if how == APPLY else {}) | change,
        how=how,
        subresource="",
        words=_READ_ONLY,
    )


_CLAIM: Final = "a claim must raise epoch by exactly 1"
_SAVE: Final = "a save must keep epoch, holder and attempt, have a greater sequence"
_UNNUMBERED: Final = "a checkpoint must not change without a greater sequence"
_KEPT: Final = "a checkpoint must not be removed"
_HOLDER: Final = r"checkpoint\.holder must be its UID"
_OPERATORS: Final = "must write progress and checkpoint only: every other part of the status is the operator's"
_READ_ONLY: Final = r"cannot patch resource \"longtasks\""

ON_CHECKPOINT: Final[Sequence[Attack]] = (
    _without("remove the checkpoint", "checkpoint", _KEPT),
    Attack(what="null checkpoint", patch=lambda _: {"status": {"checkpoint": None}}, how=MERGE, words=_KEPT),
    Attack(what="null status", patch=lambda _: {"status": None}, how=MERGE, words=_KEPT),
    Attack(what="remove the status", patch=lambda _: [{"op": "remove", "path": "/status"}], words=_KEPT),
    Attack(
        what="remove the checkpoint and begin anew",
        patch=lambda task: [
            {"op": "remove", "path": "/status/checkpoint"},
            put("/status/checkpoint", {**checkpoint(task), "epoch": 1, "sequence": 0, "cause": "Claim", "data": ""}),
        ],
        words="must not change without a greater sequence|a save must keep|a claim must raise",
    ),
    _checkpoint("empty checkpoint", lambda _: {}, "Required value"),
    _checkpoint("no holder", lambda task: a_save(task, holder=""), "holder"),
    # claims
    _checkpoint("epoch jumps by two", lambda task: a_claim(task, epoch=checkpoint(task)["epoch"] + 2), _CLAIM),
    _checkpoint("epoch jumps to its end", lambda task: a_claim(task, epoch=2**31 - 1), _CLAIM),
    _checkpoint("epoch beyond its end", lambda task: a_claim(task, epoch=2**31), "epoch"),
    _checkpoint("epoch goes back", lambda task: a_claim(task, epoch=checkpoint(task)["epoch"] - 1), _CLAIM),
    _checkpoint("claim for somebody else", lambda task: a_claim(task, holder=STRANGER), _HOLDER),
    _checkpoint("claim that loses the data", lambda task: a_claim(task, data=""), _CLAIM),
    _checkpoint("claim that forges the data", lambda task: a_claim(task, data="forged"), _CLAIM),
    _checkpoint("claim that resets the sequence", lambda task: a_claim(task, sequence=0), _CLAIM),
    _checkpoint(
        "claim that saves", lambda task: a_claim(task, sequence=checkpoint(task)["sequence"] + 1, data="x"), _CLAIM
    ),
    _checkpoint("claim that is done", lambda task: a_claim(task, cause="Done"), _CLAIM),
    _checkpoint("claim for the next attempt", lambda task: a_claim(task, attempt=2), "for the current attempt"),
    # saves
    _checkpoint("sequence goes back", lambda task: a_save(task, sequence=checkpoint(task)["sequence"] - 1), _SAVE),
    _checkpoint("sequence to zero", lambda task: a_save(task, sequence=0), _SAVE),
    _checkpoint("sequence beyond its end", lambda task: a_save(task, sequence=2**53), "sequence"),
    _checkpoint(
        "other data at the same sequence",
        lambda task: a_save(task, sequence=checkpoint(task)["sequence"]),
        _UNNUMBERED,
    ),
    _checkpoint("empty the data as a termination does", lambda task: checkpoint(task) | {"data": ""}, _UNNUMBERED),
    _checkpoint("turn a save into a stop", lambda task: checkpoint(task) | {"cause": "Stop"}, _UNNUMBERED),
    _checkpoint("move the time alone", lambda task: checkpoint(task) | {"time": LATER}, _UNNUMBERED),
    _checkpoint("hand it over in a save", lambda task: a_save(task, holder=STRANGER), _SAVE),
    _checkpoint("hand it over without a save", lambda task: checkpoint(task) | {"holder": STRANGER}, _UNNUMBERED),
    _checkpoint("save for the next attempt", lambda task: a_save(task, attempt=2), _SAVE),
    _checkpoint("save that says Claim", lambda task: a_save(task, cause="Claim"), _SAVE),
    _checkpoint("save of another cause", lambda task: a_save(task, cause="Finished"), "Unsupported value"),
    _checkpoint("too much data", lambda task: a_save(task, data="x" * 32_769), "Too long: may not be more than 32768"),
    _checkpoint("data of another type", lambda task: a_save(task, data={"next": 1}), "must be of type string"),
    _checkpoint("a time that nobody can read", lambda task: a_save(task, time="0000-01-01T00:00:00Z"), "time"),
)

ON_PROGRESS: Final[Sequence[Attack]] = (
    _status("more than all", "percent", progress={"done": 1, "percent": 101}),
    _status("less than nothing", "done", progress={"done": -1}),
    _status("no count", "Required value", progress={"message": "x"}),
    _status("an endless message", "Too long", progress={"done": 1, "message": "x" * 1025}),
    _status("a rate that is no number", "rate", progress={"done": 1, "rate": "fast; rm -rf"}),
)

_FORGED: Final = {
    "type": "Complete",
    "status": "True",
    "reason": "Done",
    "message": "",
    "lastTransitionTime": "2026-11-25T21:00:00Z",
}

ON_STATUS: Final[Sequence[Attack]] = (
    _status("state Complete", _OPERATORS, state="Complete"),
    _status("state Failed", _OPERATORS, state="Failed"),
    _status("state Suspended", _OPERATORS, state="Suspended"),
    _status("state Init", _OPERATORS, state="Init"),
    _status("state Terminated", "unless spec.desiredState is Terminate", state="Terminated"),
    _status("next attempt", _OPERATORS, attempt=2),
    _status("attempt goes back", "attempt", attempt=0),
    _status("observedGeneration", _OPERATORS, observedGeneration=99),
    _status("failures", _OPERATORS, failures=6),
    _status("jobName", _OPERATORS, jobName="another"),
    _status("startTime", _OPERATORS, startTime="2020-01-01T00:00:00Z"),
    _status("completionTime, which was not there", _OPERATORS, completionTime="2026-11-25T21:00:00Z"),
    _status("idleRestarts, which was not there", _OPERATORS, idleRestarts=5),
    _status("a forged condition", _OPERATORS, conditions=[_FORGED]),
    _status("no conditions", _OPERATORS, conditions=[]),
    _status("no history", _OPERATORS, history=[]),
    _without("remove the conditions", "conditions", _OPERATORS),
    _without("remove the history", "history", _OPERATORS),
    _without("remove jobName", "jobName", _OPERATORS),
    _without("remove startTime", "startTime", _OPERATORS),
    _without("remove the state", "state", "state"),
    _without("remove the attempt", "attempt", "attempt"),
    Attack(
        what="a good save with a state beside it",
        patch=lambda task: [put("/status/checkpoint", a_save(task)), put("/status/state", "Complete")],
        words=_OPERATORS,
    ),
    Attack(what="merge patch", patch=lambda _: {"status": {"state": "Complete"}}, how=MERGE, words=_OPERATORS),
    Attack(
        what="strategic merge patch",
        patch=lambda _: {"status": {"state": "Complete"}},
        how=STRATEGIC,
        words="body of the request was in an unknown format|strategic",
    ),
    Attack(
        what="server-side apply of a state",
        patch=lambda task: applied(task) | {"status": {"state": "Complete"}},
        how=APPLY,
        words=_OPERATORS,
    ),
    Attack(
        what="server-side apply of another claim",
        patch=lambda task: applied(task) | {"status": {"checkpoint": a_claim(task, holder=STRANGER)}},
        how=APPLY,
        words=_HOLDER,
    ),
)

ON_ROOT: Final[Sequence[Attack]] = (
    _root("desired state", {"spec": {"desiredState": "Terminate"}}),
    _root("template", {"spec": {"template": {"spec": {"containers": [{"name": "worker", "image": "evil"}]}}}}),
    _root("backoffLimit", {"spec": {"backoffLimit": 0}}),
    _root("labels", {"metadata": {"labels": {"mine": "yes"}}}),
    _root("finalizers", {"metadata": {"finalizers": ["longtask.dev/stay"]}}),
    _root("ownerReferences", {"metadata": {"ownerReferences": []}}),
    _root("status at the root", {"status": {"state": "Complete"}}),
    _root("server-side apply of the spec", {"spec": {"desiredState": "Suspend"}}, how=APPLY),
    _root("strategic merge patch of the spec", {"spec": {"desiredState": "Suspend"}}, how=STRATEGIC),
)


def applied(task: Body) -> Body:
    """The head of a manifest for server-side apply."""
    return {"apiVersion": task["apiVersion"], "kind": task["kind"], "metadata": {"name": task["metadata"]["name"]}}
