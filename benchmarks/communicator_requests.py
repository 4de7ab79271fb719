"""What collective calls ask of a cloud, and how long their chains of requests are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from communicator_chains import Chain, Ledger, chained
from rich import box
from rich.console import Console
from rich.table import Column, Table

from serverless_dist import Communicator
from serverless_dist.cloud import MemoryCloud, Meter, MeteredCloud
from serverless_dist.comm import Endpoint
from serverless_dist.runtime.channels import open_channel
from serverless_dist.testing import run_threads
from serverless_dist.wire import JobKey

RANKS = (4, 8, 16, 32, 64)
ROUNDS = 3  # chains depend a little on who comes first: the median is told
ITEM = np.zeros(1)  # what each rank contributes for each other: 8 bytes


@dataclass(frozen=True, slots=True)
class Cost:
    """What one collective call of all ranks took.

    Attributes
    ----------
    call, channel, ranks
        What was called, over what, by how many.
    messages
        Bodies that reached a queue, or objects that were put.
    requests, busiest
        Requests that did something: of all ranks, and of the rank with most.
    empty
        Requests that found nothing.
    bytes
        Payload sent, as it travels.
    chain
        The longest chain of requests.
    serial
        The chain of a system that moves one object after the other, as FMI's S3
        channel does: None if it has no such call.
    """

    call: str
    channel: str
    ranks: int
    messages: int
    requests: int
    busiest: int
    empty: int
    bytes: int
    chain: int
    serial: int | None


CALLS: dict[str, Callable[[Communicator], Any]] = {
    "allreduce": lambda comm: comm.allreduce(ITEM),
    "gather": lambda comm: comm.gather(ITEM),
    "scatter": lambda comm: comm.scatter([ITEM] * comm.size),
    "bcast": lambda comm: comm.bcast(ITEM),
    "alltoall": lambda comm: comm.alltoall([ITEM] * comm.size),
}
# A root that puts, or gets, one object for each other rank, and what stands before
# and after that: allreduce gathers, adds up, puts, and the others get.
SERIAL: dict[str, Callable[[int], int]] = {
    "allreduce": lambda ranks: ranks + 2,
    "gather": lambda ranks: ranks,
    "scatter": lambda ranks: ranks,
    "bcast": lambda ranks: 2,
}


def measure(call: str, channel: str, ranks: int) -> Cost:
    """Call it once on all ranks, which have said nothing to each other before."""
    key = JobKey(bytes(16), bytes(32))
    cloud, ledger = MemoryCloud(ranks), Ledger()
    chains = [Chain(ledger) for _ in range(ranks)]
    meters = [Meter() for _ in range(ranks)]
    lengths = [0] * ranks

    def function(rank: int) -> None:
        metered = MeteredCloud(chained(cloud, chains[rank]), meters[rank])
        transport = open_channel(
            channel,
            rank,
            ranks,
            cloud=metered,
            key=key,
            sockets=Path(),
            meter=meters[rank],
        )
        CALLS[call](Communicator.world(Endpoint(transport, channel=channel)))
        lengths[rank] = chains[rank].length
        transport.close()

    run_threads(ranks, function)
    usages = [meter.usage() for meter in meters]
    useful = [
        sum(usage.requests.values()) - chain.empty
        for usage, chain in zip(usages, chains, strict=True)
    ]
    is_known = call in SERIAL and channel == "object"
    return Cost(
        call=call,
        channel=channel,
        ranks=ranks,
        messages=sum(chain.messages for chain in chains),
        requests=sum(useful),
        busiest=max(useful),
        empty=sum(chain.empty for chain in chains),
        bytes=sum(usage.bytes_sent for usage in usages),
        chain=max(lengths),
        serial=SERIAL[call](ranks) if is_known else None,
    )


def measure_costs() -> list[Cost]:
    """Return what every call takes over queues and objects, the fewest ranks first."""
    return [
        sorted(
            (measure(call, channel, ranks) for _ in range(ROUNDS)),
            key=lambda cost: cost.chain,
        )[ROUNDS // 2]
        for channel in ("queue", "object")
        for call in CALLS
        for ranks in RANKS
    ]


def print_costs(console: Console, costs: list[Cost]) -> None:
    """Print a table for each channel, as the ranks grow in number."""
    names = ["ranks", "messages", "requests", "busiest", "empty", "bytes", "chain"]
    for channel in dict.fromkeys(cost.channel for cost in costs):
        table = Table(
            Column("call", no_wrap=True, min_width=max(map(len, CALLS))),
            *(Column(name, justify="right") for name in (*names, "serial")),
            title=f"One call over {channel}, 8 bytes from rank to rank",
            caption="busiest: requests of one rank; empty: requests that found nothing;"
            " chain: requests that had to follow one another; serial: the chain if a"
            " root moves one object after the other, as FMI does on S3",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        for cost in costs:
            if cost.channel == channel:
                table.add_row(*cells(cost), end_section=cost.ranks == RANKS[-1])
        console.print(table)


def cells(cost: Cost) -> list[str]:
    """Return a row of the table."""
    numbers = (cost.ranks, cost.messages, cost.requests, cost.busiest, cost.empty)
    last = "-" if cost.serial is None else str(cost.serial)
    texts = [f"{number:,}" for number in (*numbers, cost.bytes, cost.chain)]
    return [cost.call, *texts, last]
