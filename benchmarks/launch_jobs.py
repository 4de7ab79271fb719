"""Jobs that do nothing on emulated functions, and the moments of their launch."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from serverless_dist import Communicator, Config
from serverless_dist.cloud.emulated import EmulatedFabric
from serverless_dist.cloud.emulated_functions import Faults
from serverless_dist.runtime import fleets, launch
from serverless_dist.runtime.versions import versions

PHASES = ("open", "launch", "run", "end", "close")
_TICK = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM = 1, 11, 12  # fields of /proc/PID/stat after the name


@dataclass(frozen=True, slots=True)
class Launch:
    """One job; seconds are counted from where the driver begins to start ranks.

    Attributes
    ----------
    begun
        When the handler of each rank began, by this machine's one clock.
    entered
        When the function of each rank was called: its place is claimed by then.
    phases
        Seconds of the caller, by `PHASES`: until the mailboxes are leased; until the
        last handler has begun; until the driver has all results; until all ranks have
        said farewell; until `run` has returned.
    invocations
        How many functions began, by what they wrote to their logs.
    billed
        Billed requests of all ranks, the driver and the lease, by kind.
    cpu
        CPU seconds of the driver, the emulators and all functions.
    """

    begun: tuple[float, ...]
    entered: tuple[float, ...]
    phases: Mapping[str, float]
    invocations: int
    billed: Mapping[str, int]
    cpu: float

    @property
    def last(self) -> float:
        """When the last handler began."""
        return max(self.begun)


def look_at_the_clock(comm: Communicator) -> float:
    """Return the time at which a rank's function is called."""
    del comm
    return time.time()


class Lab:
    """A fabric with enough mailboxes for one job, which `run` takes for AWS.

    Parameters
    ----------
    fabric
        The fabric.
    """

    def __init__(self, fabric: EmulatedFabric) -> None:
        self.fabric = fabric

    def launch(
        self, ranks: int, *, branching: int | None = None, channel: str = "queue"
    ) -> Launch:
        """Run an empty job; a branching of None is what the package chooses."""
        config = Config(
            fabric=self.fabric.deployment.name,
            region=self.fabric.deployment.region,
            cloud="aws",
            channel=channel,
        )
        watch = _Watch()
        before, cpu = self.count("begins"), cpu_seconds()
        with watch.watching(branching):
            results = launch.run(look_at_the_clock, ranks=ranks, config=config)
        watch.note("returned")
        at = watch.moments
        entered = tuple(moment - at["start"] for moment in results)
        boots = [phases.boot for phases in results.report.phases]
        begun = tuple(e - boot for e, boot in zip(entered, boots, strict=True))
        phases = {
            "open": at["opened"] - at["called"],
            "launch": max(begun),
            "run": at["done"] - at["start"] - max(begun),
            "end": at["ended"] - at["done"],
            "close": at["returned"] - at["ended"],
        }
        invocations = self.count("begins") - before
        billed = results.report.usage.billed
        return Launch(begun, entered, phases, invocations, billed, cpu_seconds() - cpu)

    def count(self, word: str) -> int:
        """Return how many lines of the functions' logs end with a word."""
        lines = (
            line
            for log in Path(self.fabric.logs).glob("*.log")
            for line in log.read_text().splitlines()
        )
        return sum(line.endswith(word) for line in lines)


@contextmanager
def open_lab(mailboxes: int, latency: float = 0.0) -> Iterator[Lab]:
    """Give a lab whose functions start so many seconds after they are invoked."""
    settings = {"faults": Faults(delay=latency)}
    with ExitStack() as stack:
        fabric = EmulatedFabric(mailboxes, versions=versions(), settings=settings)
        stack.enter_context(fabric)
        here = {
            "AWS_ENDPOINT_URL": fabric.endpoint,
            "AWS_ENDPOINT_URL_LAMBDA": fabric.lambda_endpoint,
            "AWS_ACCESS_KEY_ID": "emulated",
            "AWS_SECRET_ACCESS_KEY": "emulated",
        }
        others = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        stack.enter_context(patch.dict(os.environ, others | here, clear=True))
        yield Lab(fabric)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and all that descend from it."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended in this moment
        stats[int(path.parent.name)] = text.rpartition(")")[2].split()
    family, found = set[int](), {os.getpid()}
    while found:
        family |= found
        found = {
            pid for pid, stat in stats.items() if int(stat[_PARENT]) in found
        } - family
    ticks = sum(int(stats[pid][_USER]) + int(stats[pid][_SYSTEM]) for pid in family)
    return ticks / _TICK


class _Watch:
    """Notes when the parts of `run` begin and end, of the process that calls it."""

    def __init__(self) -> None:
        self.moments: dict[str, float] = {}

    def note(self, name: str) -> None:
        self.moments[name] = time.time()

    @contextmanager
    def watching(self, branching: int | None) -> Iterator[None]:
        fleet = fleets.FunctionFleet
        with ExitStack() as stack:
            if branching is not None:
                chosen = patch.object(fleets, "choose_branching", lambda _: branching)
                stack.enter_context(chosen)
            for owner, name, begins, ends in (
                (launch, "open_cloud", "called", "opened"),
                (fleet, "start", "start", "started"),
                (fleet, "end", "done", "ended"),
            ):
                told = self._told(getattr(owner, name), begins, ends)
                stack.enter_context(patch.object(owner, name, told))
            yield

    def _told(
        self, function: Callable[..., Any], begins: str, ends: str
    ) -> Callable[..., Any]:
        def told(*args: Any) -> Any:
            self.note(begins)
            try:
                return function(*args)
            finally:
                self.note(ends)

        return told
