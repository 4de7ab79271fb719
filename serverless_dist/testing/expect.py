"""What the suites share: expecting an error, and emptying a queue patiently."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

from serverless_dist.cloud import Delivery, Queue
from serverless_dist.comm.exceptions import MPIError

E = TypeVar("E", bound=Exception)

PATIENCE = 5.0  # seconds of one long poll; only a lost body is waited for in full
QUIET = 1.0  # seconds without a body after which no more are expected


@contextmanager
def raises(kind: type[E]) -> Iterator[list[E]]:
    """Pass if the block raises `kind`; the list then holds the error.

    >>> with raises(ZeroDivisionError) as errors:
    ...     1 / 0
    >>> errors
    [ZeroDivisionError('division by zero')]
    """
    errors: list[E] = []
    try:
        yield errors
    except kind as error:
        errors.append(error)
        return
    msg = f"{kind.__name__} was not raised"
    raise AssertionError(msg)


@contextmanager
def fails_with(error_class: int) -> Iterator[None]:
    """Pass if the block raises an `MPIError` of this class.

    >>> with fails_with(6):
    ...     raise MPIError(6, "there is no rank 9")
    """
    with raises(MPIError) as errors:
        yield
    found = errors[0].Get_error_class()
    assert found == error_class, f"error class {found}, not {error_class}: {errors[0]}"


def receive_until(
    queue: Queue, expected: Collection[bytes], *, delete: bool = True
) -> list[Delivery]:
    """Receive until every expected body has come; return all that came.

    Parameters
    ----------
    queue
        The queue to receive from.
    expected
        The bodies to wait for; others are returned as well.
    delete
        Whether to delete what was received.

    Raises
    ------
    AssertionError
        Two long polls in a row came back empty and bodies are missing.
    """
    missing = set(expected)
    deliveries: list[Delivery] = []
    empty = 0
    while missing:
        came = queue.receive(10, PATIENCE)
        empty = 0 if came else empty + 1
        assert empty < 2, f"{len(missing)} of {len(expected)} bodies never came"
        deliveries += came
        missing -= {delivery.body for delivery in came}
        if delete:
            queue.delete([delivery.receipt for delivery in came])
    return deliveries


def receive_rest(queue: Queue, wait: float = QUIET) -> list[bytes]:
    """Receive and delete until nothing comes for `wait` seconds; return the bodies."""
    bodies: list[bytes] = []
    while came := queue.receive(10, wait):
        queue.delete([delivery.receipt for delivery in came])
        bodies += [delivery.body for delivery in came]
    return bodies
