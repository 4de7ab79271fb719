"""What all services and functions of a simulated cloud share."""

from collections import Counter
from collections.abc import Callable

from serverless_dist.cloud.chances import Chances
from serverless_dist.cloud.latency import Latency, Profile
from serverless_dist.cloud.limits import vcpu_share
from serverless_dist.cloud.network import Link, Quota
from serverless_dist.cloud.services import Work
from serverless_dist.cloud.simulated.mailbox import Mailbox
from serverless_dist.cloud.simulated.store import Store
from serverless_dist.cloud.virtual.time import VirtualTime

_TWIN = Latency(0.1, 0.4, 1.0)  # from a message to its second copy: an estimate


class World:
    """The time, what is left to chance, and what the services hold.

    Attributes
    ----------
    throttled
        How many requests, by operation, a service has put off as too many.
    """

    def __init__(
        self, time: VirtualTime, *, mailboxes: int, profile: Profile, seed: int
    ) -> None:
        self.time = time
        self.profile = profile
        self.chances = Chances(seed)
        self.mailboxes = [Mailbox() for _ in range(mailboxes)]
        self.store = Store()
        self.throttled: Counter[str] = Counter()
        self._quotas = {
            "s3:PutObject": Quota(profile.s3_put_rate),
            "s3:GetObject": Quota(profile.s3_get_rate),
            "sns:PublishBatch": Quota(profile.sns_rate),
        }

    def arrive(self, mailbox: Mailbox, body: bytes) -> None:
        """Let a message come into a mailbox, maybe twice."""
        mailbox.arrive(body)
        if self.chances.happens(self.profile.duplicate_share):
            later = self.chances.draw(_TWIN)
            self.time.call_in(later, lambda: mailbox.arrive(body))

    def arrive_in(self, seconds: float, mailbox: Mailbox, body: bytes) -> None:
        """Let a message come into a mailbox in `seconds`, maybe twice."""
        self.time.call_in(seconds, lambda: self.arrive(mailbox, body))

    def hold_up(self, operation: str, count: int = 1) -> float:
        """Return for how many seconds a service puts off so many requests more."""
        delay = self._quotas[operation].delay(self.time.now(), count)
        if delay:
            self.throttled[operation] += count
        return delay


class Host:
    """What a function runs on: a share of a vCPU, and a network of its own.

    Attributes
    ----------
    memory_mb
        Its memory.
    share
        Of a vCPU that one thread gets.
    """

    def __init__(self, world: World, memory_mb: int) -> None:
        self.world = world
        self.memory_mb = memory_mb
        self.share = vcpu_share(memory_mb)
        self._free = 0.0  # when the processor will have done all that it has to do
        profile = world.profile
        self._out, self._in = (
            Link(
                burst_bytes=profile.burst_bytes,
                burst_rate=profile.burst_rate,
                rate=profile.network_rate,
            )
            for _ in range(2)
        )

    def start(self, work: Callable[[], object], name: str) -> Work:
        """Have `work` done on this host from now on."""
        return self.world.time.start_with(work, name, self.share)

    def compute(self, seconds: float) -> None:
        """Use a whole vCPU for so long; with less than one it takes longer."""
        self.world.time.sleep(self.busy(seconds))

    def busy(self, seconds: float) -> float:
        """Return in how many seconds a vCPU will have done so much more.

        What strands of one host ask for so is done one after the other: of the threads
        of one process, one runs at a time. What is measured is not.
        """
        now = self.world.time.now()
        self._free = max(now, self._free) + seconds / self.share
        return self._free - now

    def upload(self, nbytes: int, after: float = 0.0) -> float:
        """Return in how many seconds bytes that go `after` seconds will have left."""
        return after + self._out.pass_on(nbytes, self.world.time.now() + after)

    def download(self, nbytes: int, after: float = 0.0) -> float:
        """Return in how many seconds bytes that come `after` seconds will be there."""
        return after + self._in.pass_on(nbytes, self.world.time.now() + after)
