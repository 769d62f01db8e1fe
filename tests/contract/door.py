"""What the door to the API server promises, as cases that hold at a stand-in and at the real server alike.

Each case is a coroutine with a sentence for a name. `tests/contract` runs them on kmock, whose prepared answers are
those of the real server; `tests/e2e` runs the same cases on the real server, which shows that they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from longtask.shell import api as door
from longtask.shell.errors import Conflict, Expired, Forbidden, Missing, NotServed, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from longtask.shell.api import Api

Json = dict[str, Any]


@dataclass
class Place:
    """A server with a namespace for a test: doors for an administrator, for somebody without rights, for nobody."""

    admin: Api
    stranger: Api
    nobody: Api
    namespace: str
    terminating: Callable[[], str]
    """Makes a namespace that is being deleted, and stays so for the length of the test."""

    @property
    def path(self) -> str:
        """Where its ConfigMaps are."""
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    async def create(self, name: str = "one", labels: dict[str, str] | None = None) -> Json:
        """Create a ConfigMap."""
        return await self.admin.post(self.path, config_map(name, labels))


def config_map(name: str, labels: dict[str, str] | None = None, **further: object) -> Json:
    """A ConfigMap to be created."""
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}, **further}


def delete_options(uid: str) -> Json:
    """Delete exactly that one."""
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}


async def what_is_created_can_be_read(place: Place) -> None:
    created = await place.create()
    read = await place.admin.get(f"{place.path}/one")

    assert created["metadata"]["uid"] == read["metadata"]["uid"]
    assert read["data"] == {"key": "value"}


async def an_object_that_is_not_there_is_missing(place: Place) -> None:
    with pytest.raises(Missing, match='"one" not found'):
        await place.admin.get(f"{place.path}/one")


async def a_resource_that_is_not_served_is_told_apart_from_an_object_that_is_gone(place: Place) -> None:
    with pytest.raises(NotServed):
        await place.admin.get("/apis/no-such-group.longtask.dev/v1/longtasks")


async def a_name_that_is_taken_is_a_conflict(place: Place) -> None:
    await place.create()

    with pytest.raises(Conflict, match="already exists"):
        await place.create()


async def a_patch_of_another_version_is_a_conflict(place: Place) -> None:
    await place.create()

    patch = {"metadata": {"resourceVersion": "1"}, "data": {"key": "new"}}
    with pytest.raises(Conflict):
        await place.admin.patch(f"{place.path}/one", patch, "merge-patch")


async def a_patch_of_another_object_of_that_name_is_a_conflict(place: Place) -> None:
    """With the version it is; the UID alone would be refused as a change of what can't be changed."""
    await place.create()

    patch = {"metadata": {"uid": "another", "resourceVersion": "1"}, "data": {"key": "new"}}
    with pytest.raises(Conflict):
        await place.admin.patch(f"{place.path}/one", patch, "merge-patch")


async def a_test_of_a_patch_that_fails_is_a_refusal_without_causes(place: Place) -> None:
    await place.create()

    patch = [
        {"op": "test", "path": "/metadata/uid", "value": "another"},
        {"op": "replace", "path": "/data/key", "value": "new"},
    ]
    with pytest.raises(Refused) as refused:
        await place.admin.patch(f"{place.path}/one", patch, "json-patch")
    assert refused.value.status == 422
    assert not refused.value.details.get("causes")


async def a_value_that_is_not_valid_is_a_refusal_with_causes(place: Place) -> None:
    with pytest.raises(Refused, match="Not_A_Name") as refused:
        await place.create("Not_A_Name")
    assert refused.value.status == 422
    assert refused.value.details["causes"]


async def a_misspelt_field_is_refused_when_validation_is_strict(place: Place) -> None:
    with pytest.raises(Refused, match='unknown field "dta"') as refused:
        await place.admin.post(place.path, config_map("one", dta={}), {"fieldValidation": "Strict"})
    assert refused.value.status == 400


async def a_deletion_of_another_uid_is_a_conflict(place: Place) -> None:
    await place.create()

    with pytest.raises(Conflict):
        await place.admin.delete(f"{place.path}/one", delete_options("another"))


async def what_is_deleted_is_missing(place: Place) -> None:
    created = await place.create()
    options = delete_options(created["metadata"]["uid"])
    await place.admin.delete(f"{place.path}/one", options)

    with pytest.raises(Missing):
        await place.admin.delete(f"{place.path}/one", options)


