"""Which algorithm a call uses, and why: a table and a cost model. Pure.

All ranks must choose alike, so a choice depends on nothing but its arguments, which
all ranks know: among the algorithms that can do the work, the one whose call costs the
least in all (`channels`) is chosen, the first of the table on ties.

1. Where ranks cannot know how large the data are, as with objects, they choose as for
   `UNKNOWN_BYTES`, among algorithms that work on any data.
2. A user may name the algorithm of a collective. One that cannot do the work, because
   data are no vectors, the operator is not commutative or the ranks are no power of
   two, is passed over, and the model chooses; a name that is in no table is a mistake.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from serverless_dist.comm.algorithms import (
    allgather,
    allreduce,
    alltoall,
    barrier,
    bcast,
    gather,
    reduce,
    reduce_scatter,
    scan,
    scatter,
    vectors,
)
from serverless_dist.comm.algorithms.channels import CHANNELS, Prediction, predict
from serverless_dist.comm.algorithms.costs import Cost
from serverless_dist.comm.steps import Steps
from serverless_dist.errors import UsageError

UNKNOWN_BYTES = 1_024  # what an object is taken for: a few numbers, pickled


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One way to do a collective.

    Attributes
    ----------
    name
        What a user calls it.
    function
        Returns the steps of a rank; those of one collective take the same arguments.
    cost
        Returns what it costs for so many ranks and bytes.
    needs_vector
        Data must be one-dimensional arrays, of one length and type on all ranks.
    needs_commutative
        Data are folded in any order.
    needs_power
        The number of ranks must be a power of two.
    is_linear
        Rounds grow with ranks, as is right only where rounds are cheap: between
        processes of one machine. Elsewhere it is used where a user names it.
    """

    name: str
    function: Callable[..., Steps[Any]]
    cost: Callable[[int, int], Cost]
    needs_vector: bool = False
    needs_commutative: bool = False
    needs_power: bool = False
    is_linear: bool = False

    def suits(self, ranks: int, *, vector: bool, commutative: bool) -> bool:
        """Tell whether it can do the work."""
        return (
            (vector or not self.needs_vector)
            and (commutative or not self.needs_commutative)
            and (not self.needs_power or ranks & (ranks - 1) == 0)
        )

    def predict(
        self, channel: str, ranks: int, nbytes: int, cores: int | None = None
    ) -> Prediction:
        """Return what a call takes on a channel; see `choose` for the arguments."""
        return predict(channel, self.cost(ranks, nbytes), ranks, cores)


CANDIDATES: Mapping[str, tuple[Algorithm, ...]] = {
    "barrier": (
        Algorithm("dissemination", barrier.dissemination, barrier.dissemination_cost),
        Algorithm("gather_bcast", barrier.gather_bcast, barrier.gather_bcast_cost),
    ),
    "bcast": (
        Algorithm("binomial", bcast.binomial, bcast.binomial_cost),
        Algorithm("multicast", bcast.multicast, bcast.multicast_cost),
        Algorithm(
            "scatter_allgather",
            bcast.scatter_allgather,
            bcast.scatter_allgather_cost,
            needs_vector=True,
        ),
    ),
    "scatter": (
        Algorithm("binomial", scatter.binomial, scatter.binomial_cost),
        Algorithm("direct", scatter.direct, scatter.direct_cost),
    ),
    "gather": (
        Algorithm("binomial", gather.binomial, gather.binomial_cost),
        Algorithm("direct", gather.direct, gather.direct_cost),
    ),
    "allgather": (
        Algorithm(
            "recursive_doubling",
            allgather.recursive_doubling,
            allgather.doubling_cost,
            needs_power=True,
        ),
        Algorithm("bruck", allgather.bruck, allgather.doubling_cost),
        Algorithm("ring", allgather.ring, allgather.ring_cost, is_linear=True),
        Algorithm("multicast", allgather.multicast, allgather.multicast_cost),
    ),
    "alltoall": (
        Algorithm("posted", alltoall.posted, alltoall.posted_cost),
        Algorithm(
            "pairwise", alltoall.pairwise, alltoall.pairwise_cost, is_linear=True
        ),
        Algorithm("bruck", alltoall.bruck, alltoall.bruck_cost),
    ),
    "reduce": (
        Algorithm("binomial", reduce.binomial, reduce.binomial_cost),
        Algorithm("direct", reduce.direct, reduce.direct_cost),
        Algorithm(
            "reduce_scatter_gather",
            reduce.reduce_scatter_gather,
            reduce.reduce_scatter_gather_cost,
            needs_vector=True,
        ),
    ),
    "allreduce": (
        Algorithm(
            "recursive_doubling",
            allreduce.recursive_doubling,
            allreduce.recursive_doubling_cost,
        ),
        Algorithm("reduce_bcast", allreduce.reduce_bcast, allreduce.reduce_bcast_cost),
        Algorithm("gather_bcast", allreduce.gather_bcast, allreduce.gather_bcast_cost),
        Algorithm("multicast", allreduce.multicast, allreduce.multicast_cost),
        Algorithm(
            "rabenseifner",
            vectors.rabenseifner,
            vectors.rabenseifner_cost,
            needs_vector=True,
        ),
        Algorithm(
            "ring",
            vectors.ring,
            vectors.ring_cost,
            needs_vector=True,
            needs_commutative=True,
            is_linear=True,
        ),
    ),
    # Its data are vectors in any case.
    "reduce_scatter": (
        Algorithm(
            "recursive_halving",
            reduce_scatter.recursive_halving,
            reduce_scatter.recursive_halving_cost,
        ),
        Algorithm("posted", reduce_scatter.posted, reduce_scatter.posted_cost),
        Algorithm(
            "pairwise",
            reduce_scatter.pairwise,
            reduce_scatter.pairwise_cost,
            is_linear=True,
        ),
    ),
    "scan": (
        Algorithm("recursive_doubling", scan.recursive_doubling, scan.doubling_cost),
    ),
    "exscan": (Algorithm("recursive_doubling", scan.exclusive, scan.doubling_cost),),
}
"""The algorithms of each collective; of equally good ones the first is chosen."""


