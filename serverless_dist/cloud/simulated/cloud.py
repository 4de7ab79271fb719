"""A cloud in virtual time: real code uses it, its requests take published times.

What it is like is in `latency.Profile`. A function's requests cost it processor time
and go over its own network; a service answers after a time drawn from its distribution,
later if it is asked more often than it allows. Messages arrive when they do, in any
order, now and then twice.

Not modelled: requests that fail, short polls that see only a part of a queue, a prefix
of a bucket that is split as it gets busier.
"""

from serverless_dist.cloud.latency import US_EAST_1, Profile
from serverless_dist.cloud.limits import VCPU_MEMORY_MB
from serverless_dist.cloud.simulated.services import (
    SimulatedBlobs,
    SimulatedQueue,
    SimulatedTopic,
)
from serverless_dist.cloud.simulated.world import Host, World
from serverless_dist.cloud.virtual.time import VirtualTime
from serverless_dist.cloud.wrapped import Each


class SimulatedCloud(World):
    """The services that all machines of a simulation share.

    Parameters
    ----------
    time
        What it goes by.
    mailboxes
        How many queues there are.
    profile
        What the cloud is like.
    seed
        Of all that is left to chance.

    Examples
    --------
    >>> time = VirtualTime()
    >>> cloud = SimulatedCloud(time, mailboxes=1, seed=7)
    >>> queue = cloud.machine(memory_mb=1_769).mailboxes[0]
    >>> queue.send([b"hello"])
    >>> [delivery.body for delivery in queue.receive(1, wait=0.0)]
    [b'hello']
    >>> 0.01 < time.now() < 0.1
    True
    """

    def __init__(
        self,
        time: VirtualTime,
        *,
        mailboxes: int,
        profile: Profile = US_EAST_1,
        seed: int = 0,
    ) -> None:
        super().__init__(time, mailboxes=mailboxes, profile=profile, seed=seed)

    def __repr__(self) -> str:
        return f"<SimulatedCloud {self.profile.name} at {self.time.now():.3f} s>"

    def machine(self, memory_mb: int = VCPU_MEMORY_MB) -> "Machine":
        """Return a function with so much memory, as a `Cloud`."""
        return Machine(self, memory_mb)


class Machine(Host):
    """One function of a simulated cloud, and the cloud as it sees it; see `Cloud`."""

    def __init__(self, world: World, memory_mb: int) -> None:
        super().__init__(world, memory_mb)
        self.clock = world.time
        self.mailboxes = Each(world.mailboxes, lambda box: SimulatedQueue(self, box))
        self.topic = SimulatedTopic(self)
        self.blobs = SimulatedBlobs(self)

    def __repr__(self) -> str:
        return f"<Machine {self.memory_mb} MB of {self.world!r}>"

    def close(self) -> None:
        """Do nothing: the services belong to all."""
