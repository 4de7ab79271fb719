"""A way to infer: who holds what, and what it takes for a given share of a vCPU."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from serverless_dist.cloud.latency import Profile
from serverless_dist.plan.inference.exchanges import RequestSums, Via
from serverless_dist.plan.inference.kernels import Kernel
from serverless_dist.plan.inference.memory import Held
from serverless_dist.plan.inference.shapes import Shape
from serverless_dist.plan.inference.starts import Start, start


class Strategy(StrEnum):
    """How an inference is split over functions."""

    SERIAL = "serial"
    SAMPLES = "samples"
    ROWS = "rows"
    ROWS_SAMPLES = "rows-samples"
    LAYERS = "layers"
    LAYERS_SAMPLES = "layers-samples"


@dataclass(frozen=True)
class Setting:
    """What is to be inferred, and on what."""

    shape: Shape
    profile: Profile
    kernel: Kernel
    is_cold: bool

    @cached_property
    def _starts(self) -> dict[int, Start]:
        return {}

    def start(self, ranks: int) -> Start:
        """Return what it takes to start so many functions."""
        if ranks not in self._starts:
            self._starts[ranks] = start(ranks, self.profile, is_cold=self.is_cold)
        return self._starts[ranks]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a way takes.

    Attributes
    ----------
    seconds
        From the first request until the answer is there.
    billed_seconds
        Of all functions together.
    longest
        Of the one that runs longest.
    tally
        Requests of all.
    """

    seconds: float
    billed_seconds: float
    longest: float
    tally: RequestSums


@dataclass(frozen=True, slots=True)
class Way:
    """One way to infer, for functions of any size.

    Attributes
    ----------
    strategy, via, ranks
        How it is split, how ranks talk (None: they do not), and how many there are.
    holds
        What the function holds that holds most.
    cost
        What it takes, given the share of a vCPU that each function has.
    choices
        What else was chosen.
    """

    strategy: Strategy
    via: Via | None
    ranks: int
    holds: Held
    cost: Callable[[float], Cost]
    choices: Mapping[str, int]
