"""The CRD is a structural schema that says all that the models say, and the rules guard what they should.

Whether the API server takes it, and what the rules refuse, is tested on a real one (tests/e2e/test_resource_rules.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import BaseModel

from longtask.api import names, rules
from longtask.api.crd import custom_resource_definition, object_schema, structural
from longtask.api.longtask import LongTaskSpec
from longtask.api.status import LongTaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = object_schema()
PARTS = SCHEMA["properties"]
KNOWN_KEYS = {
    "type",
    "description",
    "format",
    "enum",
    "pattern",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "required",
    "properties",
    "items",
    "additionalProperties",
}


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a schema with its path."""
    yield path, schema
    for key, part in schema.get("properties", {}).items():
        yield from walk(part, f"{path}.{key}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")


def fields(model: type[BaseModel]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names of a model's fields as JSON has them, with the names inside of those that are models themselves."""
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        yield field.alias or name, {} if inner is None else dict(fields(inner))


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)


ALL = dict(walk(SCHEMA))


@pytest.mark.parametrize("path", ALL)
def test_every_part_of_the_schema_is_structural(path: str) -> None:
    """No titles, no references, no `anyOf`; and a type at every node, or the API server refuses the CRD."""
    part = ALL[path]
    assert {key for key in part if not key.startswith("x-kubernetes-")} <= KNOWN_KEYS
    assert part["type"] in {"object", "array", "string", "integer", "boolean"}
    assert set(part.get("required", ())) <= set(part.get("properties", ()))


@pytest.mark.parametrize("path", [path for path in ALL if not path.endswith("[]") and path != ".metadata"])
def test_every_field_is_described_for_kubectl_explain(path: str) -> None:
    assert len(ALL[path]["description"]) > 10


@pytest.mark.parametrize(("part", "model"), [("spec", LongTaskSpec), ("status", LongTaskStatus)])
def test_the_schema_has_exactly_the_fields_of_the_models(part: str, model: type[BaseModel]) -> None:
    def named(schema: dict[str, Any]) -> dict[str, Any]:
        schema = schema.get("items", schema)
        return {key: named(inner) for key, inner in schema.get("properties", {}).items()}

    found, wanted = named(PARTS[part]), dict(fields(model))
    for fields_of_it in (found, wanted, found.get("cleanup", {}), wanted.get("cleanup", {})):
        fields_of_it.pop("template", None)
    assert found == wanted


@pytest.mark.parametrize("path", [path for path, part in ALL.items() if part["type"] == "integer"])
def test_every_number_has_bounds_far_from_what_json_can_hold(path: str) -> None:
    part = ALL[path]
    assert part["minimum"] >= 0
    assert part["format"] == ("int32" if part.get("maximum", 2**63) <= 2**31 - 1 else "int64")


def test_a_new_task_shows_as_init_without_a_write() -> None:
    assert PARTS["status"]["default"] == {"attempt": 1, "observedGeneration": 0, "state": "Init"}
    inside = [path for path, part in walk(PARTS["status"]) if path and "default" in part]
    assert inside == []  # they would hide that a field was removed


def test_spec_and_desired_state_cannot_be_removed_to_undo_a_terminate() -> None:
    assert SCHEMA["required"] == ["spec"]
    assert PARTS["spec"]["required"] == ["desiredState", "template"]
    assert PARTS["spec"]["properties"]["desiredState"]["default"] == "Run"


def test_only_templates_keep_fields_that_the_schema_does_not_know() -> None:
    open_parts = {path for path, part in ALL.items() if part.get("x-kubernetes-preserve-unknown-fields")}
    assert open_parts == {
        ".spec.template",
        ".spec.template.metadata",
        ".spec.template.spec",
        ".spec.template.spec.containers[]",
        ".spec.checkpoint.volume.claimTemplate.spec",
        ".spec.cleanup.template",
        ".spec.cleanup.template.metadata",
        ".spec.cleanup.template.spec",
        ".spec.cleanup.template.spec.containers[]",
    }


def test_conditions_are_merged_by_type() -> None:
    conditions = PARTS["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert "type" in conditions["items"]["required"]


def test_a_saved_state_is_at_most_32_kib_and_a_checkpoint_is_whole() -> None:
    checkpoint = PARTS["status"]["properties"]["checkpoint"]
    assert checkpoint["properties"]["data"]["maxLength"] == 32_768
    assert set(checkpoint["required"]) == set(checkpoint["properties"])


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("2026-03-01T12:00:00Z", True),
        ("2026-03-01T12:00:00.123456789Z", True),
        ("2026-03-01T24:00:00Z", False),
        ("0000-03-01T12:00:00Z", False),
        ("2026-03-01T12:00:00+01:00", False),
        ("2026-03-01T12:00:00", False),
    ],
)
def test_only_times_that_the_operator_can_read_back_get_in(text: str, taken: bool) -> None:
    pattern = PARTS["status"]["properties"]["startTime"]["pattern"]
    assert (re.search(pattern, text) is not None) is taken


