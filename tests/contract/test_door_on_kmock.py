"""The cases of door.py on kmock. It answers here what the real server answers to the same requests, shortened."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import kmock as mocked
import pytest

from tests.contract import door as cases
from tests.contract.door import CASES, Place, sentence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from longtask.shell.api import Api

Json = dict[str, Any]
Case = Any
Response: Any = mocked.Response  # type: ignore[attr-defined]  # public, but not in its __all__

COLLECTION: Final = "/api/v1/namespaces/team/configmaps"
ONE: Final = f"{COLLECTION}/one"


def refusal(code: int, message: str, **details: Any) -> Any:  # noqa: ANN401 - fields of details
    """A `metav1.Status` as an answer."""
    body = {"kind": "Status", "status": "Failure", "message": message, "code": code, "details": details}
    return Response(status=code, payload=body)


def stored(name: str = "one", version: int = 5, **further: object) -> Json:
    """A ConfigMap as the server has it."""
    metadata = {"name": name, "namespace": "team", "uid": f"uid of {name}", "resourceVersion": str(version)}
    return {"kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}, **further}


def a_page(*numbers: int, more: str = "") -> Json:
    """A page of a list."""
    items = [stored(f"listed-{number}") for number in numbers]
    return {"metadata": {"resourceVersion": "9", "continue": more}, "items": items}


def lines(*events: tuple[str, Json]) -> bytes:
    """A watch."""
    return b"".join(json.dumps({"type": kind, "object": body}).encode() + b"\n" for kind, body in events)


TEST_FAILED: Final = "the server rejected our request due to an error in our request"
STRICT: Final = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dta"'
INVALID: Final = 'ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name"'
CAUSE: Final = {"reason": "FieldValueInvalid", "field": "metadata.name"}
NOT_FOUND: Final = refusal(404, 'configmaps "one" not found', name="one", kind="configmaps")
EXISTS: Final = refusal(409, 'configmaps "one" already exists', name="one", kind="configmaps")
MODIFIED: Final = refusal(409, 'Operation cannot be fulfilled on configmaps "one": the object has been modified')

# The answers to each case, by method and path; several answers to one request are given one after the other.
SCRIPTS: Final[dict[Case, dict[str, list[Any]]]] = {
    cases.what_is_created_can_be_read: {f"post {COLLECTION}": [stored()], f"get {ONE}": [stored()]},
    cases.an_object_that_is_not_there_is_missing: {f"get {ONE}": [NOT_FOUND]},
    cases.a_resource_that_is_not_served_is_told_apart_from_an_object_that_is_gone: {
        "get /apis/no-such-group.longtask.dev/v1/longtasks": [
            Response(status=404, payload=b"404 page not found\n", headers={"Content-Type": "text/plain"})
        ]
    },
    cases.a_name_that_is_taken_is_a_conflict: {f"post {COLLECTION}": [stored(), EXISTS]},
    cases.a_patch_of_another_version_is_a_conflict: {f"post {COLLECTION}": [stored()], f"patch {ONE}": [MODIFIED]},
    cases.a_patch_of_another_object_of_that_name_is_a_conflict: {
        f"post {COLLECTION}": [stored()],
        f"patch {ONE}": [MODIFIED],
    },
    cases.a_test_of_a_patch_that_fails_is_a_refusal_without_causes: {
        f"post {COLLECTION}": [stored()],
        f"patch {ONE}": [refusal(422, TEST_FAILED)],
    },
    cases.a_value_that_is_not_valid_is_a_refusal_with_causes: {
        f"post {COLLECTION}": [refusal(422, INVALID, causes=[CAUSE])]
    },
    cases.a_misspelt_field_is_refused_when_validation_is_strict: {
        f"post {COLLECTION}?fieldValidation=Strict": [refusal(400, STRICT)]
    },
    cases.a_deletion_of_another_uid_is_a_conflict: {
        f"post {COLLECTION}": [stored()],
        f"delete {ONE}": [refusal(409, "Precondition failed: UID in precondition: another, UID in object meta: ...")],
    },
    cases.what_is_deleted_is_missing: {
        f"post {COLLECTION}": [stored()],
        f"delete {ONE}": [{"kind": "Status", "status": "Success"}, NOT_FOUND],
    },
    cases.a_list_comes_in_pages_of_one_version: {
        f"post {COLLECTION}": [stored()] * 5,
        f"get {COLLECTION}?labelSelector=listed&limit=2": [a_page(0, 1, more="a"), a_page(2, 3, more="b"), a_page(4)],
    },
    cases.a_list_of_metadata_has_nothing_else: {
        f"post {COLLECTION}": [stored()],
        f"get {COLLECTION}?labelSelector=listed": [
            {"metadata": {"resourceVersion": "9"}, "items": [{"metadata": stored("listed-0")["metadata"]}]}
        ],
    },
    cases.a_watch_tells_of_every_change_and_ends: {
        f"post {COLLECTION}": [stored("watched")],
        f"patch {COLLECTION}/watched": [stored("watched", 6)],
        f"delete {COLLECTION}/watched": [{"kind": "Status", "status": "Success"}],
        f"get {COLLECTION}?watch=1&resourceVersion=5": [
            lines(("MODIFIED", stored("watched", 6)), ("DELETED", stored("watched", 7)))
        ],
    },
    cases.a_watch_from_long_ago_has_expired: {
        f"get {COLLECTION}?watch=1": [lines(("ERROR", {"kind": "Status", "code": 410, "message": "too old"}))]
    },
    cases.who_has_no_right_is_forbidden_and_reads_what_is_missing: {
        f"get {ONE}": [refusal(403, 'configmaps "one" is forbidden: User "x" cannot get resource "configmaps"')]
    },
    cases.who_is_not_known_may_come_again_later: {f"get {ONE}": [refusal(401, "Unauthorized")]},
    cases.nothing_is_created_in_a_namespace_that_is_being_deleted: {
        "post /api/v1/namespaces/leaving/configmaps": [
            refusal(403, "because it is being terminated", causes=[{"reason": "NamespaceTerminating"}])
        ]
    },
    cases.nothing_is_created_in_a_namespace_that_is_not_there: {
        "post /api/v1/namespaces/no-such-namespace/configmaps": [
            refusal(404, 'namespaces "no-such-namespace" not found', name="no-such-namespace", kind="namespaces")
        ]
    },
}


def one_after_another(answers: list[Any]) -> Callable[[], Any]:
    """What kmock calls for each answer."""
    given = iter(answers)
    return lambda: next(given)


def test_every_case_has_its_answers() -> None:
    assert set(SCRIPTS) == set(CASES)


@pytest.mark.kmock(cls=mocked.RawHandler)
@pytest.mark.parametrize("case", CASES, ids=sentence)
async def test_on_kmock(case: Callable[[Place], Awaitable[None]], kmock: mocked.RawHandler, door: Api) -> None:
    for request, answers in SCRIPTS[case].items():
        kmock[request] << one_after_another(answers)

    await case(Place(door, door, door, "team", lambda: "leaving"))

    asked = {f"{request.method.value.lower()} {request.url.path}" for request in kmock}
    assert asked == {re.sub(r"\?.*", "", request) for request in SCRIPTS[case]}
