"""`manifests/`: what the chart installs with its default values, for kubectl and kustomize."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from longtask.api import names
from tests.generate.generators import crd
from tests.generate.helm import render
from tests.generate.registry import ROOT, header, to_yaml

CHART: Final = "charts/longtask-operator"

# Lines that speak of Helm, and would be wrong without it.
_HELM_ONLY: Final = re.compile(r"^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by|# Source):.*\n", re.MULTILINE)

_NAMESPACE: Final = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": names.OPERATOR_NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    },
}

_KUSTOMIZATION: Final = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
    "resources": ["install.yaml"],
}


def files() -> dict[str, str]:
    """Return the manifests. Raises RuntimeError when Helm is missing or can't render the chart."""
    with tempfile.TemporaryDirectory() as folder:
        # The chart as it will be, which is not always the chart on disk: its CRD is generated too.
        chart = Path(folder) / "chart"
        shutil.copytree(ROOT / CHART, chart)
        for path, content in crd.files().items():
            if path.startswith(CHART):
                (chart / path.removeprefix(f"{CHART}/")).parent.mkdir(parents=True, exist_ok=True)
                (chart / path.removeprefix(f"{CHART}/")).write_text(content)
        rendered = render(chart, "--set", "crds.keep=false")
    rendered = _HELM_ONLY.sub("", rendered)
    rendered = rendered.replace(header(crd.SOURCE), "")
    return {
        "manifests/install.yaml": header(CHART) + to_yaml(_NAMESPACE) + rendered,
        "manifests/kustomization.yaml": header("tests/generate") + to_yaml(_KUSTOMIZATION),
    }
