"""Programs that keep their position in a file and know nothing of LongTask: `spec.checkpoint.file` and exit codes.

Shown with a shell script of a few lines and with GNU ddrescue as Debian packages it. Shows G1, G5 and G6 for them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import foreign
from tests.e2e.support.client import wait_for
from tests.e2e.support.tasks import Handle, Lab, cluster, condition, done_of, long_task, plain

if TYPE_CHECKING:
    from tests.e2e.support.client import Api, Body

FILE = "/state/position"

ITEMS = 60

# One item after the other, each a line of a file on the volume; the position is replaced as a whole. It takes some
# fifteen seconds, and the first save comes two seconds after the start.
COUNT = f"""
n=$(cat /state/position 2>/dev/null || echo 0)
echo "begin at $n" >> /data/begins
while [ $n -lt {ITEMS} ]; do
  echo $n >> /data/items; n=$((n + 1))
  echo $n > /state/new; mv /state/new /state/position
  echo "$n {ITEMS} counting" > /state/position.progress
  sleep 0.2
done
"""


def script(lines: str, name: str = "count", *, checkpoint: Body | None = None, **task: Any) -> Body:  # noqa: ANN401
    """A task whose program is a shell script, with its position in FILE."""
    body = long_task(name, plain(["sh", "-c", lines]), **task)
    body["spec"]["checkpoint"] = {"file": FILE} if checkpoint is None else checkpoint
    return body


def saved(task: Handle | Body) -> str:
    """The content of the file, as it is saved."""
    body = task.read() if isinstance(task, Handle) else task
    data = body["status"].get("checkpoint", {}).get("data")
    return json.loads(data)["file"]["text"] if data else ""


def wait_for_version(task: Handle, beyond: int = 0) -> Body:
    """Wait until the script is saved with a position beyond that."""
    return task.wait(f"a position beyond {beyond} saved", lambda body: int(saved(body) or 0) > beyond)


def each_once_or_again_after_a_stop(lab: Lab, stops: int) -> bool:
    """Whether every item was done, in order, and none again but the one that a stop had cut off."""
    items = [int(line) for line in lab.lines("items")]
    in_order = items == sorted(items) and set(items) == set(range(ITEMS))
    return in_order and len(items) <= ITEMS + stops and max(items.count(item) for item in items) <= 2


# --- a shell script ---


def test_a_script_goes_on_where_it_stopped_though_it_knows_nothing_of_suspending(lab: Lab) -> None:
    task = lab.start(script(COUNT))
    at = 0
    for _ in range(2):
        wait_for_version(task, beyond=at)
        task.want("Suspend")
        body = task.wait_for_state("Suspended")
        assert condition(body, "Suspended")["reason"] == "Saved", task.story()
        at = int(saved(body))
        assert at - done_of(body) in {0, 1}  # the script tells of it a moment later
        assert task.active_pods() == []
        task.want("Run")

    body = task.wait_for_state("Complete", seconds=90)

    assert condition(body, "Complete")["reason"] == "ExitedZero"
    assert each_once_or_again_after_a_stop(lab, stops=2)
    begins = [int(line.split()[-1]) for line in lab.lines("begins")]
    assert len(begins) == 3
    assert begins[0] == 0 < begins[1] < begins[2]
    progress = body["status"]["progress"]
    assert (progress["done"], progress["total"], progress["percent"]) == (ITEMS, ITEMS, 100)
    assert body["status"]["failures"] == 0


def test_a_program_that_ends_at_once_leaves_its_last_word_behind(lab: Lab) -> None:
    task = lab.start(script(f"echo all > {FILE}"))

    body = task.wait_for_state("Complete")

    assert saved(body) == "all\n"
    assert body["status"]["progress"] == {"done": 1}


def test_a_crash_goes_on_from_the_last_version_and_uses_a_retry(lab: Lab) -> None:
    crash = COUNT.replace("sleep", "[ $n != 12 ] || [ -e /data/crashed ] || { touch /data/crashed; exit 9; }; sleep")
    task = lab.start(script(crash, backoff_limit=1))

    body = task.wait_for_state("Complete", seconds=90)

    assert body["status"]["failures"] == 1
    assert [int(line.split()[-1]) for line in lab.lines("begins")] == [0, 12]
    assert [int(line) for line in lab.lines("items")] == list(range(ITEMS))


def test_a_drained_program_goes_on_at_once_and_uses_no_retry(lab: Lab, api: Api) -> None:
    task = lab.start(script(COUNT, backoff_limit=0))
    wait_for_version(task)
    pod = task.running_pod()["metadata"]["name"]

    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": lab.namespace}}
    api.request("POST", f"/api/v1/namespaces/{lab.namespace}/pods/{pod}/eviction", eviction)
    body = task.wait_for_state("Complete", seconds=90)

    assert (body["status"]["attempt"], body["status"]["failures"]) == (2, 0)
    assert each_once_or_again_after_a_stop(lab, stops=1)


def test_a_sidecar_that_is_killed_is_started_again_and_nothing_is_lost(lab: Lab) -> None:
    task = lab.start(script(COUNT.replace("sleep 0.2", "sleep 2")))
    wait_for_version(task)
    pod = task.running_pod()

    cluster().kill_container(pod["metadata"]["uid"], "longtask-sidecar")
    wait_for(lambda: restarts(task) > 0, timeout=60, what="the sidecar to be started again", state=task.story)
    task.want("Suspend")
    body = task.wait_for_state("Suspended")

    assert condition(body, "Suspended")["reason"] == "Saved"
    assert body["status"]["checkpoint"]["epoch"] == 1
    assert len(set(lab.lines("items"))) - int(saved(body)) in {0, 1}  # the item that SIGTERM has cut off


def restarts(task: Handle) -> int:
    """How often its sidecar was started again, if it runs."""
    statuses = [status for pod in task.pods() for status in pod["status"].get("initContainerStatuses", [])]
    running = [status for status in statuses if status["name"] == "longtask-sidecar" and "running" in status["state"]]
    return max((status["restartCount"] for status in running), default=0)


def test_terminate_leaves_no_pod_and_no_saved_file(lab: Lab) -> None:
    task = lab.start(script(COUNT))
    wait_for_version(task)

    task.want("Terminate")
    body = task.wait_for_state("Terminated")

    assert body["status"]["checkpoint"]["data"] == ""
    assert condition(body, "Terminated")["reason"] == "Terminated"
    task.wait_until_bare()


def test_a_file_that_is_too_large_is_told_on_the_task_and_a_suspension_does_not_say_that_it_was_saved(lab: Lab) -> None:
    task = lab.start(script(f"head -c 200000 /dev/urandom > {FILE}; sleep 3600"))
    task.wait("a message about the size", lambda body: "too large" in message(body))

    task.want("Suspend")
    body = task.wait_for_state("Suspended")

    found = condition(body, "Suspended")
    assert found["reason"] == "Killed"
    assert "could not be saved" in found["message"]
    assert "200000 bytes" in message(body)


def message(body: Body) -> str:
    """What the task's progress says."""
    found: str = body["status"].get("progress", {}).get("message", "")
    return found


