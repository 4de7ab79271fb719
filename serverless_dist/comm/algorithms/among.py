"""Run an algorithm among some of the ranks."""

from collections.abc import Sequence
from typing import Any, TypeVar

from serverless_dist.comm.steps import Exchange, Recv, Send, Step, Steps

T = TypeVar("T")


def among(members: Sequence[int], steps: Steps[T]) -> Steps[T]:
    """Return `steps`, which speak of places 0, 1, ..., as steps of the members.

    Parameters
    ----------
    members
        ``members[place]`` is the rank at that place.
    steps
        The steps of an algorithm among ``len(members)`` ranks.

    Examples
    --------
    >>> from serverless_dist.comm.algorithms import barrier
    >>> next(among([4, 7], barrier.dissemination(0, 2)))
    Exchange(sends=(Send(dest=7, data=None),), recvs=(7,))
    """
    answer: Any = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        answer = yield _translated(step, members)


def _translated(step: Step, members: Sequence[int]) -> Step:
    match step:
        case Send():
            return _renamed(step, members)
        case Recv(source):
            return Recv(members[source])
        case Exchange(sends, recvs):
            return Exchange(
                tuple(_renamed(send, members) for send in sends),
                tuple(members[source] for source in recvs),
            )


def _renamed(send: Send, members: Sequence[int]) -> Send:
    if isinstance(send.dest, int):
        return Send(members[send.dest], send.data)
    return Send(tuple(members[dest] for dest in send.dest), send.data)
