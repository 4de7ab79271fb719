"""FSD-Inference, replayed on the simulated cloud: what its workers do, and when.

The workers say how much they compute, and send bodies of the right size; what becomes
of that is the simulated cloud's business.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import numpy as np
from validation_channels import (
    Channel,
    Job,
    ObjectChannel,
    QueueChannel,
    SampledMailbox,
)
from validation_effort import EDGE_BYTES, FITTED, PRODUCT_RATE, Effort
from validation_rows import LAYERS, Row
from validation_workload import plan_exchanges, settled_layers

from serverless_dist.cloud.latency import US_EAST_1, Profile
from serverless_dist.cloud.meter import Meter, Usage
from serverless_dist.cloud.simulated import Machine, SimulatedCloud
from serverless_dist.cloud.virtual import VirtualTime

LOADS = 122  # GETs of a worker before it begins
ALIKE = 12  # layers that stand for all that are alike
STAGES = ("begun", "ready", "settled", "done", "ended")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay came to.

    Attributes
    ----------
    seconds
        Of the batch: from when all have loaded to the final result.
    runtime
        The mean seconds that a function ran.
    loading
        The mean seconds of it before the batch.
    usage
        The requests of the layers, without loading and barriers.
    received
        Messages that were received, twice if they came twice.
    """

    seconds: float
    runtime: float
    loading: float
    usage: Usage
    received: int


class Replay:
    """One experiment on one channel; `run` does it.

    Once every value is the limit, all layers are alike: `ALIKE` of them are replayed
    and stand for all.

    Parameters
    ----------
    row
        The experiment.
    channel
        ``"queue"`` or ``"object"``.
    effort
        What the published code costs a processor.
    profile
        What the cloud is like; the processor time of requests is that of `effort`.
    seed
        Of all that is left to chance.
    alike
        How many of the layers that are alike are replayed.
    """

    def __init__(
        self,
        row: Row,
        channel: str,
        *,
        effort: Effort = FITTED,
        profile: Profile = US_EAST_1,
        seed: int = 0,
        alike: int = ALIKE,
    ) -> None:
        self.row = row
        self.channel = channel
        self.profile = replace(profile, request_cpu=0.0, sns_byte_cpu=0.0)
        self.seed = seed
        self.settled = settled_layers(row)
        alike = min(alike, LAYERS - self.settled)
        self.times = (LAYERS - self.settled) / alike
        self.job = Job(
            workers=row.workers,
            effort=effort,
            exchanges=plan_exchanges(row, channel, seed)[: self.settled + alike],
            meters=[Meter()] * self.settled + [Meter()] * alike,
        )
        self.edges = 32 * row.neurons // row.workers
        self._stamps: dict[str, list[float]] = {name: [] for name in STAGES}

    def run(self) -> Outcome:
        """Launch the workers, let them work, and return what it came to."""
        time = VirtualTime()
        cloud = SimulatedCloud(
            time, mailboxes=self.row.workers, profile=self.profile, seed=self.seed
        )
        generator = np.random.default_rng(self.seed)
        cloud.mailboxes = [
            SampledMailbox(self.job.effort.seen, generator) for _ in cloud.mailboxes
        ]
        cloud.store.put("model", bytes(self.edges * EDGE_BYTES))
        coordinator = cloud.machine(self.row.memory_mb)
        first = range(self.row.branching)
        time.start(lambda: self._launch(coordinator, first), "coordinator")
        time.run()
        return self._sum_up()

    def _sum_up(self) -> Outcome:
        begun, ready, settled, done, ended = (self._stamps[name] for name in STAGES)
        extra = (max(done) - max(settled)) * (self.times - 1)
        repeated = sum(
            n for layer, n in self.job.received.items() if layer >= self.settled
        )
        return Outcome(
            seconds=max(ended) - max(ready) + extra,
            runtime=fmean(ended) - fmean(begun) + extra,
            loading=max(ready) - fmean(begun),
            usage=self.job.meters[0].usage()
            + _times(self.job.meters[-1].usage(), self.times),
            received=self.job.received.total() + round(repeated * (self.times - 1)),
        )

    def _launch(self, machine: Machine, ranks: Iterable[int]) -> None:
        """Invoke functions, one after the other."""
        world = machine.world
        for rank in ranks:
            machine.compute(self.job.effort.request)
            world.time.sleep(world.chances.draw(world.profile.lambda_accept))
            other = Machine(world, self.row.memory_mb)
            other.start(partial(self._start, rank, other), f"worker {rank}")

    def _start(self, rank: int, machine: Machine) -> None:
        """Let a worker begin when its function is there."""
        profile, draw = self.profile, machine.world.chances.draw
        machine.clock.sleep(
            draw(profile.lambda_delivery)
            + draw(profile.lambda_environment)
            + draw(profile.lambda_init)
        )
        self._work(rank, machine)

    def _work(self, rank: int, machine: Machine) -> None:
        """Be worker number `rank`."""
        self._stamp("begun", machine)
        self._launch(machine, self._children(rank))
        for _ in range(LOADS):
            machine.compute(self.job.effort.request)
            machine.blobs.get("model")
            machine.compute(self.job.effort.edge * self.edges * LAYERS / LOADS)
        kind = QueueChannel if self.channel == "queue" else ObjectChannel
        channel: Channel = kind(self.job, rank, machine)
        channel.meet(0)
        self._stamp("ready", machine)
        share = machine.share
        slowness = np.random.default_rng([self.seed, rank]).lognormal(
            0.0, self.job.effort.jitter, len(self.job.exchanges)
        )
        for layer, exchange in enumerate(self.job.exchanges):
            machine.share = share / float(slowness[layer])
            if layer == self.settled:
                self._stamp("settled", machine)
            channel.send(layer)
            machine.compute(exchange.held / PRODUCT_RATE)
            channel.receive(layer)
            machine.compute(exchange.received / PRODUCT_RATE)
        self._stamp("done", machine)
        channel.meet(1)
        self._stamp("ended", machine)

    def _stamp(self, stage: str, machine: Machine) -> None:
        self._stamps[stage].append(machine.clock.now())

    def _children(self, rank: int) -> range:
        """Return whom a worker of the tree invokes."""
        first = self.row.branching * (rank + 1)
        return range(
            min(first, self.row.workers),
            min(first + self.row.branching, self.row.workers),
        )


def _times(usage: Usage, times: float) -> Usage:
    """Return what so many times as much would be."""

    def more(counts: dict[str, int]) -> dict[str, int]:
        return {operation: round(n * times) for operation, n in counts.items()}

    return Usage(
        more(usage.requests),
        more(usage.billed),
        more(usage.sent),
        more(usage.received),
    )
