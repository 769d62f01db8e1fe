"""What the control plane of the benchmarks is told: how fake pods live, and what is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.bench import kwok
from tests.bench.children import Child, ProgramError
from tests.bench.plane import ETCD_FLAGS, audit_policy
from tests.bench.rivals.fleet import resource

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


def stages() -> dict[str, Json]:
    """Stages of pods by name, as kwok reads them."""
    documents = list(yaml.safe_load_all(kwok.configuration()))
    return {document["metadata"]["name"]: document["spec"] for document in documents if document["kind"] == "Stage"}


def test_no_pod_completes_by_itself() -> None:
    assert all("Succeeded" not in str(stage["next"]) for stage in stages().values())


def test_a_pod_that_is_told_to_stop_says_75_before_it_goes() -> None:
    assert "exitCode: 75" in stages()["stops-when-deleted"]["next"]["statusTemplate"]
    assert "delete" not in stages()["stops-when-deleted"]["next"]


def test_the_job_controller_s_finalizer_is_left_alone() -> None:
    assert all("finalizers" not in stage["next"] for stage in stages().values())


def test_etcd_syncs_every_write() -> None:
    assert not any("fsync" in flag for flag in ETCD_FLAGS)


def test_every_write_is_audited_and_only_some_users_reads() -> None:
    policy = audit_policy(["somebody"])
    rules = {rule["level"]: rule for rule in reversed(policy["rules"])}
    assert policy["rules"][0] == {"level": "Metadata", "users": ["somebody"], "verbs": ["get", "list", "watch"]}
    assert {"create", "patch", "delete"} <= set(policy["rules"][1]["verbs"])
    assert "users" not in policy["rules"][1]
    assert policy["rules"][-1] == rules["None"] == {"level": "None"}
    assert "ResponseComplete" not in policy["omitStages"]


def test_the_rival_s_resource_is_ours_in_another_group() -> None:
    ours: Json = {
        "metadata": {"name": "longtasks.longtask.dev"},
        "spec": {"group": "longtask.dev", "names": {"kind": "LongTask"}, "versions": [1]},
    }
    theirs = resource(ours)
    assert theirs["spec"]["versions"] == ours["spec"]["versions"]
    assert theirs["metadata"]["name"] == f"longtasks.{theirs['spec']['group']}"
    assert ours["spec"]["group"] == "longtask.dev"


def test_a_program_that_ends_instead_of_coming_up_is_told_of_in_its_own_words(tmp_path: Path) -> None:
    child = Child("etcd", ["sh", "-c", "echo no room left; exit 3"], tmp_path / "log")
    with pytest.raises(ProgramError, match=r"ended with 3(.|\n)*no room left"):
        child.wait_until("well", lambda: False, seconds=20)


def test_a_program_is_ended_and_its_cost_is_known_while_it_runs(tmp_path: Path) -> None:
    child = Child("sleep", ["sleep", "100"], tmp_path / "log")
    cost = child.cost()
    child.stop()
    assert cost.peak >= cost.memory > 0
    with pytest.raises(OSError, match="No such file"):
        child.cost()
