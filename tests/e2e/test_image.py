"""What is in the image, and as whom it runs: seen in containers on the real cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.support.kubectl import kubectl
from tests.e2e.support.tasks import long_task, plain

if TYPE_CHECKING:
    from tests.e2e.support.tasks import Lab

TOOLS = ("pip", "pip3", "easy_install", "gcc", "cc", "g++", "make", "git", "go", "cargo")


def test_the_image_holds_no_installer_and_no_build_tools(lab: Lab) -> None:
    script = f"for tool in {' '.join(TOOLS)}; do command -v $tool || true; done; command -v python3"

    found = lab.in_reader("sh", "-c", script).split()
    modules = "import importlib.util as u; print([m for m in ('pip', 'ensurepip', 'setuptools') if u.find_spec(m)])"

    assert len(found) == 1, found  # python3, which shows that the script looks
    assert lab.in_reader("python3", "-c", modules).strip() == "[]"


def test_a_container_that_says_nothing_of_a_user_is_not_root(lab: Lab) -> None:
    task = lab.start(long_task("nobody", plain(["id", "-u"], securityContext={"runAsNonRoot": True})))

    task.wait_for_state("Complete")


def test_the_operator_is_not_root_and_can_write_nowhere_but_into_its_folder_for_temporary_files(lab: Lab) -> None:
    script = "id -u; touch /tmp/x && echo tmp; touch /opt/longtask/x 2>/dev/null || echo sealed"

    said = kubectl(
        lab.kubeconfig, "exec", "--namespace=longtask-system", "deploy/longtask-operator", "--", "sh", "-c", script
    )

    assert said.split() == ["65532", "tmp", "sealed"]
