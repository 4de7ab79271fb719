"""Lambda in virtual time: environments that are made, get warm, and are used again."""

from collections.abc import Callable
from dataclasses import dataclass

from serverless_dist.cloud.network import Quota
from serverless_dist.cloud.simulated import Machine, SimulatedCloud
from serverless_dist.cloud.simulated.world import Host

_AT_ONCE = 10.0  # seconds' worth of new environments that may be made at once


@dataclass(slots=True)
class Environment:
    """One environment of the function.

    Attributes
    ----------
    machine
        What it runs on.
    init
        Seconds that its last start was billed for in addition: 0 if it was warm.
    """

    machine: Machine
    init: float = 0.0


Handler = Callable[[Environment, bytes], None]


class SimulatedFunctions:
    """A function that runs `handler`.

    Parameters
    ----------
    cloud
        The cloud.
    handler
        What it does with an environment and a payload.
    memory_mb
        Its memory.
    warm
        How many environments are there already.
    """

    def __init__(
        self, cloud: SimulatedCloud, handler: Handler, *, memory_mb: int, warm: int = 0
    ) -> None:
        self._cloud = cloud
        self._handler = handler
        self._memory_mb = memory_mb
        self._idle = [Environment(cloud.machine(memory_mb)) for _ in range(warm)]
        rate = cloud.profile.environment_rate
        self._quota = Quota(rate, burst=_AT_ONCE * rate)
        self._started = 0

    def __repr__(self) -> str:
        return f"<SimulatedFunctions: {self._started} starts, {len(self._idle)} idle>"

    def invoke(self, host: Host, payload: bytes) -> None:
        """Start the handler, now and then twice; return when that was accepted."""
        profile, chances = self._cloud.profile, self._cloud.chances
        host.compute(profile.request_cpu)
        self._cloud.time.sleep(
            host.upload(len(payload)) + chances.draw(profile.lambda_accept)
        )
        self._begin(payload)
        if chances.happens(profile.duplicate_share):
            self._begin(payload)

    def _begin(self, payload: bytes) -> None:
        profile, chances = self._cloud.profile, self._cloud.chances
        seconds = chances.draw(profile.lambda_delivery)
        if self._idle:
            environment = self._idle.pop()
            environment.init = 0.0
        else:
            environment = Environment(self._cloud.machine(self._memory_mb))
            environment.init = chances.draw(profile.lambda_init)
            seconds += (
                self._quota.delay(self._cloud.time.now())
                + chances.draw(profile.lambda_environment)
                + environment.init
            )
        self._started += 1
        name = f"invocation {self._started}"

        def begin() -> None:
            environment.machine.start(lambda: self._handle(environment, payload), name)

        self._cloud.time.call_in(seconds, begin)

    def _handle(self, environment: Environment, payload: bytes) -> None:
        self._handler(environment, payload)
        self._idle.append(environment)