def test_a_file_that_only_the_programs_user_may_read_is_told_with_what_to_do(lab: Lab) -> None:
    """The program's image says that it runs as root; nobody but that image knows, so the sidecar does not."""
    container = plain(
        ["sh", "-c", f"umask 077; echo 1 > {FILE}; sleep 3600"], image=foreign.IMAGE, securityContext=None
    )
    body = long_task("hidden", container)
    body["spec"]["checkpoint"] = {"file": FILE}
    task = lab.start(body)

    told = message(task.wait("a message about the file", message))
    assert f"{FILE} can't be read by user 65532" in told
    assert "runAsUser" in told


def test_another_file_takes_effect_when_the_task_was_suspended(lab: Lab) -> None:
    """What is saved is restored at the new place."""
    task = lab.start(script(COUNT))
    wait_for_version(task)
    task.want("Suspend")
    task.wait_for_state("Suspended")

    moved = COUNT.replace("/state/", "/moved/")
    body = task.read()
    (container,) = body["spec"]["template"]["spec"]["containers"]
    container["command"] = ["sh", "-c", moved]
    template = {"spec": {**body["spec"]["template"]["spec"], "containers": [container]}}
    task.patch({"spec": {"checkpoint": {"file": "/moved/position"}, "template": template, "desiredState": "Run"}})
    body = task.wait_for_state("Complete", seconds=90)

    assert body["status"]["attempt"] == 2
    assert each_once_or_again_after_a_stop(lab, stops=1)


# --- exit codes ---


