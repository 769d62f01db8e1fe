"""The CRD: once for kubectl, once for the chart, which adds its labels and switches."""

from __future__ import annotations

from typing import Final

from longtask.api import names
from longtask.api.crd import custom_resource_definition
from tests.generate.registry import header, to_yaml

SOURCE: Final = "operator/longtask/api"
CRD_FILE: Final = f"crds/{names.CRD_NAME}.yaml"
CHART_FILE: Final = f"charts/longtask-operator/templates/crds/{names.CRD_NAME}.yaml"

_CHART_HEAD: Final = """\
{{- if .Values.crds.install }}
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %s
  labels:
    {{- include "longtask-operator.labels" . | nindent 4 }}
  {{- with include "longtask-operator.keep" . }}
  {{- . | nindent 2 }}
  {{- end }}
"""


def files() -> dict[str, str]:
    """Return both copies. Raises ValueError when the schema holds what Helm would take for a template."""
    crd = custom_resource_definition()
    spec = to_yaml({"spec": crd["spec"]})
    if "{{" in spec:
        raise ValueError("the CRD must not hold '{{': Helm would take it for a template")
    return {
        CRD_FILE: header(SOURCE) + to_yaml(crd),
        CHART_FILE: header(SOURCE) + _CHART_HEAD % names.CRD_NAME + spec + "{{- end }}\n",
    }
