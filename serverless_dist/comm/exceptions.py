"""`MPIError`, mpi4py's `MPI.Exception`, and the error classes and codes behind it.

A mistake is told in one sentence and classified by a code. Each predefined code is a
class of its own; a program may add classes, and codes within a class, from
`ERR_LASTCODE` upwards.
"""

import itertools

from serverless_dist.errors import UsageError

# Values are MPICH's, so that programs that print or store them see the same.
SUCCESS = 0
ERR_BUFFER = 1
ERR_COUNT = 2
ERR_TYPE = 3
ERR_TAG = 4
ERR_COMM = 5
ERR_RANK = 6
ERR_ROOT = 7
ERR_GROUP = 8
ERR_OP = 9
ERR_TOPOLOGY = 10
ERR_DIMS = 11
ERR_ARG = 12
ERR_UNKNOWN = 13
ERR_TRUNCATE = 14
ERR_OTHER = 15
ERR_INTERN = 16
ERR_IN_STATUS = 17
ERR_PENDING = 18
ERR_REQUEST = 19
ERR_ACCESS = 20
ERR_AMODE = 21
ERR_BAD_FILE = 22
ERR_CONVERSION = 23
ERR_DUP_DATAREP = 24
ERR_FILE_EXISTS = 25
ERR_FILE_IN_USE = 26
ERR_FILE = 27
ERR_INFO = 28
ERR_INFO_KEY = 29
ERR_INFO_VALUE = 30
ERR_INFO_NOKEY = 31
ERR_IO = 32
ERR_NAME = 33
ERR_NO_MEM = 34
ERR_NOT_SAME = 35
ERR_NO_SPACE = 36
ERR_NO_SUCH_FILE = 37
ERR_PORT = 38
ERR_QUOTA = 39
ERR_READ_ONLY = 40
ERR_SERVICE = 41
ERR_SPAWN = 42
ERR_UNSUPPORTED_DATAREP = 43
ERR_UNSUPPORTED_OPERATION = 44
ERR_WIN = 45
ERR_BASE = 46
ERR_LOCKTYPE = 47
ERR_KEYVAL = 48
ERR_RMA_CONFLICT = 49
ERR_RMA_SYNC = 50
ERR_SIZE = 51
ERR_DISP = 52
ERR_ASSERT = 53
ERR_RMA_RANGE = 55
ERR_RMA_ATTACH = 56
ERR_RMA_SHARED = 57
ERR_RMA_FLAVOR = 58
ERR_SESSION = 75
ERR_PROC_ABORTED = 76
ERR_VALUE_TOO_LARGE = 77
ERR_ERRHANDLER = 80
ERR_ABI = 81
ERR_PROC_FAILED = 101
ERR_PROC_FAILED_PENDING = 102
ERR_REVOKED = 103
ERR_LASTCODE = 0x3FFFFFFF

