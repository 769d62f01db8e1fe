"""The CRD, made from the models: JSON schema as pydantic writes it, turned into a structural schema.

It must not know files or YAML: `tests.generate` writes what this returns. A structural schema has no references, no
`anyOf` for null, and no titles; `x-kubernetes-*` keys come from the models' `json_schema_extra` or are added here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from longtask.api import names, rules
from longtask.api.longtask import LongTaskSpec
from longtask.api.status import LongTaskStatus, State

if TYPE_CHECKING:
    from collections.abc import Sequence

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of `kubectl get`; the wide ones show with `-o wide` only."""

    name: str
    path: str
    description: str
    kind: str = "string"
    wide: bool = False

    def to_schema(self) -> Schema:
        priority = {"priority": 1} if self.wide else {}
        return {
            "name": self.name,
            "type": self.kind,
            "description": self.description,
            "jsonPath": self.path,
            **priority,
        }


_COLUMNS: Final[Sequence[_Column]] = (
    _Column(name="Desired", path=".spec.desiredState", description="What is wanted."),
    _Column(name="State", path=".status.state", description="What has been observed."),
    _Column(
        name="Progress%",
        path=".status.progress.percent",
        kind="integer",
        description="Share of the items that are done; empty while the total is unknown.",
    ),
    _Column(name="Done", path=".status.progress.done", kind="integer", description="How many items are done."),
    # A string: kubectl shows a date in the future as <invalid>.
    _Column(
        name="ETA",
        path=".status.progress.estimatedCompletionTime",
        description="When the work will be done at the present rate.",
    ),
    _Column(name="Attempt", path=".status.attempt", kind="integer", description="Number of the current attempt."),
    _Column(name="Age", path=".metadata.creationTimestamp", kind="date", description="Time since creation."),
    _Column(
        name="Total",
        path=".status.progress.total",
        kind="integer",
        description="How many items there are.",
        wide=True,
    ),
    _Column(name="Rate", path=".status.progress.rate", description="Items per second.", wide=True),
    _Column(
        name="Checkpoint",
        path=".status.checkpoint.sequence",
        kind="integer",
        description="Number of the last save.",
        wide=True,
    ),
    _Column(
        name="Saved",
        path=".status.checkpoint.time",
        kind="date",
        description="Time since the last save or claim.",
        wide=True,
    ),
    _Column(
        name="Reason",
        path='.status.conditions[?(@.type=="Ready")].reason',
        description="Why the task is ready, or is not.",
        wide=True,
    ),
    _Column(
        name="Message",
        path='.status.conditions[?(@.type=="Ready")].message',
        description="The same in a sentence.",
        wide=True,
    ),
)

# Keys that go over as they are, in the order in which they read best. Everything else that pydantic writes is either
# handled below or has no place in a structural schema, and is then an error, so that nothing is lost silently.
_KEPT: Final = (
    "type",
    "description",
    "format",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "required",
)
_HANDLED: Final = frozenset({"$defs", "title", "default", "properties", "items"})

_PRESERVED: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_STATUS_DEFAULT: Final[Schema] = {"attempt": 1, "observedGeneration": 0, "state": str(State.INIT)}
_INT32_MAX: Final = 2**31 - 1
_INT64_MAX: Final = 2**63 - 1


