"""What all channels of a simulated collective share: functions, chances and counts."""

from collections import defaultdict

from serverless_dist.cloud import Usage
from serverless_dist.cloud.chances import Chances
from serverless_dist.cloud.latency import Profile
from serverless_dist.cloud.limits import vcpu_share
from serverless_dist.cloud.network import Link, Quota
from serverless_dist.plan.collectives.tally import Tally, usage_of


class ServicesClock:
    """Functions and services as a `SimulatedCloud` has them, without their data.

    Parameters
    ----------
    ranks
        How many functions.
    profile
        What the cloud is like.
    memory_mb
        Of a function.
    seed
        Of all that is left to chance.
    """

    def __init__(
        self, ranks: int, *, profile: Profile, memory_mb: int, seed: int
    ) -> None:
        self.profile = profile
        self.seed = seed
        self.share = vcpu_share(memory_mb)
        self.cpu = profile.request_cpu / self.share
        self.draw = Chances(seed).draw
        self.up = [self._link() for _ in range(ranks)]
        self.down = [self._link() for _ in range(ranks)]
        self.puts = Quota(profile.s3_put_rate)
        self.gets = Quota(profile.s3_get_rate)
        self.published = Quota(profile.sns_rate)
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)

    def __repr__(self) -> str:
        return f"<ServicesClock of {len(self.up)} functions, {self.profile.name}>"

    def _link(self) -> Link:
        profile = self.profile
        return Link(
            burst_bytes=profile.burst_bytes,
            burst_rate=profile.burst_rate,
            rate=profile.network_rate,
        )

    def usage(self) -> Usage:
        """Return what was counted."""
        return usage_of(self.tallies)

    def put(self, rank: int, nbytes: int, now: float) -> float:
        """Put an object at `now`; return when it is there."""
        self.tallies["s3:PutObject"].add_plain(sent=nbytes)
        now += self.cpu
        asked = self.puts.delay(now) + self.draw(self.profile.s3_put)
        return now + asked + self.stream(self.up[rank], nbytes, now)

    def get(self, rank: int, nbytes: int, now: float) -> float:
        """Get bytes that are there at `now`; return when they have come.

        The link is asked in the order in which what is side by side began.
        """
        self.tallies["s3:GetObject"].add_plain(received=nbytes)
        took = self.cpu + self.gets.delay(now) + self.draw(self.profile.s3_get)
        return now + took + self.stream(self.down[rank], nbytes, now)

    def stream(self, link: Link, nbytes: int, now: float) -> float:
        """Return how long bytes take over one connection and a function's link."""
        if not nbytes:
            return 0.0
        return max(link.pass_on(nbytes, now), nbytes / self.profile.stream_rate)
