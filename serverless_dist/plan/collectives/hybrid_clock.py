"""The hybrid channel in virtual time: what `HybridTransport` does.

All large bodies of a post are one object, which is put first; pointers to it go by
queue. What a poll brings is fetched side by side before the rank sees any of it.
"""

from collections.abc import Sequence

from serverless_dist.cloud.batches import TOPIC_MAX_BODY
from serverless_dist.cloud.limits import MAX_FILTERS
from serverless_dist.plan.collectives.queue_clock import QueueClock
from serverless_dist.plan.collectives.services_clock import ServicesClock
from serverless_dist.plan.collectives.steps_clock import Letter, Post, Ranks
from serverless_dist.plan.collectives.wire_sizes import pointer_size
from serverless_dist.wire.frames import header_reserve


class HybridClock(QueueClock):
    """Times and requests of the hybrid channel; see `QueueClock`."""

    def __init__(
        self,
        services: ServicesClock,
        size: int,
        ranks: Ranks,
    ) -> None:
        super().__init__(services, size, ranks)
        self._largest = TOPIC_MAX_BODY - header_reserve(min(size, MAX_FILTERS))
        self._puts = [0] * size

    def post(self, rank: int, posts: Sequence[Post], now: float) -> float:
        """Put what is large, then queue the rest and the pointers."""
        large = [post for post in posts if post.nbytes > self._largest]
        if large:
            now = self._services.put(rank, sum(post.nbytes for post in large), now)
            start = 0
            for post in large:
                start = self._point(rank, post, start)
            self._puts[rank] += 1
        return super().post(rank, posts, now)

    def receive(self, rank: int, now: float) -> tuple[list[Letter], float]:
        """Take what is there, and fetch what it points to."""
        letters, then = super().receive(rank, now)
        places = [letter.place for letter in letters if letter.place >= 0]
        fetched = (self._services.get(rank, place, then) for place in places)
        return letters, max(fetched, default=then)

    def _point(self, rank: int, post: Post, start: int) -> int:
        """Let a pointer take a body's place; return where the body ends."""
        stop = start + post.nbytes
        for letter in post.letters:
            letter.place = post.nbytes
        post.nbytes = pointer_size(rank, self._puts[rank], start, stop)
        return stop
