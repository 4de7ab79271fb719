"""`Communicator`: messages and collective calls among ranks, with mpi4py's names.

What holds for every method:

1. Sends never wait for the receiver.
2. Messages of one rank and tag are received in the order they were sent.
3. What a call returns is the caller's own: nothing is shared with what anyone passed
   in, so the same program behaves alike on one rank and on many. (Unless `op` puts
   parts of its operands into its result, as the sum of lists does.)
4. Every rank makes the same collective calls in the same order. Calls that are mixed up
   never match: they wait until the deadline, and the error says in which call.
5. A caller's mistake is a `UsageError`, raised before anything is sent.
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import IntEnum
from typing import Any, TypeVar

from serverless_dist.comm import (
    allgather,
    allreduce,
    alltoall,
    barrier,
    bcast,
    gather,
    neighbor,
    reduce,
    scatter,
)
from serverless_dist.comm.channel import BUNDLES, OBJECTS, Channel, Format
from serverless_dist.comm.checks import check_distinct, check_items, check_rank
from serverless_dist.comm.drive import drive
from serverless_dist.comm.endpoint import Endpoint, Wanted
from serverless_dist.comm.messenger import Messenger
from serverless_dist.comm.ops import SUM
from serverless_dist.comm.sealed import Sealed
from serverless_dist.comm.steps import Send

_Combine = Callable[[Any, Any], Any]
# A mapping's keys are invariant: a plain type would refuse a dict[int, ...].
Dests = TypeVar("Dests", bound=int | tuple[int, ...])


class _Call(IntEnum):
    """The collective calls; the number is part of a call's tag."""

    BARRIER = 0
    BCAST = 1
    SCATTER = 2
    GATHER = 3
    ALLGATHER = 4
    ALLTOALL = 5
    REDUCE = 6
    ALLREDUCE = 7
    EXCHANGE = 8


class Communicator(Messenger):
    """The ranks of a job, seen from one of them; see `Messenger` for the parameters."""

    def __init__(self, endpoint: Endpoint, context: int = 0) -> None:
        super().__init__(endpoint, context)
        self._calls = itertools.count()

    def barrier(self) -> None:
        """Return once every rank has called it."""
        steps = barrier.dissemination(self._rank, self._size)
        drive(steps, self._channel(_Call.BARRIER))

    Barrier = barrier

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """Return the root's `obj` on every rank; that of the others is ignored."""
        root = check_rank("root", root, self._size)
        bundle = [self._seal(obj)] if self._rank == root else []
        steps = bcast.binomial(self._rank, self._size, bundle, root)
        (sealed,) = drive(steps, self._channel(_Call.BCAST, BUNDLES))
        return self._open(sealed)

    def scatter(self, sendobj: Iterable[Any] | None, root: int = 0) -> Any:
        """Return item `rank` of the root's `sendobj`, which has one for each rank.

        Raises
        ------
        UsageError
            The root's `sendobj` does not have as many items as there are ranks.
        """
        root = check_rank("root", root, self._size)
        bundle = []
        if self._rank == root:
            items = check_items("scatter", sendobj, self._size)
            bundle = [self._seal(item) for item in items]
        steps = scatter.binomial(self._rank, self._size, bundle, root)
        return self._open(drive(steps, self._channel(_Call.SCATTER, BUNDLES)))

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        """Return what every rank gave, by rank, at the root; None elsewhere."""
        root = check_rank("root", root, self._size)
        sealed = self._seal(sendobj)
        steps = gather.binomial(self._rank, self._size, sealed, root)
        bundle = drive(steps, self._channel(_Call.GATHER, BUNDLES))
        return None if bundle is None else [self._open(sealed) for sealed in bundle]

    def allgather(self, sendobj: Any) -> list[Any]:
        """Return what every rank gave, by rank."""
        steps = allgather.bruck(self._rank, self._size, self._seal(sendobj))
        bundle = drive(steps, self._channel(_Call.ALLGATHER, BUNDLES))
        return [self._open(sealed) for sealed in bundle]

    def alltoall(self, sendobj: Iterable[Any]) -> list[Any]:
        """Return item `rank` of every rank's `sendobj`, by rank.

        Raises
        ------
        UsageError
            `sendobj` does not have as many items as there are ranks.
        """
        items = check_items("alltoall", sendobj, self._size)
        items[self._rank] = self._copy(items[self._rank])
        steps = alltoall.pairwise(self._rank, self._size, items)
        return drive(steps, self._channel(_Call.ALLTOALL))

    def reduce(self, sendobj: Any, op: _Combine = SUM, root: int = 0) -> Any:
        """Return the fold of what every rank gave at the root; None elsewhere.

        Parameters
        ----------
        sendobj
            What this rank contributes.
        op
            An operator such as `SUM`, or any associative function of two operands
            that does not change them. Ranks are folded in order, lower ones first, so
            it need not be commutative.
        root
            The rank that gets the result.
        """
        root = check_rank("root", root, self._size)
        steps = reduce.binomial(self._rank, self._size, sendobj, op, root)
        return self._fresh(drive(steps, self._channel(_Call.REDUCE)), sendobj)

    def allreduce(self, sendobj: Any, op: _Combine = SUM) -> Any:
        """Return the fold of what every rank gave, the same bits on every rank.

        See `reduce` for what `op` may be.
        """
        steps = allreduce.recursive_doubling(self._rank, self._size, sendobj, op)
        return self._fresh(drive(steps, self._channel(_Call.ALLREDUCE)), sendobj)

    def exchange(
        self, sends: Mapping[Dests, Any], sources: Collection[int]
    ) -> dict[int, Any]:
        """Send to some ranks and receive from some, as all of them know beforehand.

        This call is not MPI's: it is its neighbourhood collective without a topology,
        and with multicasts. It is collective: a rank without peers calls it as well.

        Parameters
        ----------
        sends
            The object for each rank; a tuple of ranks as key is a multicast, which
            topics and object stores do in one request. No rank may be named twice.
        sources
            The ranks that send to this one in their call.

        Returns
        -------
        dict
            The object that each of `sources` sent.
        """
        posts = []
        for key, obj in sends.items():
            dests = key if isinstance(key, tuple) else (key,)
            posts.append(Send(check_distinct("dest", dests, self._size), obj))
        check_distinct("dest", (d for post in posts for d in post.dests), self._size)
        peers = check_distinct("source", sources, self._size)
        steps = neighbor.exchange(posts, peers)
        return drive(steps, self._channel(_Call.EXCHANGE))

    def _channel(self, call: _Call, form: Format = OBJECTS) -> Channel:
        tag = next(self._calls) * len(_Call) + call
        label = f"in {call.name.lower()} for a message"
        return Channel(self._endpoint, Wanted(self._context + 1, tag, label), form)

    def _seal(self, obj: Any) -> Sealed:
        with self._endpoint.stopwatch.sending():
            return Sealed.of(obj)

    def _open(self, sealed: Sealed) -> Any:
        with self._endpoint.stopwatch.waiting():
            return sealed.open()

    def _copy(self, obj: Any) -> Any:
        return self._open(self._seal(obj))

    def _fresh(self, result: Any, sendobj: Any) -> Any:
        """Return the result, copied if the operator returned the caller's operand."""
        return self._copy(result) if result is sendobj else result
