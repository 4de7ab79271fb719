"""The object channel in virtual time: what `BlobTransport` does, request by request.

A post is one PUT. A receiver looks for the next object of each rank that it waits for,
sixteen at a time, in two lanes: what was put for it alone, and what was put for
several. When it finds nothing it looks again after a pause that doubles. Of an object
for several it reads the head, the rest of the index and its own frames.

Nobody is told that an object is there, so receivers look in vain, and pay. When those
who look ask S3 for more than a prefix gives, each of them gets its share of that.
"""

from collections.abc import Sequence
from heapq import heapreplace

import numpy as np

from serverless_dist.cloud import Usage
from serverless_dist.cloud.limits import S3_MAX_DELETE
from serverless_dist.plan.collectives.services_clock import ServicesClock
from serverless_dist.plan.collectives.steps_clock import Letter, Post, Ranks
from serverless_dist.plan.collectives.wire_sizes import (
    frame_head,
    frame_sizes,
    index_size,
    number_size,
)
from serverless_dist.transport.blobs import (
    FIRST_PAUSE,
    GETS_BESIDE,
    HEAD_BYTES,
    LAST_PAUSE,
)

_LONG = 5.0  # seconds of looking in vain that are drawn in blocks of so many looks:
_BLOCK = 128
_READ_AT = 0.5  # of a read's time has passed when it sees what is there: an estimate


class _Crate:
    """An object as one receiver sees it.

    Attributes
    ----------
    there
        When it is there.
    is_shared
        Whether it is for several.
    letters
        What it has for this receiver.
    reads
        The bytes of each GET that it takes.
    """

    __slots__ = ("is_shared", "letters", "reads", "there")

    def __init__(self, there: float, *, is_shared: bool) -> None:
        self.there = there
        self.is_shared = is_shared
        self.letters: list[Letter] = []
        self.reads: list[int] = []


class _Looker:
    """A receiver: what was put for it, and where it is in its looks."""

    __slots__ = (
        "crates",
        "found",
        "is_idle",
        "is_over",
        "kept",
        "next_look",
        "pause",
        "prefers_shared",
        "sources",
        "todo",
        "workers",
    )

    def __init__(self) -> None:
        self.crates: dict[int, list[_Crate]] = {}  # by source, not yet read
        self.prefers_shared: set[int] = set()  # sources whose shared lane came last
        self.sources: Sequence[int] = ()  # whom it waits for
        self.is_idle = False  # it looks, but nothing is on its way
        self.is_over = False  # the look under way has but to end
        self.pause = 0.0
        self.next_look = 0.0
        self.todo: list[int] = []  # sources that the look under way has not come to
        self.workers: list[float] = []  # when each GET of that look is free for more
        self.found: list[_Crate] = []
        self.kept = 0  # objects for it alone that it has read