def candidates(collective: str) -> tuple[Algorithm, ...]:
    """Return the algorithms of a collective.

    Raises
    ------
    UsageError
        There is no such collective.
    """
    found = CANDIDATES.get(collective)
    if found is None:
        msg = f"there is no collective {collective!r}: use one of {_list(CANDIDATES)}"
        raise UsageError(msg)
    return found


def choose(
    collective: str,
    *,
    ranks: int,
    channel: str,
    nbytes: int | None = None,
    vector: bool = False,
    commutative: bool = True,
    cores: int | None = None,
    override: Mapping[str, str] | None = None,
) -> Algorithm:
    """Return the algorithm for a call.

    Parameters
    ----------
    collective
        ``"allreduce"`` and so on.
    ranks
        The number of ranks.
    channel
        ``"direct"``, ``"queue"``, ``"object"`` or ``"hybrid"``.
    nbytes
        The bytes of what each rank gives (bcast: the root; scatter, alltoall: one item;
        reduce_scatter: the whole vector); None where ranks cannot know that alike.
    vector
        Whether all ranks give one-dimensional arrays of one length and type.
    commutative
        Whether the operator is.
    cores
        How many cores the ranks share on the direct channel; None: each has its own.
    override
        The names of algorithms to use, by collective.

    Raises
    ------
    UsageError
        There is no such collective, channel or algorithm; the message lists them.

    Examples
    --------
    >>> choose("allreduce", ranks=8, nbytes=8, channel="direct").name
    'recursive_doubling'
    >>> choose("allreduce", ranks=8, nbytes=2**24, channel="direct", vector=True).name
    'rabenseifner'
    >>> choose("bcast", ranks=8, channel="direct", override={"bcast": "multicast"}).name
    'multicast'
    """
    name = override.get(collective) if override else None
    return _choose(collective, ranks, channel, nbytes, vector, commutative, cores, name)


@lru_cache(maxsize=1_024)
def _choose(
    collective: str,
    ranks: int,
    channel: str,
    nbytes: int | None,
    vector: bool,
    commutative: bool,
    cores: int | None,
    name: str | None,
) -> Algorithm:
    if channel not in CHANNELS:
        msg = f"there is no channel {channel!r}: use one of {_list(CHANNELS)}"
        raise UsageError(msg)
    vector = vector and nbytes is not None
    able = [
        algorithm
        for algorithm in candidates(collective)
        if algorithm.suits(ranks, vector=vector, commutative=commutative)
    ]
    if name is not None:
        wanted = named(collective, name)
        if wanted in able:
            return wanted
    size = UNKNOWN_BYTES if nbytes is None else nbytes
    fit = [a for a in able if channel == "direct" or not a.is_linear]
    return min(fit, key=lambda a: a.predict(channel, ranks, size, cores).dollars)


def named(collective: str, name: str) -> Algorithm:
    """Return an algorithm by its name.

    Raises
    ------
    UsageError
        There is no such collective or algorithm; the message lists those there are.
    """
    found = {algorithm.name: algorithm for algorithm in candidates(collective)}
    if name not in found:
        msg = (
            f"there is no algorithm {name!r} for {collective}: use one of"
            f" {_list(found)}"
        )
        raise UsageError(msg)
    return found[name]


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
