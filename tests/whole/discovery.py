"""What the API server says of its resources: as much as kopf asks for."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

_VERBS: Final = ["create", "delete", "get", "list", "patch", "update", "watch"]


def _resource(plural: str, kind: str, *, namespaced: bool = True, **further: object) -> Json:
    return {
        "name": plural,
        "kind": kind,
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "verbs": _VERBS,
        **further,
    }


def _group(name: str, version: str) -> Json:
    known = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [known], "preferredVersion": known}


_ANSWERS: Final[dict[str, Json]] = {
    "/api": {"versions": ["v1"]},
    "/api/v1": {"resources": [_resource("namespaces", "Namespace", namespaced=False), _resource("pods", "Pod")]},
    "/apis": {"groups": [_group("longtask.dev", "v1alpha1"), _group("apiextensions.k8s.io", "v1")]},
    "/apis/longtask.dev/v1alpha1": {"resources": [_resource("longtasks", "LongTask", shortNames=["lt"])]},
    "/apis/apiextensions.k8s.io/v1": {
        "resources": [_resource("customresourcedefinitions", "CustomResourceDefinition", namespaced=False)]
    },
}


def answer(path: str) -> Json | None:
    """What is answered at a path of discovery; None elsewhere."""
    return _ANSWERS.get(path)