_TEXTS = {
    SUCCESS: "no error",
    ERR_BUFFER: "the buffer cannot be used",
    ERR_COUNT: "the count does not fit the call",
    ERR_TYPE: "the datatype cannot be used",
    ERR_TAG: "the tag is out of range",
    ERR_COMM: "the communicator is null or of the wrong kind",
    ERR_RANK: "there is no such rank",
    ERR_ROOT: "the root is no rank of the communicator",
    ERR_GROUP: "the group is null",
    ERR_OP: "the operator cannot be used",
    ERR_TOPOLOGY: "the topology does not fit the communicator",
    ERR_DIMS: "the dimensions do not fit the number of ranks",
    ERR_ARG: "an argument is out of range",
    ERR_UNKNOWN: "the error is unknown",
    ERR_TRUNCATE: "the message is longer than the buffer that receives it",
    ERR_OTHER: "another error",
    ERR_INTERN: "an error inside the library",
    ERR_IN_STATUS: "the errors are in the statuses",
    ERR_PENDING: "the request is not complete yet",
    ERR_REQUEST: "the request is null or cannot be used so",
    ERR_ACCESS: "access to the file is denied",
    ERR_AMODE: "the modes of opening the file contradict each other",
    ERR_BAD_FILE: "the name is no file name",
    ERR_CONVERSION: "converting the data failed",
    ERR_DUP_DATAREP: "the data representation is defined already",
    ERR_FILE_EXISTS: "the file exists",
    ERR_FILE_IN_USE: "the file is in use",
    ERR_FILE: "the file handle is null",
    ERR_INFO: "the info object is null or cannot be changed",
    ERR_INFO_KEY: "the key of the info object is empty or too long",
    ERR_INFO_VALUE: "the value of the info object is too long",
    ERR_INFO_NOKEY: "the info object has no such key",
    ERR_IO: "input or output failed",
    ERR_NAME: "the service name is not published",
    ERR_NO_MEM: "there is no memory left",
    ERR_NOT_SAME: "ranks passed different arguments to a collective call",
    ERR_NO_SPACE: "there is no space left",
    ERR_NO_SUCH_FILE: "there is no such file",
    ERR_PORT: "there is no such port",
    ERR_QUOTA: "the quota is used up",
    ERR_READ_ONLY: "the file or its file system is read-only",
    ERR_SERVICE: "the service cannot be withdrawn",
    ERR_SPAWN: "processes cannot be started",
    ERR_UNSUPPORTED_DATAREP: "the data representation is not supported",
    ERR_UNSUPPORTED_OPERATION: "the operation is not supported",
    ERR_WIN: "the window is null",
    ERR_BASE: "the base of the window cannot be used",
    ERR_LOCKTYPE: "there is no such kind of lock",
    ERR_KEYVAL: "the key of attributes is invalid",
    ERR_RMA_CONFLICT: "accesses to the window conflict",
    ERR_RMA_SYNC: "accesses to the window are not synchronised",
    ERR_SIZE: "the size is out of range",
    ERR_DISP: "the displacement is out of range",
    ERR_ASSERT: "the assertion is not defined",
    ERR_RMA_RANGE: "the target is outside the window",
    ERR_RMA_ATTACH: "the memory cannot be attached to the window",
    ERR_RMA_SHARED: "the memory cannot be shared",
    ERR_RMA_FLAVOR: "the window is of the wrong flavour",
    ERR_SESSION: "the session is null",
    ERR_PROC_ABORTED: "a peer was aborted",
    ERR_VALUE_TOO_LARGE: "the value is too large for its type",
    ERR_ERRHANDLER: "the error handler is null or of the wrong kind",
    ERR_ABI: "the binary interface is not available",
    ERR_PROC_FAILED: "a peer has failed",
    ERR_PROC_FAILED_PENDING: "a peer that may match the request has failed",
    ERR_REVOKED: "the communicator is revoked",
    ERR_LASTCODE: "the last predefined error code",
}


class MPIError(UsageError, RuntimeError):
    """What mpi4py calls `MPI.Exception`: an error code, and what went wrong.

    It compares and hashes as its code, and is false for `SUCCESS` only.

    Parameters
    ----------
    ierr
        The error code. A negative one is `ERR_UNKNOWN`.
    message
        One sentence: what is wrong, where, what to do; by default the text of the code.

    Examples
    --------
    >>> error = MPIError(ERR_ROOT, "root is 4, but there are 4 ranks")
    >>> str(error), error == ERR_ROOT
    ('root is 4, but there are 4 ranks', True)
    >>> error.error_string
    'the root is no rank of the communicator'
    """

    def __init__(self, ierr: int = SUCCESS, message: str | None = None) -> None:
        self._code = ierr if ierr >= SUCCESS else ERR_UNKNOWN
        # `args` are what unpickling calls the class with.
        given = (self._code,) if message is None else (self._code, message)
        super().__init__(*given)
        self._message = message

    def __int__(self) -> int:
        return self._code

    def __bool__(self) -> bool:
        return self._code != SUCCESS

    def __hash__(self) -> int:
        return hash(self._code)

    def __eq__(self, other: object) -> bool:
        return self._code == other

    def __ne__(self, other: object) -> bool:
        return self._code != other

    def __lt__(self, other: "int | MPIError") -> bool:
        return self._code < int(other)

    def __le__(self, other: "int | MPIError") -> bool:
        return self._code <= int(other)

    def __gt__(self, other: "int | MPIError") -> bool:
        return self._code > int(other)

    def __ge__(self, other: "int | MPIError") -> bool:
        return self._code >= int(other)

    def __str__(self) -> str:
        return self.error_string if self._message is None else self._message

    def __repr__(self) -> str:
        return f"MPI.Exception({', '.join(map(repr, self.args))})"

    def Get_error_code(self) -> int:
        """Return the error code."""
        return self._code

    def Get_error_class(self) -> int:
        """Return the error class that the code belongs to."""
        return Get_error_class(self._code)

    def Get_error_string(self) -> str:
        """Return the text of the code, the same for all errors of that code."""
        return Get_error_string(self._code)

    @property
    def error_code(self) -> int:
        """The error code."""
        return self.Get_error_code()

    @property
    def error_class(self) -> int:
        """The error class that the code belongs to."""
        return self.Get_error_class()

    @property
    def error_string(self) -> str:
        """The text of the code."""
        return self.Get_error_string()


