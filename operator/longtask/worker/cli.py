"""The command: `longtask run module:Class`.

Signals come first: PID 1 has no default handling of SIGTERM, so one that arrives before the handler is there is lost.
Until then nothing is imported that can wait, and least of all the user's code, which may take seconds.
"""

from __future__ import annotations

from longtask.worker.signals import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    stop = Stop().install()
    import sys  # noqa: PLC0415 - see above; the same holds for every import below

    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["sidecar"]:
        return _sidecar(words[1:], stop)
    end = words.index("--") if "--" in words else len(words)  # argparse loses its way when options stand before it
    return _run(_parse(words[:end]), words[end + 1 :], stop)


def _parse(arguments: Sequence[str]) -> Namespace:
    import argparse  # noqa: PLC0415

    from longtask import __version__  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="longtask", description="Run long work that can be suspended and goes on.")
    parser.add_argument("--version", action="version", version=f"longtask {__version__}")
    run = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "run",
        usage="%(prog)s [OPTIONS] TARGET [-- ARGS]",
        help="run a task",
        description="Run a task to its end. In a cluster its checkpoints are kept at the API server; elsewhere in a "
        "file: Ctrl-C suspends, and running the same command again goes on. What stands after -- is for the task, as "
        "self.args.",
    )
    run.add_argument("target", metavar="TARGET", help="module:Class or path/file.py:Class, a class that extends Task")
    run.add_argument(
        "--save-every",
        metavar="SECONDS",
        type=_seconds,
        default=10.0,
        help="save so often (default: 10; 0: every batch)",
    )
    run.add_argument(
        "--checkpoint",
        metavar="FILE",
        default="",
        help="outside a cluster: the file (default: ./Class.checkpoint.json)",
    )
    run.add_argument(
        "--restart", action="store_true", help="outside a cluster: begin anew; the old file is kept as .old"
    )
    return parser.parse_args(arguments)


def _sidecar(words: Sequence[str], stop: Stop) -> int:
    """Not in the help: only the operator uses it."""
    if words not in (["restore"], ["save"], ["unpack"]):
        _parse(["sidecar", *words])  # says what there is, and exits
    from longtask.worker.sidecar.command import run  # noqa: PLC0415

    return run(words[0], stop)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


def _run(parsed: Namespace, args: Sequence[str], stop: Stop) -> int:
    import sys  # noqa: PLC0415

    from longtask.worker.connect import connect  # noqa: PLC0415
    from longtask.worker.console import Console, write_error  # noqa: PLC0415
    from longtask.worker.endings import ending_of  # noqa: PLC0415
    from longtask.worker.load import load  # noqa: PLC0415
    from longtask.worker.runner import run  # noqa: PLC0415

    console = Console()
    sys.argv = [parsed.target, *args]
    try:
        name = parsed.target.rpartition(":")[2]
        session, console, control = connect(
            stop, name, save_every=parsed.save_every, checkpoint=parsed.checkpoint, restart=parsed.restart
        )
        task = load(parsed.target)()
    except BaseException as error:  # noqa: BLE001 - the user's module may raise anything, and the exit code is ours
        ending = ending_of(error, stopped=stop.requested)
        write_error(ending.details)
        console.last_words(ending.line, ending.details)
        return ending.code
    task.args = tuple(args)
    task.__dict__["_longtask_control"] = control
    return run(task, session, stop, console)


if __name__ == "__main__":
    raise SystemExit(main())
