"""The hands that carry a script out: each act at its time, and a record of what came of it.

Three tracks run side by side. Outages keep their order and their calm times: when a component takes long to come back,
all later ones wait as much longer. Strikes and wishes come when they come. Who finds the API server away tries again,
as people do. It must not know what the tasks should make of it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from tests.chaos.script import OPERATOR, Act, Script
from tests.cluster.api import Cluster, ClusterError
from tests.e2e.support.client import MERGE, Api, ApiError, Body, UnavailableError
from tests.e2e.support.outage import NAMESPACE, operator_pods
from tests.e2e.support.watch_verdicts import ENDED, TASK_UID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.chaos.observer import Observer
    from tests.chaos.script import Verb

T = TypeVar("T")

PATIENCE: Final = 120.0  # seconds for which a user tries again
SLOWEST: Final = 240.0  # seconds until a component is well again after its start, on a very busy machine
CHANCE: Final = 15.0  # seconds for which a fault waits for somebody whom it can hit
AGAIN: Final = 0.5  # seconds between two tries
NOBODY: Final = "nobody was there"


@dataclass(frozen=True, kw_only=True)
class Deed:
    """An act that was carried out: when, in seconds since the epoch, and what came of it. `pod`: UID of who was hit."""

    act: Act
    begun: float
    ended: float
    words: str = ""
    pod: str = ""


def persist(call: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """Try again until it works: an API server that is away, or has just come back, refuses all kinds of things."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except (ApiError, UnavailableError, ClusterError):
            if time.monotonic() > deadline:
                raise
        pause(AGAIN)


def pause(seconds: float) -> None:
    """Let time pass: an outage lasts, whatever anybody waits for."""
    threading.Event().wait(seconds)


@dataclass
class Hands:
    """Carries out acts on one cluster and the tasks of one namespace. `tasks`: UIDs by name."""

    api: Api
    parts: Cluster
    namespace: str
    observer: Observer
    tasks: dict[str, str]
    deeds: list[Deed] = field(default_factory=list)
    _runtime: threading.Lock = field(default_factory=threading.Lock)
    """Containers can be reached only while their containerd is there."""
    _last_operators: list[Body] = field(default_factory=list)

    def play(self, script: Script) -> None:
        """Carry all of it out, and return when the last act has ended."""
        begun = time.monotonic()
        with ThreadPoolExecutor(max_workers=8) as pool:
            tracks = [
                pool.submit(self._in_turn, script.outages(), self._outage, begun, calm=True),
                pool.submit(self._in_turn, script.wishes(), self._wish, begun),
                *(pool.submit(self._in_turn, [act], self._strike, begun) for act in script.strikes()),
            ]
        for track in tracks:
            track.result()

    def hit(self, verb: Verb) -> frozenset[str]:
        """UIDs of the pods to which that was done."""
        return frozenset(deed.pod for deed in self.deeds if deed.pod and deed.act.verb == verb)

    def _in_turn(
        self, acts: Iterable[Act], do: Callable[[Act], tuple[str, str]], begun: float, *, calm: bool = False
    ) -> None:
        late = 0.0
        for act in acts:
            pause(max(0.0, begun + act.at + late - time.monotonic()))
            at, pod = time.time(), ""
            try:
                words, pod = do(act)
            except (ApiError, UnavailableError, ClusterError) as error:
                words = f"in vain: {error}"
            self.deeds.append(Deed(act=act, begun=at, ended=time.time(), words=words, pod=pod))
            if calm:
                late = max(late, time.monotonic() - begun - act.ends)

    # --- Outages: what they do to components ---

    def _outage(self, act: Act) -> tuple[str, str]:
        guard = self._runtime if act.target.startswith("containerd-") else contextlib.nullcontext()
        with guard:
            if act.verb == "freeze":
                with self.parts.frozen(act.target):
                    pause(act.seconds)
            else:
                self.parts.kill(act.target)
                pause(act.seconds)
                persist(lambda: self.parts.start(act.target), seconds=SLOWEST)
        return "", ""

    # --- Strikes: what they do to containers ---

    def _strike(self, act: Act) -> tuple[str, str]:
        """Hit whoever is at work; where nobody is, somebody may be in a moment."""
        deadline = time.monotonic() + CHANCE
        while (pod := self._hit(act)) is None:
            if time.monotonic() > deadline:
                return NOBODY, ""
            pause(AGAIN)
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        if act.verb == "freeze":
            pause(act.seconds)
            with contextlib.suppress(ClusterError):  # somebody has ended it meanwhile
                self._signal(uid, act, "CONT")
        elif act.target == OPERATOR:  # without its pod, the next one starts at once and not after a back-off
            persist(lambda: self.api.delete("Pod", name, NAMESPACE, grace_seconds=0))
        return name, uid

    def _hit(self, act: Act) -> Body | None:
        """Send the signal to the first that gets it; returns its pod."""
        for pod in self._operators() if act.target == OPERATOR else filter(is_at_work, self._active(act.target)):
            with contextlib.suppress(ClusterError):
                self._signal(pod["metadata"]["uid"], act, "KILL" if act.verb == "kill" else "STOP")
                return pod
        return None

    def _signal(self, pod: str, act: Act, signal: str) -> None:
        with self._runtime:
            self.parts.kill_container(pod, OPERATOR if act.target == OPERATOR else "worker", signal)

    def _operators(self) -> list[Body]:
        """The operator's pods; while nobody can be asked, those of the last time."""
        with contextlib.suppress(ApiError, UnavailableError):
            self._last_operators = operator_pods(self.api, NAMESPACE)
        return self._last_operators

    # --- Wishes: what users and administrators ask for ---

    def _wish(self, act: Act) -> tuple[str, str]:
        if act.verb in {"Suspend", "Run"}:
            self.want(act.target, act.verb)
            return "", ""
        pod = next(iter(self._active(act.target)), None)
        if pod is None:
            return NOBODY, ""
        name = pod["metadata"]["name"]
        if act.verb == "delete":
            persist(lambda: self.api.delete("Pod", name, self.namespace))
        else:
            persist(lambda: self._evict(name))
        return name, pod["metadata"]["uid"]

    def want(self, task: str, desired: str) -> None:
        """Change the one field."""
        wish = {"spec": {"desiredState": desired}}
        persist(lambda: self.api.patch("LongTask", task, self.namespace, wish, how=MERGE))

    def _evict(self, name: str) -> None:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        try:
            self.api.request("POST", self.api.path("Pod", name, self.namespace, "eviction"), eviction)
        except ApiError as error:
            if error.status != 404:
                raise

    def _active(self, task: str) -> list[Body]:
        """Pods of a task that have not ended, as the observer knows them: also while the API server is away."""
        pods = self.observer.now("Pod").values()
        mine = [pod for pod in pods if pod["metadata"].get("labels", {}).get(TASK_UID) == self.tasks[task]]
        return [pod for pod in mine if pod["status"].get("phase") not in ENDED]


def is_at_work(pod: Body) -> bool:
    """Whether a container of it runs, also one that is asked to stop."""
    return any("running" in status["state"] for status in pod["status"].get("containerStatuses", []))
