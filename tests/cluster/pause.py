"""The image of a pod's sandbox, made here because there may be no registry to pull one from."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from tests.cluster.configs import PAUSE_IMAGE

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What images call the machines that Linux calls otherwise."""


def archive(busybox: Path, target: Path) -> None:
    """Write a Docker archive with one static program that sleeps until it is killed."""
    layer = _tar({"bin/busybox": busybox.read_bytes()}, 0o755)
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": ["/bin/busybox", "sleep", "infinity"], "User": "65535"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]).encode()
    target.write_bytes(_tar({name: config, "layer.tar": layer, "manifest.json": manifest}, 0o644))


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = mode
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
