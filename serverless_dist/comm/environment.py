"""What `MPI` says about this process: versions, threads, time, and its life.

A rank is initialised before its script starts and finalised when it ends; the calls
are there for scripts that make them.
"""

import platform
import threading
import time
from importlib.metadata import version

from serverless_dist.comm.constants import SUBVERSION, THREAD_MULTIPLE, VERSION
from serverless_dist.comm.data.memory import (
    BUFFER_AUTOMATIC,
    BufferAutomaticType,
    buffer,
)
from serverless_dist.comm.engine.operations import Operation
from serverless_dist.comm.exceptions import ERR_BUFFER, ERR_OTHER, MPIError
from serverless_dist.comm.place import here
from serverless_dist.comm.refused import refuse
from serverless_dist.comm.request import Request

_ONE_JOB = "there are no ports, only the ranks of one job"


class Environment:
    """The life of this process, and the buffer that it has attached.

    Sends are buffered whatever is attached: the buffer is only kept and given back.
    """

    def __init__(self) -> None:
        self._is_finalized = False
        self._buffer: buffer | BufferAutomaticType | None = None

    def Init(self) -> None:
        """Do nothing: the process is initialised."""
        self.Init_thread()

    def Init_thread(self, required: int = THREAD_MULTIPLE) -> int:
        """Return the level of thread support, which is the highest."""
        del required
        if self._is_finalized:
            msg = "MPI was finalized in this process: it cannot be initialised again"
            raise MPIError(ERR_OTHER, msg)
        return THREAD_MULTIPLE

    def Finalize(self) -> None:
        """Say that this process will communicate no more."""
        self._is_finalized = True

    def Is_initialized(self) -> bool:
        """Return True."""
        return True

    def Is_finalized(self) -> bool:
        """Return whether `Finalize` was called."""
        return self._is_finalized

    def Attach_buffer(self, buf: object) -> None:
        """Keep a buffer for buffered sends."""
        if self._buffer is not None:
            msg = "a buffer is attached already: detach it first"
            raise MPIError(ERR_BUFFER, msg)
        if buf is None or isinstance(buf, BufferAutomaticType):
            self._buffer = BUFFER_AUTOMATIC
            return
        attached = buffer.frombuffer(buf)
        if attached.readonly:
            msg = "a buffer to attach has to be writable"
            raise BufferError(msg)
        self._buffer = attached

    def Detach_buffer(self) -> "buffer | BufferAutomaticType | None":
        """Give the attached buffer back, or None."""
        attached, self._buffer = self._buffer, None
        return attached

    def Flush_buffer(self) -> None:
        """Do nothing: every message is on its way."""

    def Iflush_buffer(self) -> Request:
        """Return a request that is done: every message is on its way."""
        return Request.of(Operation())


ENVIRONMENT = Environment()
"""This process's: a script asks for it by the name of a module."""

Init = ENVIRONMENT.Init
Init_thread = ENVIRONMENT.Init_thread
Finalize = ENVIRONMENT.Finalize
Is_initialized = ENVIRONMENT.Is_initialized
Is_finalized = ENVIRONMENT.Is_finalized
Attach_buffer = ENVIRONMENT.Attach_buffer
Detach_buffer = ENVIRONMENT.Detach_buffer
Flush_buffer = ENVIRONMENT.Flush_buffer
Iflush_buffer = ENVIRONMENT.Iflush_buffer


def Query_thread() -> int:
    """Return the level of thread support: any thread may communicate at any time."""
    return THREAD_MULTIPLE


def Is_thread_main() -> bool:
    """Return whether this is the main thread."""
    return threading.current_thread() is threading.main_thread()


def Get_version() -> tuple[int, int]:
    """Return the version of the MPI standard whose surface this is."""
    return VERSION, SUBVERSION


def Get_library_version() -> str:
    """Return the name and version of this library."""
    name, numbers = get_vendor()
    return f"{name} {'.'.join(map(str, numbers))}"


def get_vendor() -> tuple[str, tuple[int, int, int]]:
    """Return the name of this library and its version."""
    major, minor, micro = (int(part) for part in version("serverless_dist").split("."))
    return "serverless_dist", (major, minor, micro)


def Get_processor_name() -> str:
    """Return the name of the machine."""
    return platform.node()


def Wtime() -> float:
    """Return the time in seconds from an arbitrary point in the past."""
    return here().clock()


def Wtick() -> float:
    """Return the seconds between two ticks of `Wtime`."""
    return time.get_clock_info("perf_counter").resolution


def Pcontrol(level: int) -> None:
    """Do nothing: there is no profiler to be told."""
    del level


def Open_port(*args: object, **kwargs: object) -> str:
    """Not available: the ranks of a job are those it was started with."""
    refuse("Open_port", _ONE_JOB)


def Close_port(*args: object, **kwargs: object) -> None:
    """Not available: see `Open_port`."""
    refuse("Close_port", _ONE_JOB)


def Publish_name(*args: object, **kwargs: object) -> None:
    """Not available: see `Open_port`."""
    refuse("Publish_name", _ONE_JOB)


def Unpublish_name(*args: object, **kwargs: object) -> None:
    """Not available: see `Open_port`."""
    refuse("Unpublish_name", _ONE_JOB)


def Lookup_name(*args: object, **kwargs: object) -> str:
    """Not available: see `Open_port`."""
    refuse("Lookup_name", _ONE_JOB)


def Register_datarep(*args: object, **kwargs: object) -> None:
    """Not available: there are no files."""
    refuse("Register_datarep", "there are no files")
