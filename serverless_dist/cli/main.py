"""Read the command line, run the command, and turn errors into exit codes.

0: done. 1: something failed. 2: the caller's mistake. 130: interrupted by Ctrl-C,
143: by SIGTERM. Any other: what a rank has left with, by `sys.exit` or `Abort`. Errors
are one sentence on standard error; ``--debug`` adds the traceback.

Only the module of the command that is given is imported: ranks start sooner without
those of the others.
"""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from types import FrameType

from serverless_dist.comm.abort import exit_code
from serverless_dist.errors import RankError, ServerlessDistError, UsageError

_FAILED, _USAGE, _INTERRUPTED = 1, 2, 130
_COMMANDS = {
    "infer": ("infer", "run the Sparse DNN Graph Challenge on ranks"),
    "run": ("script", "run a Python script as ranks"),
    "deploy": ("deploy", "make on AWS what jobs run on, or change it"),
    "status": ("status", "say what there is of a deployment, and who uses it"),
    "logs": ("logs", "print what the ranks of a job on AWS have printed"),
    "doctor": ("doctor", "find out whether jobs can run on AWS, and what to do"),
    "policy": ("policy", "print what a user has to be allowed on AWS"),
    "destroy": ("destroy", "remove a deployment from AWS"),
    "prices": ("prices", "print what AWS takes, or fetch its price lists"),
    "simulate": ("simulate", "run a script on a simulated AWS, in virtual time"),
    "report": ("report", "show what a run took, or a plan, from its file"),
    "calibrate": ("calibrate", "measure how long a cloud takes, for simulations"),
    "plan": ("plan", "say what something would take on AWS, and which way is best"),
    "algorithms": ("algorithms", "say what each algorithm of a collective would take"),
}
"""The module of each command, whose `set_up` gives a parser its options, and its help.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``serverless-dist`` with these arguments; return the exit code."""
    _open_standard_descriptors()
    given = sys.argv[1:] if arguments is None else arguments
    options = argparse.Namespace(debug="--debug" in given)
    try:
        options = _parser(given).parse_args(given)
        with _ended_by_signals():
            options.command(options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (ServerlessDistError, OSError) as error:
        if options.debug:
            traceback.print_exc()
        print(f"serverless-dist: error: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(f"serverless-dist: {note}", file=sys.stderr)
        return _exit_code(error)
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        kind = type(error).__name__
        print(
            f"serverless-dist: a bug: {kind}: {error}; --debug shows where",
            file=sys.stderr,
        )
        return _FAILED
    return 0


def _exit_code(error: Exception) -> int:
    if isinstance(error, UsageError):
        return _USAGE
    cause = error.__cause__
    if isinstance(error, RankError) and isinstance(cause, SystemExit):
        return exit_code(cause.code) if isinstance(cause.code, int) else _FAILED
    return _FAILED


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser that knows all commands, and the options of the one given."""
    parser = argparse.ArgumentParser(
        prog="serverless-dist",
        description=(
            "Remote tasks and MPI-like ranks on serverless functions, queues and"
            " objects."
        ),
        epilog="serverless-dist COMMAND --help shows the options of a command.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version('serverless_dist')}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, summary) in _COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if name in arguments[:1]:
            import_module(f"serverless_dist.cli.{module}").set_up(command)
    return parser


def _open_standard_descriptors() -> None:
    """Point standard descriptors that are closed at nothing.

    Otherwise the next file or socket would become what the ranks print to.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor < 3:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack, so that nothing is left running."""

    def leave(number: int, frame: FrameType | None) -> None:
        del frame
        sys.exit(128 + number)

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # cleaning up takes a second
        signal.default_int_handler(number, frame)

    handlers = {signal.SIGTERM: leave, signal.SIGHUP: leave}
    # Who started us with SIGINT ignored, as a shell does in the background, meant it.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        handlers[signal.SIGINT] = interrupt
    before = {n: signal.signal(n, handler) for n, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
