"""What stays when a release is uninstalled: the CRD, or every task would go with it, and whatever guards the tasks.

Read from the templates' text, so that no Helm is needed. That Helm honours it is shown on a real cluster by
tests/e2e/disruptive/test_chart.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

CHART = Path(__file__).resolve().parents[3] / "charts/longtask-operator"
STAY = {"CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
KEPT = '  {{- with include "longtask-operator.keep" . }}\n  {{- . | nindent 2 }}\n  {{- end }}\n'


def documents() -> list[tuple[str, str]]:
    """Kind and text of every object of the chart; a file may hold several."""
    files = sorted((CHART / "templates").rglob("*.yaml"))
    texts = [text for file in files for text in re.split(r"^---$", file.read_text(), flags=re.MULTILINE)]
    return [(found[1], text) for text in texts if (found := re.search(r"^kind: (\w+)$", text, re.MULTILINE))]


def test_every_kind_that_must_stay_is_in_the_chart() -> None:
    """Else the next test would look at nothing."""
    assert {kind for kind, _ in documents()} >= STAY


@pytest.mark.parametrize(("kind", "text"), documents(), ids=[kind for kind, _ in documents()])
def test_the_resource_its_policies_and_the_workers_role_stay_and_nothing_else(kind: str, text: str) -> None:
    must_stay = kind in STAY or (kind == "ClusterRole" and re.search(r"^  name: longtask-worker$", text, re.MULTILINE))

    assert (KEPT in text) is bool(must_stay)


def test_to_keep_is_what_helm_calls_keep_and_the_default() -> None:
    helpers = (CHART / "templates/_helpers.tpl").read_text()
    keep = helpers.partition('{{- define "longtask-operator.keep" -}}')[2].partition("{{- define")[0]

    assert "{{- if .Values.crds.keep -}}\nannotations:\n  helm.sh/resource-policy: keep\n{{- end }}" in keep
    assert yaml.safe_load((CHART / "values.yaml").read_text())["crds"] == {"install": True, "keep": True}
