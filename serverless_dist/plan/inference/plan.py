"""All ways to infer, with seconds and dollars: which to take, and why no other."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from serverless_dist.cloud.latency import US_EAST_1, Profile
from serverless_dist.cloud.limits import LAMBDA_MEMORY_MB, vcpu_share
from serverless_dist.cloud.prices import Prices, dollars
from serverless_dist.errors import UsageError
from serverless_dist.plan.inference.exchanges import Via
from serverless_dist.plan.inference.kernels import Kernel
from serverless_dist.plan.inference.memory import refusal
from serverless_dist.plan.inference.pipeline import Pipeline, layers_way
from serverless_dist.plan.inference.rows import Split, rows_way
from serverless_dist.plan.inference.shapes import Shape
from serverless_dist.plan.inference.ways import Cost, Setting, Strategy, Way
from serverless_dist.plan.options import Option, Plan, judge

# 8, 20, 42 and 62 are those of the FSD-Inference paper.
RANKS = (1, 2, 4, 8, 16, 20, 32, 42, 62, 128, 256, 512, 1_000)
MEMORY_MB = (1_000, 1_500, 1_769, 2_048, 3_008, 4_096, 5_120, 7_168, 10_240)
_GROUP_SIZES = (2, 4, 8, 16, 32)  # functions of one group among several
_BATCHES = (1, 4)
_SERIAL_BATCHES = (1, 4, 16)
_PIPELINE_BATCHES = (1, 4, 16, 64)


@dataclass(frozen=True, slots=True)
class Search:
    """Which ways are looked at.

    Attributes
    ----------
    strategies, channels
        How it may be split, and how ranks may talk.
    ranks, memory_mb
        How many functions there may be, and how large.
    """

    strategies: tuple[Strategy, ...] = tuple(Strategy)
    channels: tuple[Via, ...] = tuple(Via)
    ranks: tuple[int, ...] = RANKS
    memory_mb: tuple[int, ...] = MEMORY_MB

    def __post_init__(self) -> None:
        for ranks in self.ranks:
            if ranks < 1:
                msg = f"{ranks} ranks cannot run at a time: use 1 or more"
                raise UsageError(msg)
        least, most = LAMBDA_MEMORY_MB
        for memory in self.memory_mb:
            if not least <= memory <= most:
                msg = f"a function cannot have {memory} MB: use {least} to {most}"
                raise UsageError(msg)


def plan_inference(
    shape: Shape,
    prices: Prices,
    *,
    profile: Profile = US_EAST_1,
    kernel: Kernel | None = None,
    is_cold: bool = True,
    search: Search | None = None,
    others: Sequence[Option] = (),
    within: float | None = None,
    budget: float | None = None,
) -> Plan:
    """Return all ways to infer, those that cannot be with the reason.

    Parameters
    ----------
    shape
        The network, the samples and what they do.
    prices, profile
        What the cloud costs, and how long it takes.
    kernel
        How fast a function computes.
    is_cold
        Whether functions have no warm environments to start in.
    search
        Which ways to look at.
    others
        What else is to be compared with, as what somebody else has measured.
    within, budget
        Seconds and dollars that the recommended way may take; see `judge`.

    Raises
    ------
    UsageError
        No way can be, or keeps to the deadline and the budget; the message says what
        would be needed.
    """
    search = search or Search()
    setting = Setting(shape, profile, kernel or Kernel(), is_cold)
    options = [
        option
        for way in _ways(setting, search)
        for option in _options(way, search.memory_mb, prices)
    ]
    if not options:
        msg = (
            f"nothing fits what was asked for: {', '.join(search.strategies)} over"
            f" {', '.join(map(str, search.ranks))} ranks"
        )
        raise UsageError(msg)
    return Plan(
        title=f"{shape.neurons:,} neurons x {shape.layers:,} layers,"
        f" {shape.samples:,} samples",
        question=_question(shape, setting, within, budget),
        region=prices.region,
        profile=profile.name,
        options=judge([*options, *others], within=within, budget=budget),
    )


def _question(
    shape: Shape, setting: Setting, within: float | None, budget: float | None
) -> dict[str, int | float | str | None]:
    return {
        "neurons": shape.neurons,
        "layers": shape.layers,
        "samples": shape.samples,
        "start": "cold" if setting.is_cold else "warm",
        "edges_per_second": setting.kernel.edges_per_second,
        "within": within,
        "budget": budget,
    }


def _ways(setting: Setting, search: Search) -> Iterator[Way]:
    """Yield all ways that are looked at, each once."""
    for ranks in sorted(set(search.ranks)):
        for split in _splits(setting.shape, ranks, search.channels):
            if split.strategy in search.strategies:
                yield rows_way(setting, split)
        for pipeline in _pipelines(setting.shape, ranks, search):
            yield layers_way(setting, pipeline)


def _splits(shape: Shape, ranks: int, channels: Sequence[Via]) -> Iterator[Split]:
    """Yield how rows and samples may be dealt out to so many ranks."""
    if ranks <= shape.samples:
        for batches in _SERIAL_BATCHES:
            if ranks * batches <= shape.samples:
                yield Split(ranks, 1, batches, None)
    sizes = [ranks] if ranks > 1 else []
    sizes += [rows for rows in _GROUP_SIZES if rows < ranks and ranks % rows == 0]
    for rows in sizes:
        groups = ranks // rows
        for batches in _BATCHES if groups == 1 else (1,):
            if rows <= shape.neurons and groups * batches <= shape.samples:
                for via in channels:
                    yield Split(groups, rows, batches, via)


def _pipelines(shape: Shape, ranks: int, search: Search) -> Iterator[Pipeline]:
    """Yield how layers and samples may be dealt out to so many ranks."""
    sizes = [ranks] if ranks > 1 and Strategy.LAYERS in search.strategies else []
    if Strategy.LAYERS_SAMPLES in search.strategies:
        sizes += [each for each in _GROUP_SIZES if each < ranks and ranks % each == 0]
    for stages in sizes:
        groups = ranks // stages
        for batches in _PIPELINE_BATCHES if groups == 1 else (4,):
            if stages <= shape.layers and groups * batches <= shape.samples:
                for via in search.channels:
                    yield Pipeline(groups, stages, batches, via)


def _options(way: Way, memory_mb: Sequence[int], prices: Prices) -> Iterator[Option]:
    cost = cache(way.cost)  # most sizes have a whole vCPU
    for memory in sorted(set(memory_mb)):
        yield _option(way, memory, cost(vcpu_share(memory)), prices)


def _option(way: Way, memory: int, cost: Cost, prices: Prices) -> Option:
    billed = {kind: round(number) for kind, number in cost.tally.billed.items()}
    spent = dollars(billed, cost.billed_seconds * memory / 1_024, prices)
    total = spent.pop("total")
    requests = {kind: round(number) for kind, number in cost.tally.requests.items()}
    return Option(
        name=_name(way, memory),
        strategy=way.strategy,
        channel=way.via,
        ranks=way.ranks,
        memory_mb=memory,
        seconds=cost.seconds,
        dollars=total,
        lines=spent,
        requests={kind: number for kind, number in requests.items() if number},
        choices={**way.choices, "needed_mb": math.ceil(way.holds.total)},
        reason=refusal(way.holds, memory, ranks=way.ranks, seconds=cost.longest),
    )


def _name(way: Way, memory: int) -> str:
    """Return a name that no other option has."""
    groups, batch = way.choices["groups"], way.choices["batch"]
    words = [str(way.strategy), f"{way.ranks} x {memory:,} MB"]
    if way.strategy in (Strategy.ROWS_SAMPLES, Strategy.LAYERS_SAMPLES):
        words[1] = f"{groups} x {way.ranks // groups} x {memory:,} MB"
    if way.via is not None:
        words.append(str(way.via))
    return f"{', '.join(words)}, batch {batch:,}"
