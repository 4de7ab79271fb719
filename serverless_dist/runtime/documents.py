"""Values of a document that is read: each is what it should be, or refused.

The functions raise a `TypeError` or a `ValueError` that says what a value is instead;
`reading` makes a `UsageError` of those.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from serverless_dist.errors import UsageError

T = TypeVar("T")

_LARGEST = 2**53  # whole numbers up to it are floats, too
_HUGE = 1e300  # more than anything that can be counted, and still a float


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raise what a value is instead as a `UsageError` that begins with `what`.

    >>> with reading("this is no report"):
    ...     text(5)
    Traceback (most recent call last):
    serverless_dist.errors.UsageError: this is no report: 5 is no text
    """
    try:
        yield
    except UsageError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else error
        msg = f"{what}: {why}"
        raise UsageError(msg) from error


def take(values: Mapping[str, Any], name: str, check: Callable[[Any], T]) -> T:
    """Return a field that has been checked; what is wrong with it begins with its name.

    Parameters
    ----------
    values, name
        Where it is.
    check
        Returns what the field means, or raises what it is instead.
    """
    value = values[name]
    try:
        return check(value)
    except UsageError:
        raise
    except (TypeError, ValueError) as error:
        msg = f"{name}: {error}"
        raise ValueError(msg) from error


def optional(check: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Return a check that lets None pass."""
    return lambda value: None if value is None else check(value)


def text(value: object) -> str:
    """Return a text."""
    if not isinstance(value, str):
        msg = f"{value!r} is no text"
        raise TypeError(msg)
    return value


def truth(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        msg = f"{value!r} is neither true nor false"
        raise TypeError(msg)
    return value


def listed(value: object) -> Sequence[Any]:
    """Return a list."""
    if not isinstance(value, list | tuple):
        msg = f"{value!r} is no list"
        raise TypeError(msg)
    return value


def fields_of(value: object) -> Mapping[str, Any]:
    """Return an object: values by their names."""
    if not isinstance(value, Mapping):
        msg = f"{value!r} is no object with fields"
        raise TypeError(msg)
    return value


def finite(value: object) -> float:
    """Return a number that is finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{value!r} is no number"
        raise TypeError(msg)
    if not abs(value) <= _HUGE:
        msg = f"a number in it is {value}"
        raise ValueError(msg)
    return float(value)


def scalar(value: object) -> str | bool | int | float:
    """Return a text, a number, true or false."""
    if isinstance(value, str | bool):
        return value
    checked = finite(value)
    return value if isinstance(value, int) else checked


def number(value: object) -> float:
    """Return a number from 0 on."""
    checked = finite(value)
    if checked < 0:
        msg = f"a number in it is {value}"
        raise ValueError(msg)
    return checked


def numbers(value: object) -> dict[str, float]:
    """Return numbers from 0 on by their names."""
    return {name: number(each) for name, each in fields_of(value).items()}


def whole(value: object) -> int:
    """Return a whole number from 0 on, however large."""
    return value if type(value) is int and value > _LARGEST else count(value)


def count(value: object) -> int:
    """Return a whole number from 0 on, small enough to be reckoned with."""
    if type(value) is int and 0 <= value <= _LARGEST:  # as it nearly always is
        return value
    checked = number(value)
    if checked != int(checked) or checked > _LARGEST:
        msg = f"a count in it is {value}"
        raise ValueError(msg)
    return int(checked)


def counts(value: object) -> dict[str, int]:
    """Return whole numbers from 0 on by their names."""
    return {name: count(each) for name, each in fields_of(value).items()}
