"""The kinds of objects of MPI that there are not: windows, files and sessions.

Their names and null handles exist, so that scripts that only mention them run.
"""

from typing import Any, NoReturn

from serverless_dist.comm.handle import Handle


class Win(Handle):
    """One-sided communication, which is not available; always null."""

    __slots__ = ()

    @classmethod
    def Create(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Not available: there is no one-sided communication."""
        _refuse("Win.Create", "one-sided communication")

    Allocate = Allocate_shared = Create_dynamic = Create


class File(Handle):
    """Files of MPI, which are not available; always null."""

    __slots__ = ()

    @classmethod
    def Open(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Not available: there are no files of MPI."""
        _refuse("File.Open", "MPI-IO")

    Delete = Open


class Session(Handle):
    """Sessions, which are not available; always null."""

    __slots__ = ()

    @classmethod
    def Init(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Not available: a process is one rank of one job."""
        _refuse("Session.Init", "sessions")


WIN_NULL = Win._wrap(None, "WIN_NULL")
FILE_NULL = File._wrap(None, "FILE_NULL")
SESSION_NULL = Session._wrap(None, "SESSION_NULL")


def _refuse(call: str, what: str) -> NoReturn:
    msg = f"{call}: {what} is not available, use messages or collective calls"
    raise NotImplementedError(msg)
