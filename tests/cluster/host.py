"""What the local cluster needs on the host, and asking before it is installed."""

import os
import shutil
import sys
from pathlib import Path

from tests.cluster.common import ClusterError, run, say, step

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


def prepare() -> None:
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
        "  (250 MB with what they depend on; a containerd service they bring is not used, and not started by us)\n"
        f"Everything else stays below {Path.cwd() / '.cluster'}, in its own network and mount namespace."
    )
    _consent()
    with step("installing packages (half a minute)"):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], env=quiet, seconds=600)
        run(["apt-get", "install", "--yes", "-qq", "--no-install-recommends", *packages], env=quiet, seconds=1200)
    if missing():
        raise ClusterError(f"still missing after the installation: {', '.join(missing())}")


def _consent() -> None:
    if os.environ.get("CI") or os.environ.get("LONGTASK_CLUSTER") == "local":
        return
    if not sys.stdin.isatty():
        raise ClusterError("not installed: nobody to ask. Set LONGTASK_CLUSTER=local (or CI=1) to agree beforehand")
    if input("Install them? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise ClusterError("not installed, as you wish")
