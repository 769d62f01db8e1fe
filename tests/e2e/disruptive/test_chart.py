"""What Helm does with a release: tasks outlive it (G7), and their definition moves on with it.

Marked disruptive because everybody else's operator goes as well.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cluster import release
from tests.cluster.common import run
from tests.cluster.settings import load
from tests.e2e.support.client import ApiError
from tests.e2e.support.tasks import done_of, items

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.support.tasks import Lab

pytestmark = pytest.mark.disruptive

DEFINITION = "longtasks.longtask.dev"
CAUGHT_UP = 60.0


@contextmanager
def uninstalled() -> Iterator[None]:
    """Have no release for the length of a `with` block."""
    release.undeploy(load())
    try:
        yield
    finally:
        release.deploy(load())


@contextmanager
def installed_from(chart: Path) -> Iterator[None]:
    """Have the release made from another chart for the length of a `with` block; the project's own upgrades it."""
    settings = load()
    ours = str(settings.repo / "charts" / "longtask-operator")
    words = [str(chart) if word == ours else word for word in release.helm_words(settings, release.target(settings))]
    assert str(chart) in words
    run([settings.bin / "helm", *words], env=settings.environment, seconds=240)
    try:
        yield
    finally:
        release.deploy(settings)


def test_tasks_their_definition_and_their_rules_outlive_the_release(lab: Lab) -> None:
    task = lab.start(items(count=100_000, pace=0.2, save_every=0))
    task.wait_for_saved(3)

    with uninstalled():
        assert lab.api.find("Deployment", "longtask-operator", "longtask-system") is None
        task.wait_for_saved(done_of(task.read()) + 5)
        attack = {"status": {"checkpoint": None}}
        with pytest.raises(ApiError, match="a checkpoint must not be removed"):
            lab.api.patch("LongTask", task.name, lab.namespace, attack, subresource="status")
        for kind, name in (
            ("ValidatingAdmissionPolicy", "longtask-status"),
            ("ValidatingAdmissionPolicyBinding", "longtask-status"),
            ("ValidatingAdmissionPolicy", "longtask-template"),
            ("ValidatingAdmissionPolicyBinding", "longtask-template"),
            ("ClusterRole", "longtask-worker"),
        ):
            assert lab.api.find(kind, name) is not None, f"{kind} {name} is gone"
        task.want("Suspend")

    task.wait_for_state("Suspended", seconds=CAUGHT_UP)
    assert task.condition("Suspended")["reason"] == "Saved"


def test_an_upgrade_brings_the_definition_up_to_date_and_keeps_the_tasks(lab: Lab, tmp_path: Path) -> None:
    earlier = tmp_path / "longtask-operator"
    shutil.copytree(load().repo / "charts" / "longtask-operator", earlier)
    definition = earlier / "templates/crds/longtasks.longtask.dev.yaml"
    ours = definition.read_text()
    definition.write_text(ours.replace("- lt\n", "- earlier\n"))
    task = lab.start(items(count=100_000, pace=0.2, save_every=0))

    with installed_from(earlier):
        assert short_names(lab) == ["earlier"]
        task.wait_for_saved(3)
        saved = done_of(task.read())

    assert short_names(lab) == ["lt"]
    task.wait_for_saved(saved + 5)
    assert task.checkpoint["epoch"] == 1


def short_names(lab: Lab) -> list[str]:
    """The resource's short names, as its definition has them now."""
    names: list[str] = lab.api.get("CustomResourceDefinition", DEFINITION)["spec"]["names"]["shortNames"]
    return names
