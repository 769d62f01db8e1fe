"""The image `longtask-foreign:dev`: programs that know nothing of LongTask, for the tests that wrap them.

They come as Debian packages them: that nobody has changed them for us is what those tests are about.
"""

import shutil
import tempfile
from pathlib import Path

from tests.cluster import builders
from tests.cluster.base import Cluster
from tests.cluster.common import digest, say, step

IMAGE = "longtask-foreign:dev"
PACKAGES = ("gddrescue",)


def load(cluster: Cluster) -> None:
    """Bring it onto the cluster's nodes; nothing happens when it is there."""
    settings = cluster.settings
    archive = settings.home / "foreign" / f"{digest(PACKAGES)}.tar"
    if not archive.exists():
        with step(f"building {IMAGE} (a minute the first time on a machine, then seconds)"):
            shutil.rmtree(archive.parent, ignore_errors=True)
            archive.parent.mkdir(parents=True)
            half = archive.with_suffix(".new")
            with tempfile.TemporaryDirectory(prefix="longtask-") as folder:
                builders.build_packages(settings, PACKAGES, IMAGE, Path(folder), half)
            half.replace(archive)
    if cluster.has_image(IMAGE):
        say(f"{IMAGE} is there")
        return
    with step(f"loading {IMAGE} into the cluster"):
        cluster.load_image(archive, IMAGE)
