"""The fleets once more, against an operator in the style of kopf's tutorial.

It must not know what makes that operator slower or faster.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

import yaml

from longtask.api import names
from tests.bench.fleet import ALL, measure_fleets
from tests.bench.fleet_contenders import OURS, PHASES, RAW, RIVAL_API, TUTORIAL
from tests.bench.results import Comparison, Judged, Measured, Part, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.plane import Plane

SIZES: Final = {500: 3}
QUICK: Final = {500: 1}

Json = dict[str, Any]


def install(plane: Plane) -> None:
    """Install the rival's resource, which is ours in another group, and an account that may do everything."""
    document = yaml.safe_load((plane.settings.repo / "crds" / "longtasks.longtask.dev.yaml").read_text())
    account, namespace = TUTORIAL.account
    for item in (*_account(account, namespace), resource(document)):
        plane.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(item))
    name = f"{names.PLURAL}.{RIVAL_API.partition('/')[0]}"
    plane.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=60s")


def resource(ours: Json) -> Json:
    """The definition of the same resource in the rival's group."""
    definition = copy.deepcopy(ours)
    group = RIVAL_API.partition("/")[0]
    definition["spec"]["group"] = group
    definition["spec"]["names"] |= {"shortNames": [], "categories": []}
    definition["metadata"]["name"] = f"{names.PLURAL}.{group}"
    return definition


def _account(name: str, namespace: str) -> Iterator[Json]:
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [subject],
    }


def measure(settings: Settings) -> Measured:
    """Measure."""
    sizes = QUICK if settings.quick else SIZES
    series, notes, flags = measure_fleets(settings, sizes, (RAW, OURS, TUTORIAL), prepare=install)
    return Measured(series=tuple(series), flags=flags, notes=tuple(notes))


def _comparisons() -> Iterator[Comparison]:
    for size in SIZES:
        for phase in (ALL, *PHASES):
            for contender, baseline in ((TUTORIAL, RAW), (OURS, TUTORIAL)):
                yield Comparison(
                    title=f"{size:,} at once, {phase}: {contender.name} against {baseline.name}",
                    measure=phase,
                    contender=contender.name,
                    baseline=baseline.name,
                    judged=Judged.RATIO,
                    size=size,
                    checked=contender is OURS,
                )


PART: Final = Part(
    name="rival",
    title="Against an operator in the style of kopf's tutorial",
    about=(
        "The same fleets with the operator that people write today: kopf's handlers of creation and of a changed "
        "field, the official client with its models, events of Jobs and Pods brought to the status. It proves nothing: "
        "its `Suspended` only repeats what the Job says."
    ),
    comparisons=tuple(_comparisons()),
    measure=measure,
)
