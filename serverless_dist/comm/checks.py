"""What a caller may pass: every mistake is found before anything is sent."""

import operator
from collections.abc import Collection, Iterable
from typing import Any

from serverless_dist.comm.constants import ANY_SOURCE, ANY_TAG, MAX_TAG, PROC_NULL, ROOT
from serverless_dist.comm.exceptions import (
    ERR_ARG,
    ERR_COUNT,
    ERR_RANK,
    ERR_ROOT,
    ERR_TAG,
    MPIError,
)

_SPECIAL = {ANY_SOURCE: "ANY_SOURCE", PROC_NULL: "PROC_NULL", ROOT: "ROOT"}
_CLASSES = {"root": ERR_ROOT, "tag": ERR_TAG}


def check_rank(role: str, value: int, size: int, allowed: Collection[int] = ()) -> int:
    """Return `value` as a rank below `size`, or one of the `allowed` special ones.

    Parameters
    ----------
    role
        What the caller calls it: "root", "dest", "source".
    value
        An integer of any type.
    size
        The number of ranks; of an intercommunicator, the size of the remote group.
    allowed
        Those of `ANY_SOURCE`, `PROC_NULL` and `ROOT` that make sense here. The root
        of a call on an intercommunicator may be `ROOT` or `PROC_NULL`.

    Raises
    ------
    MPIError
        If it is no such rank: `ERR_ROOT` for a "root", `ERR_RANK` for all others.

    >>> check_rank("root", "x", 4)
    Traceback (most recent call last):
        ...
    serverless_dist.comm.exceptions.MPIError: root is 'x', but it must be an integer
    """
    if type(value) is int and 0 <= value < size:  # as it nearly always is
        return value
    rank = _integer(role, value)
    if 0 <= rank < size or rank in allowed:
        return rank
    special = "".join(f" or {_SPECIAL[rank]}" for rank in allowed)
    msg = f"{role} is {rank}, but it must be a rank from 0 to {size - 1}{special}"
    raise MPIError(_CLASSES.get(role, ERR_RANK), msg)


def check_tag(value: int, *, any_tag: bool = False) -> int:
    """Return `value` as a tag, with `any_tag` also `ANY_TAG`.

    Raises
    ------
    MPIError
        If it is no tag: `ERR_TAG`.

    >>> check_tag("7")
    Traceback (most recent call last):
        ...
    serverless_dist.comm.exceptions.MPIError: tag is '7', but it must be an integer
    """
    if type(value) is int and 0 <= value <= MAX_TAG:
        return value
    tag = _integer("tag", value)
    if 0 <= tag <= MAX_TAG or (any_tag and tag == ANY_TAG):
        return tag
    special = " or ANY_TAG" if any_tag else ""
    msg = f"tag is {tag}, but it must be from 0 to {MAX_TAG}{special}"
    raise MPIError(ERR_TAG, msg)


def check_items(call: str, items: Iterable[Any] | None, size: int) -> list[Any]:
    """Return the items as a list, one for each rank.

    Raises
    ------
    MPIError
        `ERR_ARG` if they are no sequence, `ERR_COUNT` if they are too few or too many.

    >>> check_items("scatter", "abc", 4)
    Traceback (most recent call last):
        ...
    serverless_dist.comm.exceptions.MPIError: scatter was given 3 items for 4 ranks
    """
    if not isinstance(items, Iterable):
        kind = type(items).__name__
        msg = f"{call} needs a sequence of {size} items, one for each rank, not {kind}"
        raise MPIError(ERR_ARG, msg)
    result = list(items)
    if len(result) != size:
        msg = f"{call} was given {len(result)} items for {size} ranks"
        raise MPIError(ERR_COUNT, msg)
    return result


def check_distinct(role: str, ranks: Iterable[int], size: int) -> tuple[int, ...]:
    """Return the ranks, each below `size` and named once.

    Raises
    ------
    MPIError
        `ERR_RANK` if one is no rank or is named again.

    >>> check_distinct("source", [2, 0, 2], 4)
    Traceback (most recent call last):
        ...
    serverless_dist.comm.exceptions.MPIError: rank 2 is named more than once as a source
    """
    result = tuple(check_rank(role, rank, size) for rank in ranks)
    if len(set(result)) < len(result):
        twice = next(rank for rank in result if result.count(rank) > 1)
        msg = f"rank {twice} is named more than once as a {role}"
        raise MPIError(_CLASSES.get(role, ERR_RANK), msg)
    return result


def _integer(role: str, value: object) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError as error:
        msg = f"{role} is {value!r}, but it must be an integer"
        raise MPIError(_CLASSES.get(role, ERR_RANK), msg) from error
