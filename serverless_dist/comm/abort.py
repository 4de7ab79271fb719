"""How this process ends its whole job at once, as `Comm.Abort` asks for.

Whoever starts a rank sets it once, before user code runs. A process that nobody started
as a rank is a job of its own and ends only itself.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from serverless_dist.comm.place import here

Abort = Callable[[int], NoReturn]


def exit_code(code: int) -> int:
    """Return `code` if a process can fail with it, else 1.

    >>> exit_code(5), exit_code(0), exit_code(-1), exit_code(256)
    (5, 1, 1, 1)
    """
    return code if 1 <= code <= 255 else 1


def end_process(code: int) -> NoReturn:
    """End this process whatever its threads do; what was printed is not lost."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed, or nobody reads it
            stream.flush()
    os._exit(exit_code(code))


def set_abort(abort: Abort) -> None:
    """Have `abort` end the job that the rank here is part of."""
    here().abort = abort


def abort(code: int) -> NoReturn:
    """End all ranks of the job, from any thread; the job's exit code is `code`."""
    end: Abort = here().abort or end_process
    end(code)
