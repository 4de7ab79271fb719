"""Every exception of the package.

::

    ServerlessDistError
    ├── UsageError (ValueError)        the caller's mistake: change the call
    │   ├── CredentialsError           no or expired AWS credentials
    │   ├── DataFileError              a file is missing or malformed
    │   ├── comm.MPIError              mpi4py's `MPI.Exception`, with its error code
    │   ├── UnpicklableError           an object cannot travel (names the culprit)
    │   └── VersionMismatchError       a worker has other versions (names both)
    ├── ProtocolError                  a peer broke the rules; never retried
    ├── CloudError                     the cloud refused; ``retryable`` or not
    ├── DeadlineError (TimeoutError)   names rank, peer, tag and how long
    │   └── GetTimeoutError            `get` has waited as long as it was told to
    ├── TaskError                      a remote task has no value; names the task
    │   ├── RemoteError                it raised; also of the class of what it raised
    │   ├── WorkerCrashedError         its worker ended, more often than it may
    │   ├── TaskCancelledError         somebody has cancelled it
    │   ├── TaskTimeoutError (TimeoutError)    it ran longer than it may
    │   ├── ActorDiedError             its actor is gone
    │   ├── ObjectLostError            its value is gone: nobody had a ref of it
    │   └── DeadlockError              it waited for itself
    └── RankError                      a rank failed; carries its number and traceback
        └── RankDiedError              a rank ended without saying why

The command line exits with 2 for a `UsageError` and with 1 for all others.
"""


class ServerlessDistError(Exception):
    """Base of all errors that this package raises on purpose."""


class UsageError(ServerlessDistError, ValueError):
    """The caller asked for something that cannot be: the message says what to do."""


class CredentialsError(UsageError):
    """No usable AWS credentials were found."""


class DataFileError(UsageError):
    """A data file is missing or malformed; the message names file and line."""


class UnpicklableError(UsageError):
    """An object cannot be pickled; the message names it and what stops it."""


class VersionMismatchError(UsageError):
    """A worker has other versions of Python or a package; the message names both."""


class ProtocolError(ServerlessDistError):
    """A peer sent something that the protocol does not allow."""


class CloudError(ServerlessDistError):
    """A cloud service refused or failed a request.

    Parameters
    ----------
    message
        One sentence: service, operation, what it said.
    retryable
        Whether the same request may succeed later. Implementations of the cloud
        seam have already retried when this reaches a caller.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, ...]:
        return (_cloud_error, (str(self), self.retryable))


def _cloud_error(message: str, retryable: bool) -> CloudError:  # noqa: FBT001
    return CloudError(message, retryable=retryable)


class DeadlineError(ServerlessDistError, TimeoutError):
    """A wait reached its deadline."""


class GetTimeoutError(DeadlineError):
    """`get` has waited as long as it was told to; the task goes on."""


class TaskError(ServerlessDistError):
    """A remote task has no value.

    Parameters
    ----------
    task
        The name of the task.
    summary
        One line: what happened.
    traceback
        The remote traceback as text; empty if there is none.

    Notes
    -----
    ``__cause__`` is the remote exception itself where it could be pickled.
    """

    def __init__(self, task: str, summary: str, traceback: str = "") -> None:
        # Not `super`: what `get` raises is of a class of the user's as well, whose
        # constructor takes something else.
        Exception.__init__(self, task, summary, traceback)
        self.task = task
        self.summary = summary
        self.traceback = traceback

    def __str__(self) -> str:
        text = f"{self.task} {self.summary}"
        return f"{text}\n\n{self.traceback.rstrip()}" if self.traceback else text


class RemoteError(TaskError):
    """A task raised an exception.

    What `get` raises is of this class and of the exception's own, so that ``except
    KeyError`` catches a task's `KeyError`.
    """


class WorkerCrashedError(TaskError):
    """A task's worker ended while it ran: killed, out of memory, or ``os._exit``."""


class TaskCancelledError(TaskError):
    """A task was cancelled."""


class TaskTimeoutError(TaskError, TimeoutError):
    """A task ran longer than its timeout and was stopped."""


class ActorDiedError(TaskError):
    """An actor is gone: its constructor raised, it was killed, or its worker ended."""


class ObjectLostError(TaskError):
    """A value is gone: the last ref of it was, when somebody asked."""


class DeadlockError(TaskError):
    """A task waits for something that waits for it; the message names the cycle."""


class RankError(ServerlessDistError):
    """One rank of a job failed, and the job with it.

    Parameters
    ----------
    rank
        The number of the rank that failed first.
    summary
        One line: what happened.
    traceback
        The remote traceback as text; empty if there is none.

    Notes
    -----
    ``__cause__`` is the remote exception itself where it could be pickled.
    """

    def __init__(self, rank: int, summary: str, traceback: str = "") -> None:
        super().__init__(rank, summary, traceback)
        self.rank = rank
        self.summary = summary
        self.traceback = traceback

    def __str__(self) -> str:
        text = f"rank {self.rank} {self.summary}"
        return f"{text}\n\n{self.traceback.rstrip()}" if self.traceback else text


class RankDiedError(RankError):
    """A rank ended without a result: killed, out of memory, or ``os._exit``."""
