"""A plan: which requests of whom meet which fault. A small file that repeats a piece of bad luck exactly.

It must not know how a fault is made (proxy.py), nor what the operator and the worker do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

if TYPE_CHECKING:
    from pathlib import Path

Client = Literal["operator", "worker"]
Verb = Literal["get", "list", "watch", "create", "update", "patch", "delete", "write"]
Words = Literal[
    "delay",  # pass it on only after `seconds`
    "drop-before",  # cut the connection; the server never hears of it
    "drop-after-commit",  # have the server carry it out, then cut the connection instead of answering
    "refuse",  # answer with `status`; the server never hears of it
    "kill",  # SIGKILL the client once the server has carried it out: before it hears the answer, or after it
    "cut",  # end the watch, instead of its event number `event`
    "freeze",  # say nothing more on the watch from that event on, with its connection open
    "error-event",  # an ERROR event with `status` instead of that event
    "hide",  # swallow that event, and go on
    "remember",  # keep how Jobs, pods and LongTasks are right after it, for `stale`
    "stale",  # answer a list from what was remembered last, or else from the first such list
]

STREAM: frozenset[Words] = frozenset({"cut", "freeze", "error-event", "hide"})
AFTERWARDS: frozenset[Words] = frozenset({"drop-after-commit", "kill", "remember"})
STATUSES = (409, 410, 422, 429, 500, 503)
_WRITES = frozenset({"create", "update", "patch", "delete"})


class BadPlanError(ValueError):
    """A file is no plan; the message says where and why."""


class Turns(BaseModel):
    """Which of the occurrences are meant: `3`, `2-4`, `2-` or `every`. They are counted from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(ge=1)
    last: int | None

    @classmethod
    def parse(cls, written: object) -> object:
        """Read what stands in a file. Raises ValueError."""
        if isinstance(written, Turns | dict):
            return written
        text = str(written)
        if text == "every":
            return cls(first=1, last=None)
        first, dash, last = text.partition("-")
        if not first.isdigit() or int(first) < 1 or (last and (not last.isdigit() or int(last) < int(first))):
            message = f"{text!r} is none of `3`, `2-4`, `2-` and `every`"
            raise ValueError(message)
        return cls(first=int(first), last=int(last or first) if last or not dash else None)

    def __contains__(self, number: int) -> bool:
        return self.first <= number and (self.last is None or number <= self.last)

    def __str__(self) -> str:
        if self.last is None:
            return "every" if self.first == 1 else f"{self.first}-"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


When = Annotated[Turns, BeforeValidator(Turns.parse)]


class Rule(BaseModel):
    """Requests, and what happens to them. What is left out matches everything.

    `occurrence` counts the requests that match. What happens after the fact (`drop-after-commit`, `kill`, `remember`)
    counts only those that the server has carried out. For a watch, `event` counts the events that it has brought, over
    all its connections and without bookmarks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: Client
    verb: Verb | None = None
    resource: str | None = None
    subresource: str | None = None
    name: str | None = None
    """A pattern, as of file names: `import-*`."""
    query: str | None = None
    """A piece of the query, decoded."""
    occurrence: When = Turns(first=1, last=1)
    action: Words
    seconds: float | None = Field(default=None, ge=0, le=60)
    """For `delay`; with `refuse` of 429, Retry-After, in whole seconds."""
    status: int | None = None
    response: Literal["before", "after"] | None = None
    event: When | None = None

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        """Every action has the fields that it needs, and no other."""
        needed = {
            "delay": {"seconds"},
            "refuse": {"status"},
            "kill": {"response"},
            "error-event": {"event", "status"},
        }.get(self.action, {"event"} if self.action in STREAM else set())
        allowed = needed | ({"seconds"} if self.status == 429 else set())
        given = {field for field in ("seconds", "status", "response", "event") if getattr(self, field) is not None}
        if missing := needed - given:
            message = f"{self.action} needs {', '.join(sorted(missing))}"
            raise ValueError(message)
        if further := given - allowed:
            message = f"{self.action} has no {', '.join(sorted(further))}"
            raise ValueError(message)
        return self._sensible()

    def _sensible(self) -> Rule:
        statuses = (410, 500) if self.action == "error-event" else STATUSES
        if self.status is not None and self.status not in statuses:
            message = f"status is one of {', '.join(map(str, statuses))}, not {self.status}"
            raise ValueError(message)
        verb = {"stale": "list"}.get(self.action, "watch" if self.action in STREAM else self.verb)
        if verb != self.verb:
            message = f"{self.action} is for `verb: {verb}`"
            raise ValueError(message)
        if self.action in AFTERWARDS and self.verb == "watch":
            message = f"a watch commits nothing, so {self.action} means nothing"
            raise ValueError(message)
        return self


class Clocks(BaseModel):
    """By how many seconds clocks are ahead of the API server's; negative: behind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operators: tuple[float, ...] = Field(default=(0.0,), min_length=1)
    """Of the first operator, its successor, and so on; the last one's for all after it."""
    workers: float = 0.0


class Plan(BaseModel):
    """A scenario, and the bad luck that it is to come through."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    about: str = ""
    settings: dict[str, float] = Field(default_factory=dict)
    """Of the operator, such as `sweep_seconds`; see its environment."""
    clocks: Clocks = Clocks()
    rules: tuple[Rule, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read a file. Raises BadPlanError."""
        return cls.parse(path.read_text(), path.name)

    @classmethod
    def parse(cls, text: str, name: str = "plan") -> Plan:
        """Read YAML, and so JSON. Raises BadPlanError that names every place that is wrong."""
        try:
            return cls.model_validate(yaml.safe_load(text))
        except yaml.YAMLError as error:
            message = f"{name}: no YAML: {error}"
            raise BadPlanError(message) from error
        except ValidationError as error:
            found = [f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg']}" for e in error.errors()]
            message = f"{name}: {'; '.join(found)}"
            raise BadPlanError(message) from None

    def is_about(self, client: Client) -> bool:
        """Whether it does anything to that client."""
        return any(rule.client == client for rule in self.rules)

    def dump(self) -> str:
        """The file that repeats this plan."""
        body = self.model_dump(exclude_defaults=True)
        body["rules"] = [_written(rule) for rule in self.rules]
        return yaml.safe_dump(body, sort_keys=False, width=110)


def _written(rule: Rule) -> dict[str, object]:
    turns = {"occurrence": rule.occurrence, "event": rule.event}
    short = {key: int(text) if text.isdigit() else text for key, value in turns.items() if (text := str(value))}
    body = rule.model_dump(exclude_none=True, exclude_defaults=True)
    return {key: short.get(key, value) for key, value in body.items()}


def is_write(verb: str) -> bool:
    """Whether a request of that verb is meant to change anything."""
    return verb in _WRITES
