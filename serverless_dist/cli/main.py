"""Read the command line, run the command, and turn errors into exit codes.

0: done. 1: something failed. 2: the caller's mistake. 130: interrupted by Ctrl-C,
143: by SIGTERM. Any other: what a rank has left with, by `sys.exit` or `Abort`. Errors
are one sentence on standard error; ``--debug`` adds the traceback.
"""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from serverless_dist.cli import algorithms, infer, script
from serverless_dist.comm.abort import exit_code
from serverless_dist.errors import RankError, ServerlessDistError, UsageError

_FAILED, _USAGE, _INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``serverless-dist`` with these arguments; return the exit code."""
    _open_standard_descriptors()
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        with _ended_by_signals():
            options.command(options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (ServerlessDistError, OSError) as error:
        if options.debug:
            traceback.print_exc()
        print(f"serverless-dist: error: {error}", file=sys.stderr)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="serverless-dist",
        description="MPI-like ranks on serverless functions, queues and objects.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    infer.add_command(commands)
    script.add_command(commands)
    algorithms.add_command(commands)
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
