"""What the operator asks of a cluster: where, with which preconditions, and what it then knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kmock as mocked
import pytest

from longtask.api import names
from longtask.core.actions import DeleteJob, DeletePod, DeleteTask, SetJobSuspended
from longtask.shell.cluster import Cluster
from longtask.shell.errors import Conflict
from longtask.shell.mirror import Mirror
from longtask.shell.slim import job_record, pod_record
from longtask.shell.tasks import TaskStore
from tests.unit.core.builders import JOB_UID, UID, a_job, a_task
from tests.unit.shell.doubles import a_body, a_job_body, a_pod_body

if TYPE_CHECKING:
    from longtask.shell.api import Api

pytestmark = pytest.mark.kmock(cls=mocked.RawHandler)
Json = dict[str, Any]
Response: Any = mocked.Response  # type: ignore[attr-defined]  # public, but not in its __all__

TASK = a_task()
TASK_PATH = f"/apis/longtask.dev/v1alpha1/namespaces/team/longtasks/{TASK.name}"
JOBS = "/apis/batch/v1/namespaces/team/jobs"
JOB = f"{JOBS}/{TASK.job_name}"
NOT_FOUND = Response(status=404, payload={"kind": "Status", "message": "not found"})


@pytest.fixture
def cluster(door: Api) -> Cluster:
    """A cluster whose copies begin with the task, its Job and its pod."""

    def mirror(parse: Any) -> Mirror[Any]:  # noqa: ANN401 - either parser
        return Mirror(door, "/", parse=parse, changed=lambda _: None, idle_seconds=1, longest_backoff=1)

    made = Cluster(api=door, tasks=TaskStore(lambda _: None), jobs=mirror(job_record), pods=mirror(pod_record))
    made.tasks.apply(a_body(TASK))
    made.jobs.apply(a_job_body())
    made.pods.apply(a_pod_body())
    return made


def newer(body: Json, version: int, **metadata: object) -> Json:
    """The same object, changed since."""
    return body | {"metadata": body["metadata"] | {"resourceVersion": str(version), **metadata}}


def the_request(kmock: mocked.RawHandler) -> mocked.Request:
    """The only one that was made."""
    (request,) = list(kmock)
    return request


async def test_a_status_is_a_json_patch_of_the_subresource_and_known_at_once(
    kmock: mocked.RawHandler, cluster: Cluster
) -> None:
    kmock[f"patch {TASK_PATH}/status"] << newer(a_body(TASK), 101)
    operations = [{"op": "add", "path": "/status/failures", "value": 1}]
    await cluster.patch_status(TASK, operations)

    request = the_request(kmock)
    assert request.headers["Content-Type"] == "application/json-patch+json"
    assert request.data == operations
    assert cluster.tasks.version(UID) == "101"


async def test_a_job_is_created_with_strict_validation_and_known_at_once(
    kmock: mocked.RawHandler, cluster: Cluster
) -> None:
    created = newer(a_job_body(), 201, name="import-next")
    kmock[f"post {JOBS}"] << created
    await cluster.create_job(created)

    assert the_request(kmock).params == {"fieldValidation": "Strict"}
    assert "import-next" in {job.name for job in cluster.jobs.of_task(UID)}


async def test_a_suspension_holds_for_the_very_version_that_was_seen(
    kmock: mocked.RawHandler, cluster: Cluster
) -> None:
    kmock[f"patch {JOB}"] << newer(a_job_body(), 201)
    await cluster.set_job_suspended(
        "team", SetJobSuspended(name=TASK.job_name, uid=JOB_UID, resource_version="200", suspend=True)
    )

    request = the_request(kmock)
    assert request.headers["Content-Type"] == "application/merge-patch+json"
    assert request.data == {"metadata": {"uid": JOB_UID, "resourceVersion": "200"}, "spec": {"suspend": True}}
    assert [job.resource_version for job in cluster.jobs.of_task(UID)] == ["201"]


async def test_a_job_is_deleted_after_its_pods_and_only_that_one(kmock: mocked.RawHandler, cluster: Cluster) -> None:
    kmock[f"delete {JOB}"] << newer(a_job_body(), 201, deletionTimestamp="2026-03-01T12:00:00Z")
    await cluster.delete_job("team", DeleteJob(name=TASK.job_name, uid=JOB_UID))

    assert the_request(kmock).data == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": JOB_UID},
        "propagationPolicy": "Foreground",
    }
    assert [job.deleting for job in cluster.jobs.of_task(UID)] == [True]


async def test_a_task_is_deleted_only_as_it_was_seen_and_what_it_owns_follows(
    kmock: mocked.RawHandler, cluster: Cluster
) -> None:
    kmock[f"delete {TASK_PATH}"] << {"kind": "Status", "status": "Success"}
    await cluster.delete_task(TASK, DeleteTask(uid=UID, resource_version="100"))

    assert the_request(kmock).data == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": UID, "resourceVersion": "100"},
        "propagationPolicy": "Background",
    }


async def test_a_task_that_has_been_changed_is_not_deleted(kmock: mocked.RawHandler, cluster: Cluster) -> None:
    kmock["delete"] << Response(status=409, payload={"kind": "Status", "code": 409, "reason": "Conflict"})
    with pytest.raises(Conflict):
        await cluster.delete_task(TASK, DeleteTask(uid=UID, resource_version="100"))


async def test_a_task_that_is_gone_already_is_forgotten(kmock: mocked.RawHandler, cluster: Cluster) -> None:
    kmock["delete"] << NOT_FOUND
    await cluster.delete_task(TASK, DeleteTask(uid=UID, resource_version="100"))
    assert cluster.tasks.get(UID) is None


async def test_a_task_that_a_finalizer_keeps_is_known_to_be_on_its_way_out(
    kmock: mocked.RawHandler, cluster: Cluster
) -> None:
    kmock["delete"] << newer(a_body(TASK), 101, deletionTimestamp="2026-03-01T12:00:00Z", finalizers=["mine"])
    await cluster.delete_task(TASK, DeleteTask(uid=UID, resource_version="100"))
    known = cluster.tasks.get(UID)
    assert known is not None
    assert known.deleting


@pytest.mark.parametrize(("force", "expected"), [(False, {}), (True, {"gracePeriodSeconds": 0})])
async def test_only_a_lost_pod_is_deleted_by_force(
    kmock: mocked.RawHandler,
    cluster: Cluster,
    force: bool,
    expected: Json,
) -> None:
    answer = newer(a_pod_body(), 301, deletionTimestamp="2026-03-01T12:00:00Z")
    kmock["delete /api/v1/namespaces/team/pods/pod"] << answer
    await cluster.delete_pod("team", DeletePod(name="pod", uid="pod-uid", force=force))

    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "pod-uid"}}
    assert the_request(kmock).data == options | expected
    assert all(pod.deletion_time is not None for pod in cluster.pods.of_task(UID)), "known at once"


@pytest.mark.parametrize(("phase", "told"), [("Running", True), ("Failed", False), ("Succeeded", False)])
async def test_a_lost_pod_that_its_job_keeps_is_told_to_have_failed_unless_it_has_ended(
    kmock: mocked.RawHandler, cluster: Cluster, phase: str, told: bool
) -> None:
    kept = newer(a_pod_body(), 301, deletionTimestamp="2026-03-01T12:00:00Z", finalizers=["batch.kubernetes.io/it"])
    kmock["delete /api/v1/namespaces/team/pods/pod"] << (kept | {"status": {"phase": phase}})
    kmock["patch /api/v1/namespaces/team/pods/pod/status"] << newer(kept, 302)
    await cluster.delete_pod("team", DeletePod(name="pod", uid="pod-uid", force=True))

    patches = [request.data for request in kmock if request.method.name == "PATCH"]
    assert [patch["status"]["phase"] for patch in patches] == ["Failed"] * told


async def test_what_is_gone_already_is_deleted_and_known_to_be_gone(kmock: mocked.RawHandler, cluster: Cluster) -> None:
    kmock["delete"] << NOT_FOUND
    (job,), (pod,) = cluster.jobs.of_task(UID), cluster.pods.of_task(UID)
    await cluster.delete_job("team", DeleteJob(name=job.name, uid=job.uid))
    await cluster.delete_pod("team", DeletePod(name=pod.name, uid=pod.uid, force=False))

    assert (cluster.jobs.of_task(UID), cluster.pods.of_task(UID)) == ((), ())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(NOT_FOUND, False), (a_body(a_task(uid="another")), False), (a_body(TASK), True)],
    ids=["gone", "another-of-that-name", "there"],
)
async def test_a_task_is_read_by_its_uid(
    kmock: mocked.RawHandler,
    cluster: Cluster,
    answer: Any,  # noqa: ANN401
    expected: bool,
) -> None:
    kmock[f"get {TASK_PATH}"] << answer

    assert (await cluster.read_task(TASK) is not None) is expected


async def test_pods_are_listed_live_to_the_last_page(kmock: mocked.RawHandler, cluster: Cluster) -> None:
    last = {"metadata": {"resourceVersion": "9"}, "items": [newer(a_pod_body(), 302, name=f"import-{UID[:8]}-1-bbbbb")]}
    first = {"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [a_pod_body()]}
    kmock["get /api/v1/pods?continue=more"] << last
    kmock["get /api/v1/pods"] << first

    found = await cluster.list_pods("longtask.dev/task-uid")

    assert [pod.name[-5:] for pod in found] == ["abcde", "bbbbb"]
    for request in kmock:
        assert "resourceVersion" not in request.params, "an answer from a cache proves nothing"
        assert request.params["labelSelector"] == "longtask.dev/task-uid"


async def test_the_complaints_about_a_job_are_sorted_by_their_time(kmock: mocked.RawHandler, cluster: Cluster) -> None:
    def complaint(message: str, hour: int) -> Json:
        stamp = f"2026-03-01T{hour}:00:00Z"
        return {"type": "Warning", "reason": "FailedCreate", "message": message, "lastTimestamp": stamp}

    items = [complaint("late", 12), complaint("early", 10), {"type": "Normal"}]
    kmock["get /api/v1/namespaces/team/events"] << {"metadata": {"resourceVersion": "9"}, "items": items}

    troubles = await cluster.job_troubles(a_job())

    assert [trouble.message for trouble in troubles] == ["early", "late"]
    assert the_request(kmock).params["fieldSelector"] == f"involvedObject.kind=Job,involvedObject.uid={JOB_UID}"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (NOT_FOUND, True),
        ({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, True),
        ({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, False),
    ],
    ids=["gone", "silent", "well"],
)
async def test_whether_a_node_is_lost(
    kmock: mocked.RawHandler,
    cluster: Cluster,
    answer: Any,  # noqa: ANN401
    expected: bool,
) -> None:
    kmock["get /api/v1/nodes/node-1"] << answer

    assert await cluster.node_is_lost("node-1") is expected


async def test_access_is_one_binding_of_one_role_to_the_accounts_of_the_namespace(
    kmock: mocked.RawHandler, cluster: Cluster
) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/team/rolebindings"
    kmock[f"get {path}/{names.WORKER_ROLE}"] << NOT_FOUND
    kmock[f"post {path}"] << {}
    await cluster.ensure_worker_access("team")

    *_, created = list(kmock)
    assert created.data["roleRef"]["name"] == names.WORKER_ROLE
    assert [subject["name"] for subject in created.data["subjects"]] == ["system:serviceaccounts:team"]


async def test_access_that_is_there_is_left_alone(kmock: mocked.RawHandler, cluster: Cluster) -> None:
    kmock["get"] << {}
    await cluster.ensure_worker_access("team")

    assert [request.method.value for request in kmock] == ["GET"]


# --- the claim of a volume ---

CLAIMS = "/api/v1/namespaces/team/persistentvolumeclaims"
CLAIM = {"metadata": {"name": "its", "namespace": "team"}, "spec": {}}


def a_claim(owner: str) -> Json:
    return {"metadata": {"name": "its", "uid": "claim-uid", "ownerReferences": [{"uid": owner}]}}


async def test_a_claim_is_created_as_it_is_written(kmock: mocked.RawHandler, cluster: Cluster) -> None:
    kmock[f"post {CLAIMS}"] << a_claim(UID)
    assert await cluster.ensure_claim(CLAIM, UID)
    request = the_request(kmock)
    assert request.data == CLAIM
    assert request.params["fieldValidation"] == "Strict"


@pytest.mark.parametrize(("owner", "expected"), [(UID, True), ("another", False)])
async def test_a_claim_that_is_there_is_the_tasks_or_somebody_elses(
    kmock: mocked.RawHandler, cluster: Cluster, owner: str, expected: bool
) -> None:
    kmock[f"post {CLAIMS}"] << Response(status=409, payload={"kind": "Status", "code": 409, "reason": "AlreadyExists"})
    kmock[f"get {CLAIMS}/its"] << a_claim(owner)
    assert await cluster.ensure_claim(CLAIM, UID) == expected


@pytest.mark.parametrize("owner", [UID, "another"])
async def test_only_the_tasks_own_claim_is_deleted_and_no_other_of_that_name(
    kmock: mocked.RawHandler, cluster: Cluster, owner: str
) -> None:
    kmock[f"get {CLAIMS}/its"] << a_claim(owner)
    kmock[f"delete {CLAIMS}/its"] << {"kind": "Status", "status": "Success"}
    await cluster.delete_claim("team", "its", UID)
    sent = [request.data for request in kmock if request.method == "DELETE"]
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "claim-uid"}}
    assert sent == ([options] if owner == UID else [])


async def test_a_claim_that_is_gone_need_not_be_deleted(kmock: mocked.RawHandler, cluster: Cluster) -> None:
    kmock["get"] << NOT_FOUND
    await cluster.delete_claim("team", "its", UID)