def custom_resource_definition() -> Schema:
    """Return the whole CustomResourceDefinition as plain dicts and lists."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": names.CRD_NAME},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": [names.SHORT_NAME],
                "categories": [names.CATEGORY],
            },
            "versions": [_version()],
        },
    }


def _version() -> Schema:
    return {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".spec.desiredState"}, {"jsonPath": ".status.state"}],
        "additionalPrinterColumns": [column.to_schema() for column in _COLUMNS],
        "schema": {"openAPIV3Schema": object_schema()},
    }


def object_schema() -> Schema:
    """Return the structural schema of a LongTask."""
    spec = structural(LongTaskSpec.model_json_schema(by_alias=True), keep_defaults=True)
    spec["required"] = ["desiredState", "template"]
    spec["x-kubernetes-validations"] = [rule.to_schema() for rule in rules.SPEC_RULES]
    spec["properties"]["template"] |= _template() | {
        "x-kubernetes-validations": [rule.to_schema() for rule in rules.TEMPLATE_RULES]
    }
    volume = spec["properties"]["checkpoint"]["properties"]["volume"]
    volume["x-kubernetes-validations"] = [rule.to_schema() for rule in rules.VOLUME_RULES]
    spec["properties"]["cleanup"]["properties"]["template"] |= _template()
    spec["properties"]["cleanup"]["x-kubernetes-validations"] = [rule.to_schema() for rule in rules.CLEANUP_RULES]
    spec["properties"]["checkpoint"]["x-kubernetes-validations"] = [rule.to_schema() for rule in rules.CHECKPOINT_RULES]
    # Defaults inside the status would hide that a field was removed. As a whole it has one, so that a new task
    # shows as Init without a write.
    status = structural(LongTaskStatus.model_json_schema(by_alias=True), keep_defaults=False)
    status["required"] = sorted(_STATUS_DEFAULT)
    status["default"] = _STATUS_DEFAULT
    return {
        "description": "Long work that can be suspended, resumed and terminated by changing one field, "
        "spec.desiredState, and that goes on where it stopped.",
        "type": "object",
        # Without `spec` being required, removing it would undo a Terminate.
        "required": ["spec"],
        "properties": {
            "apiVersion": {
                "type": "string",
                "description": f"Version of this schema: {names.API_VERSION}.",
            },
            "kind": {"type": "string", "description": f"Kind of this object: {names.KIND}."},
            "metadata": {"type": "object"},  # the API server describes it itself and lets nobody else do so
            "spec": spec,
            "status": status,
        },
        "x-kubernetes-validations": [rule.to_schema() for rule in rules.ROOT_RULES],
    }


def _template() -> Schema:
    """Return what is said of the pod template: as little as the rules need; the rest is kept as it was written."""
    container = _PRESERVED | {"description": "A container, as in a Pod."}
    labels: Schema = {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "Labels of the pods. The operator adds its own, which begin with longtask.dev/.",
    }
    metadata = _PRESERVED | {
        "description": "Labels and annotations of the pods, as in a Job's template.",
        "properties": {"labels": labels},
    }
    containers: Schema = {
        "type": "array",
        "items": container,
        "x-kubernetes-list-type": "atomic",
        "description": "Containers of the pod. The one named worker, or else the first, does the work.",
    }
    spec = _PRESERVED | {
        "description": "Specification of the pod, sent to the API server as it is written; every field of a Pod's "
        "spec can be used (see kubectl explain pod.spec). Its restartPolicy is always Never, and its termination "
        "grace period 600 seconds where none is set.",
        "properties": {"containers": containers},
    }
    return _PRESERVED | {"properties": {"metadata": metadata, "spec": spec}}


def structural(schema: Schema, *, keep_defaults: bool, definitions: Schema | None = None) -> Schema:
    """Turn a JSON schema of pydantic's into a structural one.

    Raises ValueError for a key that has no counterpart: better no CRD than one that says less than the model.
    """
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    schema = _resolved(schema, definitions)
    extensions = [key for key in schema if key.startswith("x-kubernetes-")]
    unknown = schema.keys() - {*_KEPT, *_HANDLED, *extensions}
    if unknown:
        raise ValueError(f"no structural counterpart for {sorted(unknown)} in {schema}")
    made = {key: schema[key] for key in (*_KEPT, *extensions) if key in schema}
    if made["type"] == "integer":
        made["format"] = "int32" if made.get("maximum", _INT64_MAX) <= _INT32_MAX else "int64"
    if keep_defaults and schema.get("default") is not None:
        made["default"] = schema["default"]
    for key, part in schema.get("properties", {}).items():
        nested = structural(part, keep_defaults=keep_defaults, definitions=definitions)
        made.setdefault("properties", {})[key] = nested
    if "items" in schema:
        made["items"] = structural(schema["items"], keep_defaults=keep_defaults, definitions=definitions)
    return made


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """Follow a reference, drop the "or null" of an optional field, and keep what a dict of anything holds.

    What the field itself says (its description) wins over what its type says.
    """
    if "anyOf" in schema:
        (kind,) = [part for part in schema["anyOf"] if part != {"type": "null"}]
        schema = kind | {key: value for key, value in schema.items() if key != "anyOf"}
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        schema = _resolved(target, definitions) | {key: value for key, value in schema.items() if key != "$ref"}
    if schema.get("additionalProperties") is True:
        schema = {key: value for key, value in schema.items() if key != "additionalProperties"} | _PRESERVED
    return schema