def test_a_mapped_exit_code_completes_the_task(lab: Lab) -> None:
    task = lab.start(script("exit 3", checkpoint={"completeExitCodes": [3]}, backoff_limit=0))

    body = task.wait_for_state("Complete")

    assert condition(body, "Complete")["reason"] == "ExitedComplete"


def test_a_mapped_exit_code_makes_a_deleted_pod_free(lab: Lab, api: Api) -> None:
    checkpoint = {"file": FILE, "interruptedExitCodes": [143]}
    task = lab.start(script(COUNT, checkpoint=checkpoint, backoff_limit=0))
    wait_for_version(task)

    api.delete("Pod", task.running_pod()["metadata"]["name"], lab.namespace)
    body = task.wait_for_state("Complete", seconds=90)

    assert body["status"]["failures"] == 0
    assert each_once_or_again_after_a_stop(lab, stops=1)


# --- restricted Pod Security ---


def test_a_program_and_its_sidecar_run_under_restricted_pod_security(api: Api, lab: Lab) -> None:
    """A script that prints, with no volume at all: the file's folder is the pod's own."""
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    api.patch("Namespace", lab.namespace, "", labels)
    body = script("n=$(cat /state/position || echo 0); echo $((n + 1)) > /state/position; [ $n = 2 ] || exit 1")
    pod = body["spec"]["template"]["spec"]
    pod.pop("volumes")
    pod["securityContext"] = {"runAsUser": 1000, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    (container,) = pod["containers"]
    container.pop("volumeMounts")
    container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    task = lab.start(body)

    assert saved(task.wait_for_state("Complete", seconds=120)) == "3\n"


# --- GNU ddrescue ---

SIZE = 48 * 2**20


@pytest.fixture
def disks(lab: Lab) -> Lab:
    """A volume with something to rescue on it."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "disks"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "256Mi"}}},
    }
    lab.api.create(claim, lab.namespace)
    maker = plain(["sh", "-c", f"head -c {SIZE} /dev/urandom > /disks/old"])
    maker["volumeMounts"] = [{"name": "disks", "mountPath": "/disks"}]
    task = lab.start(long_task("make-disk", maker, pod={"volumes": [DISKS]}))
    task.wait_for_state("Complete")
    return lab


DISKS = {"name": "disks", "persistentVolumeClaim": {"claimName": "disks"}}


def test_ddrescue_copies_a_disk_byte_for_byte_though_it_was_suspended_three_times(disks: Lab) -> None:
    """Its map file lies in a folder of the pod's, so that each pod has nothing of it but what was saved."""
    rescue = ["ddrescue", "--max-read-rate=1Mi", "--mapfile-interval=3", "/disks/old", "/disks/new", "/map/disk.map"]
    container = {
        "name": "ddrescue",
        "image": foreign.IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": rescue,
        "volumeMounts": [{"name": "disks", "mountPath": "/disks"}],
    }
    body = long_task("rescue", container, pod={"volumes": [DISKS]})
    body["spec"]["checkpoint"] = {"file": "/map/disk.map", "interruptedExitCodes": [130, 143]}
    task = disks.start(body)
    rescued = 0
    for _ in range(3):
        task.wait("more of it saved", lambda body: rescued_of(saved(body)) > rescued)  # noqa: B023 - called at once
        task.want("Suspend")
        stopped = task.wait_for_state("Suspended")
        assert condition(stopped, "Suspended")["reason"] == "Saved"
        assert rescued < rescued_of(saved(stopped)) < SIZE
        rescued = rescued_of(saved(stopped))
        task.want("Run")

    body = task.wait_for_state("Complete", seconds=120)

    assert rescued_of(saved(body)) == SIZE
    compare = plain(["cmp", "/disks/old", "/disks/new"])
    compare["volumeMounts"] = [{"name": "disks", "mountPath": "/disks"}]
    disks.start(long_task("compare", compare, backoff_limit=0, pod={"volumes": [DISKS]})).wait_for_state("Complete")


def rescued_of(mapfile: str) -> int:
    """Bytes that a map file says are rescued: the sizes of its blocks with a plus (manual of GNU ddrescue, Mapfile)."""
    blocks = [line.split() for line in mapfile.splitlines() if line and not line.startswith("#")][1:]
    return sum(int(size, 16) for _, size, status in blocks if status == "+")