class ErrorCodes:
    """Error codes with their classes and texts: predefined ones, and the program's.

    A number is never given out twice, also if it was removed in between.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(ERR_LASTCODE + 1)
        self._classes: dict[int, int] = {}
        self._texts: dict[int, str] = {}
        self.last = ERR_LASTCODE

    def Get_error_class(self, errorcode: int) -> int:
        """Return the class of a code; `ERR_UNKNOWN` if nobody defined the code."""
        if errorcode in _TEXTS:
            return errorcode
        return self._classes.get(errorcode, ERR_UNKNOWN)

    def Get_error_string(self, errorcode: int) -> str:
        """Return the text of a code; empty if it was added without one."""
        if errorcode in self._classes:
            return self._texts.get(errorcode, "")
        return _TEXTS.get(errorcode, f"nobody defined error code {errorcode}")

    def Add_error_class(self) -> int:
        """Return a new error class."""
        self.last = next(self._numbers)
        self._classes[self.last] = self.last
        return self.last

    def Add_error_code(self, errorclass: int) -> int:
        """Return a new code in a class, predefined or added."""
        if self.Get_error_class(errorclass) != errorclass:
            msg = f"{errorclass} is no error class to which a code can be added"
            raise MPIError(ERR_ARG, msg)
        self.last = next(self._numbers)
        self._classes[self.last] = errorclass
        return self.last

    def Add_error_string(self, errorcode: int, string: str) -> None:
        """Set the text of an added class or code."""
        self._check_added(errorcode)
        self._texts[errorcode] = string

    def Remove_error_class(self, errorclass: int) -> None:
        """Remove an added class that has neither a text nor codes any more."""
        self._check_bare(errorclass)
        members = [c for c, of in self._classes.items() if of == errorclass]
        if members != [errorclass]:
            msg = f"error class {errorclass} is none or has codes: remove them first"
            raise MPIError(ERR_ARG, msg)
        del self._classes[errorclass]

    def Remove_error_code(self, errorcode: int) -> None:
        """Remove an added code that has no text any more."""
        self._check_bare(errorcode)
        if self._classes[errorcode] == errorcode:
            msg = f"{errorcode} is an error class, not a code: use Remove_error_class"
            raise MPIError(ERR_ARG, msg)
        del self._classes[errorcode]

    def Remove_error_string(self, errorcode: int) -> None:
        """Remove the text of an added class or code."""
        self._check_added(errorcode)
        if self._texts.pop(errorcode, None) is None:
            msg = f"error code {errorcode} has no text that could be removed"
            raise MPIError(ERR_ARG, msg)

    def _check_added(self, errorcode: int) -> None:
        if errorcode not in self._classes:
            msg = f"{errorcode} is no error class or code that this program added"
            raise MPIError(ERR_ARG, msg)

    def _check_bare(self, errorcode: int) -> None:
        self._check_added(errorcode)
        if errorcode in self._texts:
            msg = f"error code {errorcode} has a text: call Remove_error_string first"
            raise MPIError(ERR_ARG, msg)


ERROR_CODES = ErrorCodes()
"""The codes of this process. They are process-wide, as `comm.world` is, because an
exception knows only its number, wherever in the program it is caught."""

Get_error_class = ERROR_CODES.Get_error_class
Get_error_string = ERROR_CODES.Get_error_string
Add_error_class = ERROR_CODES.Add_error_class
Add_error_code = ERROR_CODES.Add_error_code
Add_error_string = ERROR_CODES.Add_error_string
Remove_error_class = ERROR_CODES.Remove_error_class
Remove_error_code = ERROR_CODES.Remove_error_code
Remove_error_string = ERROR_CODES.Remove_error_string