class ObjectClock:
    """Times and requests of the object channel; see `QueueClock`."""

    def __init__(
        self,
        services: ServicesClock,
        size: int,
        ranks: Ranks,
    ) -> None:
        self._services = services
        self._ranks = ranks
        self._lookers = [_Looker() for _ in range(size)]
        self._askers = 0  # GETs that may be under way at a time, of all ranks
        self._idlers = 0  # and those of ranks that are idle
        self._gets = services.tallies["s3:GetObject"]
        self._generator = np.random.default_rng([services.seed, 1])
        self._latency = services.profile.s3_get
        self._typical = services.cpu + self._latency.mean
        # GETs that S3 answers at once before it holds any back, and when that was so.
        self._spare, self._told = services.profile.s3_get_rate, 0.0

    def __repr__(self) -> str:
        return f"<ObjectClock of {len(self._lookers)} ranks>"

    def usage(self) -> Usage:
        """Return what was counted."""
        return self._services.usage()

    def post(self, rank: int, posts: Sequence[Post], now: float) -> float:
        """Put everything as one object; return when it is there."""
        if len(posts) == 1 and len(posts[0].dests) == 1:
            return self._post_one(rank, posts[0], now)
        sizes = [frame_sizes(p.nbytes, rank, p.dests, None)[0] for p in posts]
        index = index_size([(p.dests, s) for p, s in zip(posts, sizes, strict=True)])
        total = index + sum(sizes)
        there = self._services.put(rank, total, now)
        is_shared = len({dest for post in posts for dest in post.dests}) > 1
        crates: dict[int, _Crate] = {}
        head = max(min(HEAD_BYTES, total), index) if is_shared else total
        stop = index
        for post, size in zip(posts, sizes, strict=True):
            stop += size
            for dest, letter in zip(post.dests, post.letters, strict=True):
                if dest not in crates:
                    crates[dest] = _Crate(there, is_shared=is_shared)
                    crates[dest].reads = _heads(total, index) if is_shared else [total]
                crates[dest].letters.append(letter)
                if stop > head:
                    crates[dest].reads.append(size)
        for dest, crate in crates.items():
            self._lay(rank, dest, crate, now)
        return there

    def _post_one(self, rank: int, post: Post, now: float) -> float:
        """Do what `post` does for one message to one rank: that is most of them."""
        (dest,) = post.dests
        size = frame_head(rank, post.dests) + post.nbytes
        total = 7 + number_size(dest) + number_size(size) + size
        crate = _Crate(self._services.put(rank, total, now), is_shared=False)
        crate.letters, crate.reads = post.letters, [total]
        self._lay(rank, dest, crate, now)
        return crate.there

    def wait(self, rank: int, now: float) -> None:
        """Look from `now` on for the next objects of these."""
        looker = self._lookers[rank]
        looker.sources = self._ranks.missing(rank)
        if len(looker.sources) > 1:
            looker.sources = sorted(looker.sources)
        looker.next_look = max(looker.next_look, now)
        self._askers += min(len(looker.sources), GETS_BESIDE)
        self._plan_look(rank, looker)

    def happen(self, rank: int, now: float) -> None:
        """Look, a few sources at a time: meanwhile more may be put."""
        looker = self._lookers[rank]
        if looker.is_over:
            looker.is_over = False
            self._end_look(rank, looker)
            return
        if not looker.todo:
            looker.todo = [*reversed(looker.sources)]
            count = min(len(looker.todo), GETS_BESIDE)
            looker.workers = [looker.next_look] * count
        for _ in range(len(looker.workers)):
            source = looker.todo.pop()
            heapreplace(looker.workers, self._read(rank, looker, source))
            if not looker.todo:
                self._finish_look(rank, looker)
                return
        self._ranks.schedule(rank, looker.workers[0])

    def end(self, rank: int) -> None:
        """Count what is deleted in the end."""
        kept = self._lookers[rank].kept
        self._services.tallies["s3:DeleteObjects"].add_plain(-(-kept // S3_MAX_DELETE))

    def _plan_look(self, rank: int, looker: _Looker) -> None:
        crates = looker.crates
        looker.is_idle = not any(source in crates for source in looker.sources)
        if looker.is_idle:
            self._idlers += min(len(looker.sources), GETS_BESIDE)
        else:
            self._ranks.schedule(rank, looker.next_look)

    def _lay(self, source: int, dest: int, crate: _Crate, now: float) -> None:
        """Let a receiver have a crate that was begun to be put at `now`."""
        looker = self._lookers[dest]
        looker.crates.setdefault(source, []).append(crate)
        if looker.is_idle and source in looker.sources:
            looker.is_idle = False
            self._idlers -= min(len(looker.sources), GETS_BESIDE)
            self._look_in_vain(looker, crate.there if len(looker.sources) == 1 else now)
            self._ranks.schedule(dest, looker.next_look)

    def _look_in_vain(self, looker: _Looker, until: float) -> None:
        """Do the looks that are over by then: there is nothing to find."""
        count = len(looker.sources)
        wide = -(-count // GETS_BESIDE)  # how often each of those side by side asks
        latency, draw = self._latency, self._services.draw
        while True:
            asking = 2 * self._asking(looker.next_look)
            if count == 1 and until - looker.next_look > _LONG:
                self._look_long(looker, until, asking)
                continue
            if wide == 1:
                took = max(draw(latency) + draw(latency) for _ in range(count))
            else:
                took = sum(draw(latency) + draw(latency) for _ in range(wide))
            end = looker.next_look + took + wide * asking
            if end >= until:
                return
            self._gets.add_plain(2 * count)
            self._rest(looker, end)

    def _look_long(self, looker: _Looker, until: float, asking: float) -> None:
        """Do many of those looks, for one source, at once."""
        latency = self._latency
        waves = self._generator.standard_normal((2, _BLOCK))
        took = latency.floor * 2 + latency.median * np.exp(latency.sigma * waves).sum(0)
        ends = looker.next_look + np.cumsum(took + asking + LAST_PAUSE) - LAST_PAUSE
        count = int(np.searchsorted(ends, until - _LONG / 2))
        if count:
            self._gets.add_plain(2 * count)
            looker.pause = LAST_PAUSE
            looker.next_look = float(ends[count - 1]) + LAST_PAUSE
        else:  # one look takes longer than all that time
            self._gets.add_plain(2)
            self._rest(looker, float(ends[0]))

    def _asking(self, now: float) -> float:
        """Return the seconds before a GET is on its way: processor, and S3's limit."""
        rate = self._services.profile.s3_get_rate
        if now > self._told:
            # Those who are idle look, too; it is counted when it is known for how long.
            change = (rate - self._idlers / self._typical) * (now - self._told)
            self._spare = min(rate, max(0.0, self._spare + change))
            self._told = now
        if self._spare:
            return self._services.cpu
        return self._services.cpu + max(0.0, self._askers / rate - self._typical)

    def _read(self, rank: int, looker: _Looker, source: int) -> float:
        """Look for the next object of a source; return when that is done."""
        now = began = looker.workers[0]
        crates = looker.crates.get(source)
        crate = crates[0] if crates else None
        asking, prefers_shared = self._asking(now), source in looker.prefers_shared
        for is_shared in (prefers_shared, not prefers_shared):
            self._spare = max(0.0, self._spare - 1.0)
            took = self._services.draw(self._latency)
            sees = now + asking + took * _READ_AT
            now += asking + took
            if crate and crate.is_shared == is_shared and crate.there <= sees:
                self._take(looker, source, crate)
                return now + self._fetch(rank, crate.reads, began, asking)
            self._gets.add_plain()
        return now

    def _fetch(
        self, rank: int, reads: Sequence[int], began: float, asking: float
    ) -> float:
        """Return how long it takes to read an object once its first byte has come.

        The link is asked in the order in which what is side by side began.
        """
        services, took = self._services, 0.0
        for place, size in enumerate(reads):
            if place:
                took += asking + services.draw(self._latency)
            took += services.stream(services.down[rank], size, began)
            self._gets.add_plain(received=size)
        return took

    def _take(self, looker: _Looker, source: int, crate: _Crate) -> None:
        crates = looker.crates[source]
        del crates[0]
        if not crates:
            del looker.crates[source]
        looker.found.append(crate)
        if crate.is_shared:
            looker.prefers_shared.add(source)
        else:
            looker.prefers_shared.discard(source)
            looker.kept += 1

    def _finish_look(self, rank: int, looker: _Looker) -> None:
        """End the look; in its time, if others wait for what this rank asks of S3."""
        if self._spare:
            self._end_look(rank, looker)
        else:
            looker.is_over = True
            self._ranks.schedule(rank, max(looker.workers))

    def _end_look(self, rank: int, looker: _Looker) -> None:
        found, looker.found = looker.found, []
        end = max(looker.workers)
        if not found:
            self._rest(looker, end)
            self._plan_look(rank, looker)
            return
        for crate in found:
            for letter in crate.letters:
                letter.lacking = 0
        looker.pause, looker.next_look = 0.0, end
        self._askers -= min(len(looker.sources), GETS_BESIDE)
        self._ranks.go_on(rank, end)

    def _rest(self, looker: _Looker, end: float) -> None:
        looker.pause = min(2 * looker.pause or FIRST_PAUSE, LAST_PAUSE)
        looker.next_look = end + looker.pause


def _heads(total: int, index: int) -> list[int]:
    """Return the bytes of what is read of a shared object to know its index."""
    head = min(HEAD_BYTES, total)
    return [head] if index <= head else [head, index]