async def a_list_comes_in_pages_of_one_version(place: Place) -> None:
    for number in range(5):
        await place.create(f"listed-{number}", {"listed": "yes"})

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(door, "_PAGE", 2)
        pages = [page async for page in place.admin.pages(place.path, {"labelSelector": "listed"})]

    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1
    assert [item["metadata"]["name"] for page in pages for item in page["items"]] == [f"listed-{n}" for n in range(5)]


async def a_list_of_metadata_has_nothing_else(place: Place) -> None:
    await place.create("listed-0", {"listed": "yes"})
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

    (page,) = [page async for page in place.admin.pages(place.path, {"labelSelector": "listed"}, accept=accept)]

    (item,) = page["items"]
    assert item["metadata"]["name"] == "listed-0"
    assert "data" not in item


async def a_watch_tells_of_every_change_and_ends(place: Place) -> None:
    created = await place.create("watched", {"watched": "yes"})
    since = created["metadata"]["resourceVersion"]
    await place.admin.patch(f"{place.path}/watched", {"data": {"key": "new"}}, "merge-patch")
    await place.admin.delete(f"{place.path}/watched", delete_options(created["metadata"]["uid"]))
    query = {"labelSelector": "watched", "resourceVersion": since, "timeoutSeconds": "1"}

    events = [event async for event in place.admin.watch(place.path, query, idle_seconds=10)]

    assert [event["type"] for event in events] == ["MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert int(since) < versions[0] < versions[1], "a deletion has a version of its own"


async def a_watch_from_long_ago_has_expired(place: Place) -> None:
    query = {"resourceVersion": "1", "timeoutSeconds": "1"}
    try:
        events = [event async for event in place.admin.watch(place.path, query, idle_seconds=10)]
    except Expired:
        return
    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]


async def who_has_no_right_is_forbidden_and_reads_what_is_missing(place: Place) -> None:
    with pytest.raises(Forbidden, match='cannot get resource "configmaps"'):
        await place.stranger.get(f"{place.path}/one")


async def who_is_not_known_may_come_again_later(place: Place) -> None:
    with pytest.raises(Unavailable) as unavailable:
        await place.nobody.get(f"{place.path}/one")
    assert unavailable.value.status == 401


async def nothing_is_created_in_a_namespace_that_is_being_deleted(place: Place) -> None:
    path = f"/api/v1/namespaces/{place.terminating()}/configmaps"
    with pytest.raises(Forbidden) as forbidden:
        await place.admin.post(path, config_map("late"))
    assert "NamespaceTerminating" in forbidden.value.causes


async def nothing_is_created_in_a_namespace_that_is_not_there(place: Place) -> None:
    with pytest.raises(Missing, match="no-such-namespace"):
        await place.admin.post("/api/v1/namespaces/no-such-namespace/configmaps", config_map("one"))


CASES: Final[tuple[Callable[[Place], Awaitable[None]], ...]] = (
    what_is_created_can_be_read,
    an_object_that_is_not_there_is_missing,
    a_resource_that_is_not_served_is_told_apart_from_an_object_that_is_gone,
    a_name_that_is_taken_is_a_conflict,
    a_patch_of_another_version_is_a_conflict,
    a_patch_of_another_object_of_that_name_is_a_conflict,
    a_test_of_a_patch_that_fails_is_a_refusal_without_causes,
    a_value_that_is_not_valid_is_a_refusal_with_causes,
    a_misspelt_field_is_refused_when_validation_is_strict,
    a_deletion_of_another_uid_is_a_conflict,
    what_is_deleted_is_missing,
    a_list_comes_in_pages_of_one_version,
    a_list_of_metadata_has_nothing_else,
    a_watch_tells_of_every_change_and_ends,
    a_watch_from_long_ago_has_expired,
    who_has_no_right_is_forbidden_and_reads_what_is_missing,
    who_is_not_known_may_come_again_later,
    nothing_is_created_in_a_namespace_that_is_being_deleted,
    nothing_is_created_in_a_namespace_that_is_not_there,
)


def sentence(case: Callable[[Place], Awaitable[None]]) -> str:
    """The id of a case."""
    return case.__name__
