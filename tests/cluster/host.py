"""What the local cluster needs on the host, and asking before it is installed."""

import os
import shutil
import sys
from pathlib import Path

from tests.cluster.common import ClusterError, run, say, step
from tests.cluster.settings import Settings

BUSYBOX = Path("/bin/busybox")
NEEDED = {
    "containerd": ("containerd", "ctr"),
    "runc": ("runc",),
    "containernetworking-plugins": ("/usr/lib/cni/bridge",),
    "iptables": ("iptables",),
    "conntrack": ("conntrack",),
    "iproute2": ("ip",),
    "openssl": ("openssl",),
    "busybox-static": (str(BUSYBOX),),
    "buildah": ("buildah",),
    "mmdebstrap": ("mmdebstrap",),
}
"""Debian packages, and the programs for which they are needed."""


def missing() -> list[str]:
    """Packages of which a program is not there."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [name for name, programs in NEEDED.items() if not all(shutil.which(p, path=path) for p in programs)]


def prepare(settings: Settings) -> None:
    """Install what is missing, after saying so and asking; raises ClusterError where that can't be done."""
    if os.geteuid():
        raise ClusterError("the local cluster needs root (or start Docker, and kind is used instead)")
    packages = missing()
    if not packages:
        return
    if not shutil.which("apt-get"):
        raise ClusterError(f"this is not Debian; please install: {', '.join(packages)}")
    say(
        "The local cluster needs Debian packages that this machine lacks. What will change:\n"
        f"  apt-get install {' '.join(packages)}\n"
        "  (250 MB with what they depend on; a service that containerd's package starts under systemd is not used)\n"
        f"Everything else stays in {settings.home} and, outside the clone, in {settings.cache}. Bridge,\n"
        "iptables rules and mounts are those of network and mount namespaces of the cluster's own, and end with it."
    )
    _consent()
    with step("installing packages (half a minute)"):
        _install(packages)
    if missing():
        raise ClusterError(f"still missing after the installation: {', '.join(missing())}")


def _install(packages: list[str]) -> None:
    """Install, waiting for an installation that still runs, and finishing one that was interrupted."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o=DPkg::Lock::Timeout=300"]
    install = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    run([*apt, "update"], env=quiet, seconds=600)
    try:
        run(install, env=quiet, seconds=1200)
    except ClusterError:
        run(["dpkg", "--configure", "-a"], env=quiet, seconds=600)
        run(install, env=quiet, seconds=1200)


def _consent() -> None:
    if os.environ.get("CI") or os.environ.get("LONGTASK_CLUSTER") == "local":
        return
    if not sys.stdin.isatty():
        raise ClusterError("not installed: nobody to ask. Set LONGTASK_CLUSTER=local (or CI=1) to agree beforehand")
    if input("Install them? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise ClusterError("not installed, as you wish")
