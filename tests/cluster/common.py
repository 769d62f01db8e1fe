"""What every part needs: talking to the person, running programs, waiting for a condition.

Knows nothing of Kubernetes.
"""

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path


class ClusterError(Exception):
    """Something a person can act on; shown without a traceback."""


def say(text: str) -> None:
    """Tell the person what happens, at once and on stderr: stdout belongs to a command's result."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a step and, when it took longer than a second, how long it took."""
    say(text)
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    if seconds > 1:
        say(f"  done in {seconds:.0f} s")


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    cwd: Path | None = None,
    seconds: float | None = None,
) -> str:
    """Run a program to its end and return its stdout.

    `env` is added to this process's environment; `seconds` bounds the run.
    Raises ClusterError with the program's own words when it fails, is missing, or takes too long.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            env={**os.environ, **(env or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            cwd=cwd,
            timeout=seconds,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        reason = "it is not installed" if isinstance(error, FileNotFoundError) and cwd is None else str(error)
        raise ClusterError(f"{words[0]} could not be run: {reason}") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{' '.join(words)}: no end after {seconds} s") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-4000:]
        raise ClusterError(f"{' '.join(words)[:300]}\nended with {done.returncode}:\n{said}")
    return done.stdout


def succeeds(command: Sequence[str | Path], *, seconds: float = 20) -> bool:
    """Whether a program is there and ends well in time."""
    try:
        run(command, seconds=seconds)
    except ClusterError:
        return False
    return True


def wait_for(what: str, condition: Callable[[], bool], *, seconds: float, hint: Callable[[], str] = lambda: "") -> None:
    """Wait until `condition` holds; raise ClusterError naming `what`, with `hint()`, when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not so after {seconds:.0f} s\n{hint()}".rstrip())
        time.sleep(0.1)  # noqa: TID251 - the one place that polls


def write(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file as a whole or not at all, so that an interruption leaves no half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_text(text)
    half.chmod(mode)
    half.replace(path)


def digest(parts: Iterable[str | bytes | Path]) -> str:
    """Hash strings and the contents of files, in the given order; 16 hex digits."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two commands do not build or change one cluster at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another tests.cluster command to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
