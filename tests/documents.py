"""Reports and plans as they look in JSON, made up from a seed."""

from random import Random
from typing import Any

from serverless_dist.cloud import Usage
from serverless_dist.comm import Phase, Span
from serverless_dist.plan.options import Option, Plan, judge
from serverless_dist.runtime.control import Phases
from serverless_dist.runtime.report import Pair
from tests.reports import made_up

PHASES = tuple(phase.value for phase in Phase)
ITEMS = (
    "sns:PublishBatch",
    "sns:Delivery",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessageBatch",
    "s3:PutObject",
    "s3:GetObject",
    "lambda:Invoke",
)
GB_SECOND = 0.0000166667  # dollars


def report(
    *, ranks: int, rounds: int, seed: int, traced: bool = True, dense: bool = False
) -> dict[str, Any]:
    """Return the report of a run whose ranks compute and exchange, round by round.

    A traced one has three spans for each round, and two more. A dense one has traffic
    between all pairs of ranks.
    """
    random = Random(seed)
    timeline = _timeline(random, ranks, rounds)
    seconds = max(spans[-1][2] for spans in timeline)
    traffic = _traffic(random, ranks, rounds, dense=dense)
    requests = {name: random.randrange(ranks, 9 * ranks * rounds) for name in ITEMS}
    sent = sum(size for _, _, _, size in traffic)
    return made_up(
        job=f"{seed:032x}",
        ranks=ranks,
        channel="hybrid",
        cloud="simulated",
        seconds=seconds,
        usage=Usage(
            requests,
            {name: 2 * number for name, number in requests.items()},
            sent={"s3:PutObject": sent},
            received={"s3:GetObject": sent},
            retries={"sqs:ReceiveMessage": 3} if ranks > 4 else {},
        ),
        phases=[_phases(row) for row in timeline],
        dropped={"duplicate": ranks // 4},
        traffic=traffic,
        timelines=dict(enumerate(timeline)) if traced else {},
        simulation={
            "profile": "us-east-1",
            "seed": seed,
            "compute": "measured",
            "throttled": {},
        },
    ).to_dict()


def plan(*, options: int, seed: int, feasible: bool = True) -> dict[str, Any]:
    """Return a plan with so many options, of which a few or all cannot be done."""
    random = Random(seed)
    made = [_option(random, index, feasible=feasible) for index in range(options)]
    return Plan(
        title="Inference of 10,000 samples, 65,536 neurons, 120 layers",
        question={"neurons": 65_536, "layers": 120, "samples": 10_000},
        region="us-east-1",
        profile="us-east-1",
        options=judge(made) if feasible else tuple(made),
    ).to_dict()


def _timeline(random: Random, ranks: int, rounds: int) -> list[list[Span]]:
    """Let everybody wait in each round for whoever is slowest among its neighbours."""
    clocks = [0.0] * ranks
    rows: list[list[Span]] = [[] for _ in range(ranks)]

    def spend(rank: int, phase: str, until: float) -> None:
        rows[rank].append((Phase(phase), clocks[rank], until))
        clocks[rank] = until

    for rank in range(ranks):
        spend(rank, "boot", 0.2 + 0.05 * (rank + 1).bit_length() + random.random() / 10)
        spend(rank, "load", clocks[rank] + random.uniform(0.3, 0.6))
    for turn in range(rounds):
        for rank in range(ranks):
            slow = 3.0 if rank % 97 == 13 else 1.0
            spend(rank, "compute", clocks[rank] + slow * random.uniform(0.02, 0.03))
            spend(rank, "send", clocks[rank] + random.uniform(0.008, 0.02))
        stride = 1 << turn % max(1, (ranks - 1).bit_length())
        came = [
            max(clocks[rank], clocks[rank ^ stride if rank ^ stride < ranks else rank])
            for rank in range(ranks)
        ]
        for rank in range(ranks):
            spend(rank, "wait", came[rank] + random.lognormvariate(-4.0, 0.6))
    return rows


def _phases(spans: list[Span]) -> Phases:
    spent = dict.fromkeys(PHASES, 0.0)
    for phase, start, stop in spans:
        spent[phase] += stop - start
    return Phases(**spent)


def _traffic(random: Random, ranks: int, rounds: int, *, dense: bool) -> list[Pair]:
    strides = [1 << turn for turn in range(max(1, (ranks - 1).bit_length()))]
    pairs = [
        (source, dest)
        for source in range(ranks)
        for dest in (range(ranks) if dense else [source ^ stride for stride in strides])
        if dest < ranks and dest != source
    ]
    return [
        (*pair, rounds, rounds * int(random.lognormvariate(9.0, 1.5))) for pair in pairs
    ]


def _option(random: Random, index: int, *, feasible: bool) -> Option:
    strategy = ("rows split", "samples split", "layers split")[index % 3]
    ranks = 2 ** (index % 8)
    channel = None if ranks == 1 else ("queue", "object", "hybrid")[index % 3]
    seconds = 600 / ranks**0.8 * random.uniform(0.8, 2.0)
    computing = seconds * ranks * 6.9 * GB_SECOND * random.uniform(0.9, 1.1)
    requests = {"sqs:SendMessageBatch": 1_000 * ranks, "s3:PutObject": 20 * ranks}
    lines = {"lambda": computing, "sns": 0.0, "sqs": ranks * 4e-4, "s3": ranks * 1e-4}
    reason = None
    if not feasible or index % 7 == 6:
        reason = f"needs {9_000 + index:,} MB of memory where 7,076 are to be had"
    return Option(
        name=f"{strategy} over {ranks}, {channel or 'alone'}, no. {index}",
        strategy=strategy,
        channel=channel,
        ranks=ranks,
        memory_mb=7_076,
        seconds=seconds,
        dollars=sum(lines.values()),
        lines=lines,
        requests=requests,
        choices={"batch": 10 * ranks},
        reason=reason,
    )
