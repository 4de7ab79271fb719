"""What surrounds a rank in virtual time."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NoReturn

from serverless_dist.cloud import Meter, MeteredCloud
from serverless_dist.cloud.limits import LAMBDA_TIMEOUT
from serverless_dist.cloud.simulated.functions import Environment
from serverless_dist.comm import Endpoint
from serverless_dist.runtime.control import Traced
from serverless_dist.runtime.guard import LAST_SECONDS, Abandoned
from serverless_dist.runtime.simulated.deadlock import Ledger, WatchedTransport
from serverless_dist.runtime.surroundings import Surroundings
from serverless_dist.transport import Channel

_log = logging.getLogger(__name__)
_TICK = 2.0  # seconds between two looks at the lifeline, as those of a function
_NAMED = 20  # ranks that an error names in its first line


class SimulatedSurroundings(Surroundings):
    """A function of a simulated cloud.

    Parameters
    ----------
    environment
        What it runs in.
    meter
        What its requests are counted in.
    lease
        The blob that the rank lives by.
    ledger
        Knows what all ranks do.
    watch
        Is told of the rank's timeline, which takes nobody's time.
    """

    def __init__(
        self,
        environment: Environment,
        meter: Meter,
        *,
        lease: str,
        ledger: Ledger,
        watch: Callable[[Traced], None],
    ) -> None:
        machine = environment.machine
        super().__init__(MeteredCloud(machine, meter), meter)
        self.seconds = LAMBDA_TIMEOUT - LAST_SECONDS
        self.clock = machine.clock
        self._init = environment.init
        self._began = self.clock.now()
        self._lease = lease
        self._ledger = ledger
        self._watch = watch

    def calendar(self) -> float:
        """Return the virtual seconds since the beginning."""
        return self.clock.now()

    def boot(self, started: float) -> float:
        """Return the seconds that were billed until now."""
        del started
        return self._init + self.clock.now() - self._began

    def observed(self, transport: Channel) -> Channel:
        """Return the transport, with the ledger told of its messages."""
        return WatchedTransport(transport, self._ledger)

    def meet(self, endpoint: Endpoint) -> None:
        """Have the ledger know what the rank waits for."""
        self._ledger.meet(endpoint)

    def guarded(self, on_tick: Callable[[], None]) -> AbstractContextManager[object]:
        """Return a context in which the lifeline is looked at, as a function does."""
        del on_tick
        return self._guarded()

    def untold(self, traced: Sequence[Traced]) -> Sequence[Traced]:
        """Tell of the rank's timeline without a message: to look changes nothing."""
        for each in traced:
            self._watch(each)
        return ()

    def leave(self, code: int) -> NoReturn:
        """End the rank."""
        msg = f"the rank has left with code {code}"
        raise Abandoned(msg)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        changed = self.clock.condition()
        is_over = False

        def look() -> None:
            with changed:
                while not is_over:
                    self.cloud.blobs.get(self._lease)
                    changed.wait(_TICK)

        work = self.clock.start(look, "serverless_dist guard")
        try:
            yield
        finally:
            is_over = True
            with changed:
                changed.notify_all()
            work.join()