# --- the rules ---


def test_the_rules_stand_at_the_root_where_nothing_can_be_left_out() -> None:
    """A rule at `status.checkpoint` does not run when one side is absent: null and adding again would pass it by."""
    places = {path for path, part in ALL.items() if "x-kubernetes-validations" in part}
    assert places == {"", ".spec", ".spec.template", ".spec.checkpoint", ".spec.checkpoint.volume", ".spec.cleanup"}
    assert SCHEMA["x-kubernetes-validations"] == [rule.to_schema() for rule in rules.ROOT_RULES]


@pytest.mark.parametrize("rule", [*rules.ROOT_RULES, *rules.TEMPLATE_RULES], ids=lambda rule: rule.message[:40])
def test_every_rule_says_what_must_hold_and_points_at_the_field(rule: rules.Rule) -> None:
    assert " must " in rule.message
    made = rule.to_schema()
    assert made["rule"] == rule.expression
    assert made.get("reason") == ("FieldValueForbidden" if rule.forbidden else None)
    where = "" if not rule.field_path else rule.field_path
    assert where in ALL
    assert made.get("fieldPath", "") == where


@pytest.mark.parametrize("rule", rules.ROOT_RULES, ids=lambda rule: rule.message[:40])
def test_every_field_that_a_rule_reads_is_in_the_schema(rule: rules.Rule) -> None:
    read = re.findall(r"(?:self|oldSelf)((?:\.[a-z][A-Za-z]*)+)(?![A-Za-z(])", rule.expression)
    paths = {path for path in read if not path.startswith(".metadata")}
    assert paths <= set(ALL)
    assert paths or "metadata" in rule.expression


# --- for people ---


def test_the_names_are_those_that_kubectl_and_the_policies_use() -> None:
    crd = custom_resource_definition()
    assert crd["metadata"]["name"] == f"{crd['spec']['names']['plural']}.{crd['spec']['group']}"
    assert crd["spec"]["scope"] == "Namespaced"
    assert crd["spec"]["names"]["shortNames"] == ["lt"]
    (version,) = crd["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert version["subresources"] == {"status": {}}


def test_tasks_can_be_selected_by_what_is_desired_and_by_what_is_observed() -> None:
    (version,) = custom_resource_definition()["spec"]["versions"]
    assert version["selectableFields"] == [{"jsonPath": ".spec.desiredState"}, {"jsonPath": ".status.state"}]


def test_every_column_shows_a_field_that_there_is() -> None:
    (version,) = custom_resource_definition()["spec"]["versions"]
    columns = version["additionalPrinterColumns"]
    shown = [column["jsonPath"] for column in columns]
    plain = [path for path in shown if "[?" not in path and not path.startswith(".metadata")]
    assert set(plain) <= set(ALL)
    assert [column["name"] for column in columns if "priority" not in column] == [
        "Desired",
        "State",
        "Progress%",
        "Done",
        "ETA",
        "Attempt",
        "Age",
    ]


# --- the translation ---


def test_a_key_without_a_counterpart_is_an_error_and_not_dropped() -> None:
    with pytest.raises(ValueError, match="exclusiveMinimum"):
        structural({"type": "integer", "exclusiveMinimum": 0}, keep_defaults=True)


def test_what_a_field_says_of_itself_wins_over_what_its_type_says() -> None:
    schema = {
        "$defs": {"Mood": {"type": "string", "enum": ["good"], "description": "any mood", "title": "Mood"}},
        "$ref": "#/$defs/Mood",
        "description": "my mood",
        "default": "good",
    }
    assert structural(schema, keep_defaults=True) == {
        "type": "string",
        "description": "my mood",
        "enum": ["good"],
        "default": "good",
    }
    assert "default" not in structural(schema, keep_defaults=False)


def test_an_optional_field_is_one_that_may_be_absent_and_not_null() -> None:
    schema = {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}], "default": None}
    assert structural(schema, keep_defaults=True) == {"type": "string", "maxLength": 5}


def test_the_limits_of_the_names_are_those_of_the_schema() -> None:
    status = PARTS["status"]["properties"]
    assert status["attempt"]["maximum"] == names.MAX_ATTEMPT
    assert status["history"]["maxItems"] == names.MAX_HISTORY
    assert status["checkpoint"]["properties"]["epoch"]["maximum"] == names.MAX_EPOCH
