"""What a receive says about the message it got."""

from array import array
from dataclasses import dataclass
from typing import Any, Protocol

from serverless_dist.comm.constants import (
    ANY_SOURCE,
    ANY_TAG,
    PROC_NULL,
    UNDEFINED,
)
from serverless_dist.comm.exceptions import SUCCESS

_SOURCE, _TAG, _ERROR, _CANCELLED, _LOW, _HIGH = range(6)
_HALF = 1 << 31  # the count in two halves that a C int holds


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a message besides its data; the default is of no message.

    Attributes
    ----------
    source
        The sending rank, in its communicator.
    tag
        The tag that was sent.
    count
        The bytes of the body.
    """

    source: int = ANY_SOURCE
    tag: int = ANY_TAG
    count: int = 0
    is_cancelled: bool = False
    error: int = SUCCESS


NO_MESSAGE = Envelope()
FROM_NOBODY = Envelope(PROC_NULL)


class Sized(Protocol):
    """What counts are in: a datatype."""

    def Get_size(self) -> int:
        """Return the bytes of one."""
        ...

    def elements_in(self, nbytes: int) -> int:
        """Return how many basic elements so many bytes are; `UNDEFINED`: no number."""
        ...


class Status:
    """Filled in by a receive that it is passed to.

    >>> status = Status()
    >>> status.source == ANY_SOURCE, status.count
    (True, 0)
    """

    __slots__ = ("__weakref__", "_fields")
    _fields: "array[int]"

    def __init__(self, status: "Status | None" = None) -> None:
        if status is None:
            fields = [ANY_SOURCE, ANY_TAG, SUCCESS, 0, 0, 0]
        elif isinstance(status, Status):
            fields = status._fields.tolist()
        else:
            kind = type(status).__name__
            msg = f"a Status is a copy of a Status or of nothing, not of a {kind}"
            raise TypeError(msg)
        self._fields = array("i", fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Status):
            return NotImplemented
        return self._fields == other._fields

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Status source {self.source}, tag {self.tag}, {self.count} bytes>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (), self._fields.tolist())

    def __setstate__(self, fields: list[int]) -> None:
        self._fields = array("i", fields)

    def fill(self, envelope: Envelope) -> None:
        """Say what the envelope says."""
        self.source, self.tag = envelope.source, envelope.tag
        self.error, self.count = envelope.error, envelope.count
        self.cancelled = envelope.is_cancelled

    def tomemory(self) -> memoryview:
        """Return the memory of the status; what is written there changes it."""
        return memoryview(self._fields)

    @property
    def source(self) -> int:
        """The rank that sent the message."""
        return self._fields[_SOURCE]

    @source.setter
    def source(self, source: int) -> None:
        self._fields[_SOURCE] = source

    @property
    def tag(self) -> int:
        """The tag of the message."""
        return self._fields[_TAG]

    @tag.setter
    def tag(self, tag: int) -> None:
        self._fields[_TAG] = tag

    @property
    def error(self) -> int:
        """The error code; 0 if there was none."""
        return self._fields[_ERROR]

    @error.setter
    def error(self, error: int) -> None:
        self._fields[_ERROR] = error

    @property
    def count(self) -> int:
        """The bytes of the message."""
        return self._fields[_LOW] + self._fields[_HIGH] * _HALF

    @count.setter
    def count(self, count: int) -> None:
        self._fields[_HIGH], self._fields[_LOW] = divmod(count, _HALF)

    @property
    def cancelled(self) -> bool:
        """Whether the request was cancelled."""
        return bool(self._fields[_CANCELLED])

    @cancelled.setter
    def cancelled(self, flag: bool) -> None:
        self._fields[_CANCELLED] = bool(flag)

    def Get_source(self) -> int:
        """Return the rank that sent the message."""
        return self.source

    def Set_source(self, source: int) -> None:
        """Set the rank."""
        self.source = source

    def Get_tag(self) -> int:
        """Return the tag of the message."""
        return self.tag

    def Set_tag(self, tag: int) -> None:
        """Set the tag."""
        self.tag = tag

    def Get_error(self) -> int:
        """Return the error code; 0 if there was none."""
        return self.error

    def Set_error(self, error: int) -> None:
        """Set the error code."""
        self.error = error

    def Get_count(self, datatype: Sized | None = None) -> int:
        """Return how many of `datatype` came; bytes if it is None.

        `UNDEFINED` if what came is not a whole number of them.
        """
        if datatype is None:
            return self.count
        size = datatype.Get_size()
        if size == 0:
            return UNDEFINED if self.count else 0
        number, rest = divmod(self.count, size)
        return UNDEFINED if rest else number

    def Get_elements(self, datatype: Sized) -> int:
        """Return how many basic elements of `datatype` came, or `UNDEFINED`."""
        return datatype.elements_in(self.count)

    def Set_elements(self, datatype: Sized, count: int) -> None:
        """Say that `count` of `datatype` came."""
        self.count = datatype.Get_size() * count

    def Is_cancelled(self) -> bool:
        """Return whether the request was cancelled."""
        return self.cancelled

    def Set_cancelled(self, flag: bool) -> None:
        """Say whether the request was cancelled."""
        self.cancelled = flag

    def py2f(self) -> list[int]:
        """Return the fields as a list."""
        return self._fields.tolist()

    @classmethod
    def f2py(cls, arg: list[int]) -> "Status":
        """Return the status with these fields, as `py2f` gave them."""
        status = cls()
        status.__setstate__(arg)
        return status
