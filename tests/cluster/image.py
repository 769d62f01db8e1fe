"""The image `longtask:dev`: built when its sources changed, and loaded where it is missing.

How it is built is `builders`' affair; which nodes it has to reach, the cluster's.
"""

import shutil
import tempfile
from pathlib import Path

from tests.cluster import builders
from tests.cluster.base import IMAGE, Cluster
from tests.cluster.common import digest, say, step, write
from tests.cluster.settings import Settings


def load(cluster: Cluster) -> None:
    """Bring `longtask:dev` of the present sources onto the cluster's nodes; nothing happens when it is there."""
    settings = cluster.settings
    wanted = fingerprint(settings)
    archive = settings.home / "image" / f"{wanted}.tar"
    if not archive.exists():
        with step(f"building {IMAGE} (2 minutes the first time on a machine, then seconds)"):
            _build(settings, archive)
    if loaded(settings) == wanted and cluster.has_image():
        say(f"{IMAGE} is current")
        return
    with step(f"loading {IMAGE} into the cluster"):
        cluster.load_image(archive)
    write(settings.run / "image", wanted)


def fingerprint(settings: Settings) -> str:
    """A hash of every file that the image is made of, names included."""
    repo = settings.repo
    single = [repo / name for name in ("Containerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")]
    code = [path for path in sorted((repo / "operator").rglob("*")) if path.is_file()]
    files = [*single, *(path for path in code if "__pycache__" not in path.parts)]
    return digest(part for path in files for part in (str(path.relative_to(repo)), path))


def loaded(settings: Settings) -> str:
    """The fingerprint of what was loaded last; empty when nothing was."""
    try:
        return (settings.run / "image").read_text()
    except OSError:
        return ""


def _build(settings: Settings, archive: Path) -> None:
    shutil.rmtree(archive.parent, ignore_errors=True)  # images of earlier sources
    archive.parent.mkdir(parents=True)
    half = archive.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="longtask-") as folder:
        builders.build(settings, Path(folder), half)
    half.replace(archive)
