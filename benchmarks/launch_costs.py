"""What one invocation costs here, and what the launch tree could do with that."""

import os
import secrets
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from launch_jobs import Lab, cpu_seconds

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.cloud.aws_functions import LambdaFunctions
from serverless_dist.runtime.invitation import Invitation
from serverless_dist.runtime.rank import sealed
from serverless_dist.runtime.tree import children, last_start
from serverless_dist.wire import JobKey

_INVOCATIONS = 200  # enough for CPU seconds, which are counted in hundredths
_CHAINS = 9
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one invocation while the machine does nothing else.

    Attributes
    ----------
    invoke
        One Invoke call: the median of many, one after the other.
    start
        From the end of an Invoke call to where the handler is ready to make the next
        one, the injected latency included: of the driver's first rank or of the child
        of that rank, whichever is faster.
    cpu
        CPU seconds of an Invoke call and the start of its handler, which checks the
        invitation and ends: those of the caller, the emulator and the function.
    """

    invoke: float
    start: float
    cpu: float

    def theory(self, ranks: int, branching: int) -> float:
        """Return when the last rank starts if nobody waits for a CPU."""
        return last_start(
            ranks,
            branching,
            start=self.start,
            invoke=self.invoke,
            driver_invoke=self.invoke,
        )

    def cpu_time(self, ranks: int) -> float:
        """Return the seconds that the starts keep all cores of this machine busy."""
        return ranks * self.cpu / (os.cpu_count() or 1)


def depth(ranks: int, branching: int) -> int:
    """Return how many starts follow one another.

    >>> [depth(64, branching) for branching in (2, 8, 16, 64)]
    [6, 2, 2, 1]
    """
    levels, nodes = 0, range(1)
    while nodes:
        below = [children(node, ranks, branching) for node in (nodes[0], nodes[-1])]
        nodes = range(below[0].start + 1, below[1].stop + 1)
        levels += bool(nodes)
    return levels


def measure_costs(lab: Lab) -> Costs:
    """Return what an invocation costs; some environments are warm already."""
    invoke, cpu = _measure_refused(lab)
    # A job of one rank, and one whose first rank starts the second.
    one, two = (
        statistics.median(lab.launch(ranks, branching=1).last for _ in range(_CHAINS))
        for ranks in (1, 2)
    )
    return Costs(invoke, max(0.0, min(one, two - one) - invoke), cpu)


def _measure_refused(lab: Lab) -> tuple[float, float]:
    """Return seconds of an Invoke call, and CPU seconds of it and a start.

    The functions get invitations to a job of 1970, which they refuse.
    """
    deployment = lab.fabric.deployment
    (memory,) = deployment.functions
    address = AwsAddress(
        region=deployment.region,
        endpoint=None,
        queue_url_prefix=deployment.queue_url_prefix,
        topic_arns=deployment.topic_arns,
        bucket=deployment.bucket,
        mailboxes=1,
    )
    invitation = Invitation(
        key=JobKey.derive(deployment.secret, secrets.token_bytes(16)),
        rank=0,
        size=1,
        address=address,
        channel="queue",
        sockets=Path(),
        code="",
        inline=bytes(500),
        digest=bytes(32),
        started=0.0,
        timeout=1.0,
        wants_progress=False,
        algorithms={},
        versions=deployment.versions,
    )
    before, took = lab.count("refused"), []
    with closing(AwsClients(deployment.region, None)) as clients:
        functions = LambdaFunctions(
            clients.client("lambda"), deployment.function(memory)
        )
        functions.invoke(sealed(invitation))  # which opens the connection
        cpu = cpu_seconds()
        for _ in range(_INVOCATIONS):
            began = time.perf_counter()
            functions.invoke(sealed(invitation))
            took.append(time.perf_counter() - began)
        until = time.monotonic() + _PATIENCE
        while lab.count("refused") - before <= _INVOCATIONS:
            assert time.monotonic() < until, "functions do not refuse what is old"
            time.sleep(0.5)
        spent = cpu_seconds() - cpu
    return statistics.median(took), spent / _INVOCATIONS
