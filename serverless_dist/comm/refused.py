"""What there is not of MPI: windows, files, sessions, processes that join later.

The names exist, and null handles, so that scripts that only mention them run; a call
raises a `NotImplementedError` that says what is missing.
"""

from typing import Any, NoReturn

from serverless_dist.comm.handle import Handle


def refuse(call: str, why: str) -> NoReturn:
    """Raise the error of a call that there is not."""
    msg = f"{call}: {why}"
    raise NotImplementedError(msg)


def refuse_partitions(call: str) -> NoReturn:
    """Raise the error of a call on parts of a message."""
    refuse(call, "there is no partitioned communication, use several messages")


class Unavailable:
    """Mixed into communicators: what none of them can do."""

    __slots__ = ()

    def Attach_buffer(self, buf: Any) -> None:
        """Not available: it came with MPI 4.1; sends are buffered in any case."""
        _refuse_buffer("Attach_buffer")

    def Detach_buffer(self) -> Any:
        """Not available: see `Attach_buffer`."""
        _refuse_buffer("Detach_buffer")

    def Flush_buffer(self) -> None:
        """Not available: see `Attach_buffer`."""
        _refuse_buffer("Flush_buffer")

    def Iflush_buffer(self) -> Any:
        """Not available: see `Attach_buffer`."""
        _refuse_buffer("Iflush_buffer")

    @classmethod
    def Join(cls, fd: int) -> Any:
        """Not available: the ranks of a job are those it was started with."""
        _refuse_processes("Join")

    def Spawn(self, *args: Any, **kwargs: Any) -> Any:
        """Not available: the ranks of a job are those it was started with."""
        _refuse_processes("Spawn")

    def Spawn_multiple(self, *args: Any, **kwargs: Any) -> Any:
        """Not available: the ranks of a job are those it was started with."""
        _refuse_processes("Spawn_multiple")

    def Accept(self, *args: Any, **kwargs: Any) -> Any:
        """Not available: the ranks of a job are those it was started with."""
        _refuse_processes("Accept")

    def Connect(self, *args: Any, **kwargs: Any) -> Any:
        """Not available: the ranks of a job are those it was started with."""
        _refuse_processes("Connect")

    @classmethod
    def Create_from_group(cls, *args: Any, **kwargs: Any) -> Any:
        """Not available: it came with sessions; use `Create_group`."""
        refuse("Create_from_group", "there are no sessions, use Create_group")

    @classmethod
    def Create_from_groups(cls, *args: Any, **kwargs: Any) -> Any:
        """Not available: it came with sessions; use `Intracomm.Create_intercomm`."""
        refuse("Create_from_groups", "there are no sessions, use Create_intercomm")

    def Psend_init(self, *args: Any, **kwargs: Any) -> Any:
        """Not available: there is no partitioned communication."""
        refuse_partitions("Psend_init")

    def Precv_init(self, *args: Any, **kwargs: Any) -> Any:
        """Not available: there is no partitioned communication."""
        refuse_partitions("Precv_init")


class Win(Handle):
    """One-sided communication, which is not available; always null."""

    __slots__ = ()

    @classmethod
    def Create(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Not available: there is no one-sided communication."""
        refuse("Win.Create", "there is no one-sided communication, use messages")

    Allocate = Allocate_shared = Create_dynamic = Create


class File(Handle):
    """Files of MPI, which are not available; always null."""

    __slots__ = ()

    @classmethod
    def Open(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Not available: there are no files of MPI."""
        refuse("File.Open", "there is no MPI-IO, use Python's files or objects")

    Delete = Open


class Session(Handle):
    """Sessions, which are not available; always null."""

    __slots__ = ()

    @classmethod
    def Init(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Not available: a process is one rank of one job."""
        refuse("Session.Init", "there are no sessions, use COMM_WORLD")


WIN_NULL = Win._wrap(None, "WIN_NULL")
FILE_NULL = File._wrap(None, "FILE_NULL")
SESSION_NULL = Session._wrap(None, "SESSION_NULL")


def _refuse_buffer(call: str) -> NoReturn:
    refuse(call, f"sends are buffered without it, or use MPI.{call}")


def _refuse_processes(call: str) -> NoReturn:
    refuse(call, "the ranks of a job are those that it was started with")
