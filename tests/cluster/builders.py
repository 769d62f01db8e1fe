"""Building the Containerfile: with Docker or Podman where one answers, else with buildah.

The engines start from the official Python image. buildah starts from a base of Debian packages, made here once, and
keeps that and its layers in a cache outside the clone. Both run in mount namespaces of their own: they leave mounts.
"""

import ast
import json
import os
import platform
import shutil
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.base import IMAGE
from tests.cluster.common import digest, exclusive, run, step, succeeds, write
from tests.cluster.settings import Settings

ENGINES = ("docker", "podman")
PACKAGES = "python3,python3-venv,ca-certificates"
LEAN = tuple(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale"))
WAYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
"""pip's settings that say how packages are reached."""
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def engine() -> str | None:
    """The container engine that answers; `docker` may be a client without one."""
    return next((name for name in ENGINES if succeeds([name, "info"])), None)


def build(settings: Settings, scratch: Path, archive: Path) -> None:
    """Write the image as a Docker archive; `scratch` is an empty folder for the time of the build."""
    program = engine()
    if program is None:
        _buildah(settings, scratch, archive)
        return
    proxies = [f"--build-arg={name}" for name in PROXIES if name in os.environ]
    name = f"docker.io/library/{IMAGE}"  # the whole name, or Podman puts `localhost` before it and no node finds it
    options = [f"--tag={name}", *proxies, *secrets(scratch)]
    run([program, "build", "--file=Containerfile", *options, "."], cwd=settings.repo, seconds=1800)
    run([program, "save", f"--output={archive}", name], seconds=300)


def build_packages(settings: Settings, packages: Sequence[str], name: str, scratch: Path, archive: Path) -> None:
    """Write an image of Debian's packages, and nothing else, as a Docker archive; `scratch`: as above."""
    program = engine()
    if program is None:
        with exclusive(settings.cache / "lock"):
            image = _debian(settings, ",".join(packages))
            _run_buildah(settings, ["push", "--quiet", image, f"docker-archive:{archive}:{name}"], seconds=300)
        return
    install = "apt-get update && apt-get install --yes --no-install-recommends"
    write(scratch / "Containerfile", f"FROM docker.io/library/debian:stable-slim\nRUN {install} {' '.join(packages)}\n")
    whole = f"docker.io/library/{name}"
    proxies = [f"--build-arg={proxy}" for proxy in PROXIES if proxy in os.environ]
    run([program, "build", "--file=Containerfile", f"--tag={whole}", *proxies, "."], cwd=scratch, seconds=600)
    run([program, "save", f"--output={archive}", whole], seconds=300)


def secrets(folder: Path) -> list[str]:
    """Options that lend a build the host's way to a package index: pip's settings, the authorities it trusts."""
    lines = [f"{name} = {value}" for name, value in pip_settings(_pip_config()).items()]
    options = [f"--secret=id=pip,src={folder / 'pip.conf'}"]
    authorities = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile
    if authorities and Path(authorities).is_file():
        options.append(f"--secret=id=ca,src={authorities}")
        lines.append("cert = /run/secrets/ca")
    write(folder / "pip.conf", "\n".join(["[global]", *lines, ""]), mode=0o600)
    return options


def pip_settings(listing: str) -> dict[str, str]:
    """Read `pip config list`: lines like `global.index-url='https://...'`; the environment's come first and win."""
    found: dict[str, str] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in WAYS and name not in found:
            found[name] = " ".join(str(ast.literal_eval(value)).split())
    return found


def _pip_config() -> str:
    command = [sys.executable, "-m", "pip", "config", "list"]
    return run(command) if succeeds(command) else ""


def _buildah(settings: Settings, scratch: Path, archive: Path) -> None:
    """Build with the cache that every clone of this machine shares: one at a time, and rid of what was interrupted."""
    with exclusive(settings.cache / "lock"):
        _run_buildah(settings, ["rm", "--all"])
        base = _debian(settings, PACKAGES)
        common = ["bud", "--quiet", "--isolation=chroot", "--layers", "--file=Containerfile", f"--tag={IMAGE}"]
        options = [f"--build-arg=BASE={base}", *secrets(scratch)]
        _run_buildah(settings, [*common, *options, str(settings.repo)], seconds=1800)
        _run_buildah(settings, ["push", "--quiet", IMAGE, f"docker-archive:{archive}:{IMAGE}"], seconds=300)


def _debian(settings: Settings, packages: str) -> str:
    """The name in buildah's store of an image of these packages; made when it is missing."""
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    name = f"localhost/longtask-base:{digest([suite, packages, *LEAN])}"
    images = json.loads(_run_buildah(settings, ["images", "--json"]) or "[]")
    if any(name in (image.get("names") or []) for image in images):
        return name
    folder = settings.cache / "base"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "scratch").mkdir(parents=True)
    with step("making an image of Debian packages (a minute, once on a machine)"):
        options = ["--mode=root", "--variant=minbase", f"--include={packages}", *LEAN]
        command = ["unshare", "--mount", "mmdebstrap", "--quiet", *options, suite, f"{folder}/base.tar"]
        run(command, env={"TMPDIR": str(folder / "scratch")}, seconds=1200)
        write(folder / "Containerfile", "FROM scratch\nADD base.tar /\n")
        _run_buildah(settings, ["bud", "--quiet", f"--tag={name}", str(folder)], seconds=600)
        shutil.rmtree(folder)
    return name


def _run_buildah(settings: Settings, words: list[str], seconds: float = 60) -> str:
    store = settings.cache / "buildah"
    store.mkdir(parents=True, exist_ok=True)
    command = ["unshare", "--mount", "buildah", f"--root={store}/root", f"--runroot={store}/run", *words]
    return run(command, seconds=seconds)
