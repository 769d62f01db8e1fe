"""What a task shows of its pods: the words of whoever refused, and of the container that died, and no more of them."""

from __future__ import annotations

from typing import Any

from longtask.shell.slim import event_trouble, pod_record

UID = "0a968ce9-64fb-4aa3-9e54-6e9364266167"
NAME = f"task-{UID[:8]}-1-abcde"


def pod(**status: Any) -> Any:  # noqa: ANN401 - the record of a pod with that status
    metadata = {
        "namespace": "team",
        "name": NAME,
        "uid": "pod",
        "resourceVersion": "1",
        "labels": {"longtask.dev/task-uid": UID},
    }
    return pod_record({"metadata": metadata, "spec": {"containers": [{"name": "worker"}]}, "status": status})


def ended(name: str, code: int, message: str = "", reason: str = "Error") -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "message": message, "reason": reason}}
    return {"name": name, "state": state}


def refused_pod(name: str) -> str:
    """What the task shows when the Job controller tells that a pod of this name was refused."""
    message = f'Error creating: pods "{name}" is forbidden: exceeded quota: small, used: pods=1'
    trouble = event_trouble({"type": "Warning", "reason": "FailedCreate", "message": message})
    assert trouble is not None
    return trouble.message


def test_pods_that_are_refused_for_the_same_reason_make_the_same_message() -> None:
    assert refused_pod("task-0a968ce9-1-nlx9j") == refused_pod("task-0a968ce9-1-7zk4d")
    assert refused_pod("task-0a968ce9-1-nlx9j") == (
        'Error creating: pods "task-0a968ce9-1-..." is forbidden: exceeded quota: small, used: pods=1'
    )


def test_a_container_in_a_crash_loop_is_quoted_with_what_it_said_last() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    died = {"terminated": {"exitCode": 4, "message": "no such database\n"}}

    trouble = pod(
        phase="Pending", initContainerStatuses=[{"name": "helper", "state": waiting, "lastState": died}]
    ).trouble

    assert trouble.message == f"pod {NAME}, container helper: CrashLoopBackOff: back-off 10s\nno such database"


def test_the_last_words_are_those_of_the_worker() -> None:
    words = pod(phase="Failed", containerStatuses=[ended("side", 9, "killed"), ended("worker", 3, "no such host")])

    assert words.last_words == "no such host"


def test_a_worker_that_never_began_leaves_the_word_to_the_container_that_failed() -> None:
    waiting = {"name": "worker", "state": {"waiting": {"reason": "PodInitializing"}}}
    failed = pod(phase="Failed", initContainerStatuses=[ended("first", 0), ended("fetch", 6, "no route")])

    assert failed.last_words == "container fetch exited with code 6: no route"
    assert pod(phase="Pending", containerStatuses=[waiting]).last_words == ""


def test_a_worker_that_had_too_little_memory_is_said_to() -> None:
    assert pod(phase="Failed", containerStatuses=[ended("worker", 137, reason="OOMKilled")]).last_words == (
        "worker: OOMKilled"
    )


def test_a_pod_that_was_evicted_is_quoted_with_the_kubelets_words() -> None:
    assert pod(phase="Failed", message="The node was low on resource: memory.").last_words == (
        "The node was low on resource: memory."
    )
