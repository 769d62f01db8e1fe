"""Manifests that are applied again, and objects that are deleted instead of terminated.

Shows G3 across re-creation under the same name, and with that trap 13 (what was deleted leaves pods behind that go on
working).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import condition, done_of, items
from tests.e2e.support.watch import Observer
from tests.e2e.support.watch_verdicts import pods_of, versions

if TYPE_CHECKING:
    from tests.e2e.support.client import Body
    from tests.e2e.support.tasks import Lab

SERVER = ["--server-side"]
WAYS_TO_APPLY = {
    "client side": ([], []),
    "server side": (SERVER, SERVER),
    "server side after client side": ([], [*SERVER, "--force-conflicts"]),
}


@pytest.mark.parametrize("way", WAYS_TO_APPLY)
def test_a_manifest_that_is_applied_again_does_not_resume_a_suspended_task(lab: Lab, way: str) -> None:
    first, again = WAYS_TO_APPLY[way]
    lab.kubectl("apply", "-f", "-", *first, manifest=items(count=500))
    task = lab.handle("items")
    task.wait_for_saved(3)
    lab.kubectl("patch", "lt", "items", "--type=merge", "-p", '{"spec":{"desiredState":"Suspend"}}')
    saved = task.wait_for_state("Suspended")["status"]["checkpoint"]

    lab.kubectl("apply", "-f", "-", *again, manifest=items(count=500, backoff_limit=3))
    body = task.wait("its new limit seen", lambda body: body["spec"]["backoffLimit"] == 3)
    body = task.wait_for_state("Suspended")

    assert body["spec"]["desiredState"] == "Suspend"
    assert body["status"]["checkpoint"] == saved
    assert task.active_pods() == []
    assert [job["spec"]["suspend"] for job in task.jobs()] == [True]


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_a_deleted_task_stops_its_worker_and_leaves_nothing(lab: Lab, cascade: str) -> None:
    with Observer(lab.api, lab.namespace) as observer:
        task = lab.start(items(count=500))
        task.wait_for_saved(3)

        lab.kubectl("delete", "lt", "items", f"--cascade={cascade}", "--wait=false")
        wait_for(lambda: lab.api.find("LongTask", "items", lab.namespace) is None, timeout=60, what="it to be gone")
        task.wait_until_bare()

    [pod] = pods_of(observer.log(), task.uid)
    assert exit_code(pod) in {75, 78}  # it was asked to stop, or it has seen before that its task is gone
    assert lab.lines("log")[-1] == "cleanup deleted epoch 1"
    done = lab.items()
    assert done == list(range(len(done)))


def exit_code(pod: Body) -> int:
    """What its worker ended with."""
    code: int = pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"]
    return code


def test_a_task_that_is_deleted_without_its_job_leaves_a_worker_that_soon_stops(lab: Lab) -> None:
    """Orphaned, as it was asked for: Job and pod stay. The worker finds at its next save that its task is gone."""
    task = lab.start(items(count=5000))
    task.wait_for_saved(3)

    lab.kubectl("delete", "lt", "items", "--cascade=orphan")
    line = lab.wait_for_line("log", "cleanup")
    wait_for(lambda: not task.active_pods(), timeout=60, what="its pod to have ended")

    assert line == "cleanup deleted epoch 1"
    [job] = task.jobs()
    assert "ownerReferences" not in job["metadata"]
    [pod] = task.pods()
    assert exit_code(pod) == 78
    done = lab.items()
    assert done == list(range(len(done)))


def test_a_task_is_suspended_deleted_and_leaves_nothing(lab: Lab) -> None:
    task = lab.start(items(count=500))
    task.wait_for_saved(3)
    task.want("Suspend")
    task.wait_for_state("Suspended")

    lab.kubectl("delete", "lt", "items")

    task.wait_until_bare()


def test_a_task_that_is_created_again_has_nothing_to_do_with_the_old_one(lab: Lab) -> None:
    """Deleted and created under the same name, while the pod of the old one is in its grace period and at work."""
    with Observer(lab.api, lab.namespace) as observer:
        old = lab.start(items(HOLD=5, grace=120, DATA="/data/old"))
        lab.wait_for_line("old/log", "holding")
        old.delete()
        dying = old.stopping_pod()

        new = lab.start(items(count=20, pace=0.2, DATA="/data/new"))
        new.wait_for_saved(3)
        assert [pod["metadata"]["uid"] for pod in old.active_pods()] == [dying["metadata"]["uid"]]
        lab.touch("old/go")
        old.wait_until_bare()
        body = new.wait_for_state("Complete")

    log = observer.log()
    assert lab.lines("old/log")[-1] == "cleanup deleted epoch 1"
    assert lab.lines("new/log")[0].startswith("setup at 0 epoch 1")
    assert lab.items("new") == list(range(20))
    assert holders(versions(log, new.uid)) == [pods_of(log, new.uid)[0]["metadata"]["uid"]]
    assert [body["status"]["attempt"], body["status"]["failures"]] == [1, 0]
    assert progress_never_goes_back(versions(log, new.uid))


def holders(task: list[Body]) -> list[str]:
    """Who has ever held its checkpoint."""
    found = {version["status"]["checkpoint"]["holder"] for version in task if "checkpoint" in version["status"]}
    return sorted(found)


def progress_never_goes_back(task: list[Body]) -> bool:
    """Whether each version has done at least what the one before had."""
    done = [done_of(version) for version in task]
    return done == sorted(done)


def test_a_task_does_not_touch_another_whose_name_begins_like_its_own(lab: Lab) -> None:
    short = lab.start(items("import", count=500, DATA="/data/short"))
    long = lab.start(items("import-1", count=500, DATA="/data/long"))
    short.wait_for_saved(1)
    long.wait_for_saved(1)
    pod = long.running_pod()["metadata"]["uid"]

    short.want("Suspend")
    short.wait_for_state("Suspended")
    long.wait_for_saved(done_of(long.read()) + 3)
    short.want("Terminate")
    short.wait_for_state("Terminated")
    lab.touch("long/hurry")
    body = long.wait_for_state("Complete")

    assert body["status"]["checkpoint"]["holder"] == pod
    assert lab.items("long") == list(range(500))
    assert len(long.jobs()) == 1


def test_a_task_that_has_ended_is_deleted_after_its_time_and_everything_of_it_follows(lab: Lab) -> None:
    body = items(count=3)
    body["spec"]["ttlSecondsAfterFinished"] = 5
    task = lab.start(body)

    ended = task.wait_for_state("Complete")
    assert ended["status"]["completionTime"]
    wait_for(lambda: lab.api.find("LongTask", "items", lab.namespace) is None, timeout=60, what="it to be gone")

    task.wait_until_bare()
    assert lab.items() == [0, 1, 2]


def test_a_namespace_with_tasks_can_be_deleted(lab: Lab) -> None:
    """Running, waiting for a node, and suspended: no finalizer keeps them, and nothing is made anew meanwhile."""
    running = lab.start(items("running", count=5000, DATA="/data/running"))
    lab.start(items("waiting", pod={"nodeSelector": {"longtask.dev/no-such-node": "true"}}))
    suspended = lab.start(items("suspended", desired="Suspend"))
    running.wait_for_saved(1)
    suspended.wait_for_state("Suspended")

    with Observer(lab.api, lab.namespace) as observer:
        lab.api.delete("Namespace", lab.namespace)
        wait_for(lambda: not left(lab), timeout=120, what="all to be gone", state=lambda: left(lab))

    [pod] = pods_of(observer.log(), running.uid)
    assert exit_code(pod) == 75
    assert condition_never(versions(observer.log(), running.uid), "Stalled")


def left(lab: Lab) -> list[str]:
    """What is left of the kinds that we deal with. The namespace itself goes when its controller looks again."""
    kinds = ("LongTask", "Job", "Pod")
    return [body["metadata"]["name"] for kind in kinds for body in lab.api.list_all(kind, lab.namespace)]


def condition_never(task: list[Body], kind: str) -> bool:
    """Whether no version has that condition true."""
    return all(condition(version, kind).get("status") != "True" for version in task)
