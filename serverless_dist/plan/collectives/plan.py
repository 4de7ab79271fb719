"""Ways to do a collective: every algorithm on every channel, with seconds and dollars.

Dollars are those of the requests and of the seconds that all ranks spend in the call.
So the cheapest way is also the recommended one: what it saves in time is in its price.
The algorithm that a run would choose on a channel is marked, and if the simulation
finds another one much cheaper than that, the plan says so.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from serverless_dist.cloud.limits import LAMBDA_MEMORY_MB, LAMBDA_TIMEOUT
from serverless_dist.comm.algorithms import Algorithm, candidates, choose
from serverless_dist.errors import UsageError
from serverless_dist.plan.collectives.estimate import (
    Circumstances,
    Estimate,
    Method,
    estimate,
    predict_collective,
)
from serverless_dist.plan.options import Mark, Option, Plan, judge

SERVICES = ("queue", "object", "hybrid")
"""The channels that functions can talk by."""
NOTABLE = 1.2
"""How many times dearer than the best the chosen algorithm has to be to be told of."""

_RUNTIME_BYTES = 150_000_000  # what Python, numpy and boto3 take of a function's memory
# How many times its data, or those of all ranks, somebody has to hold.
_HOLDS_OF_ALL = {"gather": 1, "scatter": 1, "allgather": 1, "alltoall": 2}
_HOLDS = 2


def plan_collective(
    collective: str,
    ranks: int,
    nbytes: int,
    given: Circumstances,
    *,
    channels: Sequence[str] = SERVICES,
) -> Plan:
    """Return all ways to do a collective, judged.

    Parameters
    ----------
    collective
        ``"allreduce"`` and so on.
    ranks
        How many take part.
    nbytes
        Of what each rank gives, in the sense of `choose`.
    given
        What else there is; its channel does not matter.
    channels
        Which channels to look at.

    Raises
    ------
    UsageError
        There is no such collective or channel, or nothing can be done at all.

    Examples
    --------
    >>> plan = plan_collective("bcast", 8, 100, Circumstances(), channels=["queue"])
    >>> plan.marked(Mark.RECOMMENDED).name
    'multicast, queue'
    """
    if ranks < 1:
        msg = f"a collective among {ranks} ranks cannot be: give 1 or more"
        raise UsageError(msg)
    options = collective_options(collective, ranks, nbytes, given, channels=channels)
    judged = judge([replace(option, marks=()) for option in options], within=math.inf)
    marked = [
        replace(option, marks=(*option.marks, *before.marks))
        for option, before in zip(judged, options, strict=True)
    ]
    return Plan(
        title=f"{collective} among {ranks:,} ranks, {nbytes:,} bytes",
        question={
            "collective": collective,
            "ranks": ranks,
            "bytes": nbytes,
            "memory_mb": given.memory_mb,
            "seed": given.seed,
            "objects": given.objects,
        },
        region=given.prices.region,
        profile=given.profile.name,
        options=tuple(replace(each, why=_why(each, marked)) for each in marked),
    )


def collective_options(
    collective: str,
    ranks: int,
    nbytes: int,
    given: Circumstances,
    *,
    channels: Sequence[str] = SERVICES,
) -> list[Option]:
    """Return all ways to do a collective, those that cannot be among them, unjudged.

    See `plan_collective` for the arguments. What a run would choose is marked.
    """
    options = []
    for channel in channels:
        here = replace(given, channel=channel)
        chosen = _chosen(collective, ranks, nbytes, here)
        for algorithm in candidates(collective):
            option = _option(collective, algorithm, ranks, nbytes, here)
            mark = (Mark.CHOSEN,) if algorithm is chosen else ()
            options.append(replace(option, marks=mark))
    return options


def _chosen(
    collective: str, ranks: int, nbytes: int, given: Circumstances
) -> Algorithm:
    return choose(
        collective,
        ranks=ranks,
        channel=given.channel,
        nbytes=None if given.objects else nbytes,
        vector=not given.objects,
    )


def _option(
    collective: str,
    algorithm: Algorithm,
    ranks: int,
    nbytes: int,
    given: Circumstances,
) -> Option:
    reason = _obstacle(collective, algorithm, ranks, nbytes, given)
    predict = estimate if reason is None else predict_collective
    found = predict(collective, algorithm.name, ranks, nbytes, given)
    if reason is None and found.seconds > LAMBDA_TIMEOUT:
        reason = (
            f"a function may run for {LAMBDA_TIMEOUT:g} s, not {found.seconds:,.0f} s"
        )
    return _described(found, reason, given)


def _described(found: Estimate, reason: str | None, given: Circumstances) -> Option:
    is_told = found.method is Method.CLOSED_FORM and reason is None
    suffix = f", {found.method.value}" if is_told else ""
    return Option(
        name=f"{found.algorithm}, {found.channel}{suffix}",
        strategy=found.algorithm,
        channel=found.channel,
        ranks=found.ranks,
        memory_mb=given.memory_mb,
        seconds=found.seconds,
        dollars=found.dollars,
        lines=found.lines,
        requests=found.usage.requests,
        choices={"algorithm": found.algorithm, "method": found.method.value},
        reason=reason,
    )


def _obstacle(
    collective: str,
    algorithm: Algorithm,
    ranks: int,
    nbytes: int,
    given: Circumstances,
) -> str | None:
    """Return why an algorithm cannot do it, before anything is simulated."""
    if given.objects and (algorithm.needs_vector or collective == "reduce_scatter"):
        return "needs arrays, not objects"
    if not algorithm.suits(ranks, vector=True, commutative=True):
        return f"needs a power of two ranks, not {ranks:,}"
    held = _HOLDS_OF_ALL.get(collective, 0) * ranks or _HOLDS
    needed = math.ceil((held * nbytes + _RUNTIME_BYTES) / 2**20)
    if needed > given.memory_mb:
        most = LAMBDA_MEMORY_MB[1]
        more = f": no function has more than {most:,} MB" if needed > most else ""
        return f"a rank needs {needed:,} MB of memory{more}"
    return None


def _why(option: Option, options: Sequence[Option]) -> str:
    sentences = []
    if Mark.RECOMMENDED in option.marks:
        share = (
            option.lines.get("lambda", 0.0) / option.dollars if option.dollars else 0
        )
        sentences.append(
            f"the least dollars, of which the seconds of all ranks are {share:.0%}"
        )
    if Mark.FASTEST in option.marks:
        sentences.append("nothing is faster")
    if Mark.CHOSEN in option.marks:
        sentences.append(_told(option, options))
    return "; ".join(sentences) or option.why


def _told(chosen: Option, options: Sequence[Option]) -> str:
    """Say that a run takes it, and whether the simulation would rather have another."""
    sentence = f"a run takes it on the {chosen.channel} channel"
    others = [
        each for each in options if each.is_feasible and each.channel == chosen.channel
    ]
    if not others:
        return sentence
    best = min(others, key=lambda each: each.dollars)
    if not chosen.is_feasible:
        return f"{sentence}, but it cannot be; {_how(best)}"
    if chosen.dollars <= NOTABLE * best.dollars:
        return sentence
    less = 1 - best.dollars / chosen.dollars
    return (
        f"{sentence}, by a quick estimate; simulated, {best.strategy} is {less:.0%}"
        f" cheaper; {_how(best)}"
    )


def _how(option: Option) -> str:
    return f"Set_algorithm has a run take {option.strategy}"
