"""The queue channel in virtual time: what `QueueTransport` does, request by request.

A post to one rank is SendMessageBatch; posts to several at once are PublishBatch, one
topic for each 200 mailboxes, an entry naming all its targets. The sender goes on once
all of them are acknowledged. A receiver's long poll takes up to ten messages when the
first is there. Receipts are deleted by ten while the rank goes on, the rest at the end:
so what is counted is a job that makes this call and no other.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf

from serverless_dist.cloud import Usage
from serverless_dist.cloud.batches import (
    QUEUE_MAX_BODY,
    TOPIC_MAX_BODY,
    billed,
    entry_size,
    queue_batches,
    text_size,
    topic_batches,
)
from serverless_dist.cloud.limits import (
    MAX_BATCH,
    MAX_FILTERS,
    MAX_RECEIVE,
    MAX_WAIT,
)
from serverless_dist.plan.collectives.services_clock import ServicesClock
from serverless_dist.plan.collectives.steps_clock import Letter, Post, Ranks
from serverless_dist.plan.collectives.wire_sizes import frame_head, frame_sizes

_SHORT = QUEUE_MAX_BODY // 2  # bytes of a body that is surely one frame


class _Mailbox:
    """A rank's mailbox, and its poll."""

    __slots__ = ("came", "due", "parts", "since")

    def __init__(self) -> None:
        # When a part arrives, in which order it was sent, what it is of, its size.
        self.parts: list[tuple[float, int, Letter, int]] = []
        self.since = inf  # when the poll under way began
        self.due = inf  # when it will take what is there, as far as is known
        self.came = 0


class QueueClock:
    """Times and requests of the queue channel; see `Channel`.

    Parameters
    ----------
    services
        Functions and services.
    size
        How many ranks there are.
    ranks
        Those who use it.
    """

    def __init__(
        self,
        services: ServicesClock,
        size: int,
        ranks: Ranks,
    ) -> None:
        self._services = services
        self._ranks = ranks
        self._mailboxes = [_Mailbox() for _ in range(size)]
        self._parts = 0
        tallies = services.tallies
        self._sends = tallies["sqs:SendMessageBatch"]
        self._publishes = tallies["sns:PublishBatch"]
        self._deliveries = tallies["sns:Delivery"]
        self._receives = tallies["sqs:ReceiveMessage"]
        self._deletes = tallies["sqs:DeleteMessageBatch"]

    def __repr__(self) -> str:
        return f"<QueueClock of {len(self._mailboxes)} ranks>"

    def usage(self) -> Usage:
        """Return what was counted."""
        return self._services.usage()

    def post(self, rank: int, posts: Sequence[Post], now: float) -> float:
        """Send at `now`; return when everything is acknowledged."""
        post = posts[0]
        first = post.dests
        if len(first) > 1 or any(other.dests != first for other in posts[1:]):
            return self._publish(rank, posts, now)
        if len(posts) == 1 and post.nbytes <= _SHORT:
            return self._send_short(rank, post, now)
        return self._send(rank, posts, now)

    def wait(self, rank: int, now: float) -> None:
        """Poll from `now` on; one mailbox holds what all sources send."""
        mailbox = self._mailboxes[rank]
        mailbox.since = now + self._services.cpu
        mailbox.due = inf
        if mailbox.parts:
            self._hasten(rank, mailbox, mailbox.parts[0][0])

    def happen(self, rank: int, now: float) -> None:
        """Let the poll return, if it is the one that was scheduled."""
        mailbox = self._mailboxes[rank]
        if mailbox.due != now:
            return
        letters, then = self.receive(rank, now)
        for letter in letters:
            letter.lacking -= 1
        self._ranks.go_on(rank, then)

    def receive(self, rank: int, now: float) -> tuple[list[Letter], float]:
        """Take what is there at `now`; return it, and when the poll has returned."""
        mailbox, services = self._mailboxes[rank], self._services
        parts, size = mailbox.parts, 0
        letters: list[Letter] = []
        while parts and len(letters) < MAX_RECEIVE and parts[0][0] <= now:
            _, _, letter, text = heappop(parts)
            letters.append(letter)
            size += text
        mailbox.came += len(letters)
        empty = int((now - mailbox.since) // MAX_WAIT)
        if empty:
            self._receives.add_plain(empty)
        self._receives.add(size, received=size)
        mailbox.since = mailbox.due = inf
        answer = services.draw(services.profile.sqs_receive)
        return letters, now + answer + services.down[rank].pass_on(size, now)

    def end(self, rank: int) -> None:
        """Count what is deleted in the end."""
        self._deletes.add_plain(-(-self._mailboxes[rank].came // MAX_BATCH))

    def _hasten(self, rank: int, mailbox: _Mailbox, arrival: float) -> None:
        due = max(mailbox.since, arrival)
        if due < mailbox.due:
            mailbox.due = due
            self._ranks.schedule(rank, due)

    def _arrive(self, dest: int, letter: Letter, text: int, arrival: float) -> None:
        self._parts += 1
        mailbox = self._mailboxes[dest]
        heappush(mailbox.parts, (arrival, self._parts, letter, text))
        if mailbox.since < inf:
            self._hasten(dest, mailbox, arrival)

    def _send_short(self, rank: int, post: Post, now: float) -> float:
        """Do what `_send` does where all is one frame; that is most of what is sent."""
        text = text_size(frame_head(rank, post.dests) + post.nbytes)
        taken = self._send_batch(rank, text, now + self._services.cpu)
        self._arrive(post.dests[0], post.letters[0], text, taken)
        return taken

    def _send(self, rank: int, posts: Sequence[Post], now: float) -> float:
        """Send to one mailbox; each batch is there when it is acknowledged."""
        sizes: list[int] = []
        letters: list[Letter] = []
        for post in posts:
            frames = frame_sizes(post.nbytes, rank, post.dests, QUEUE_MAX_BODY)
            sizes += frames
            post.letters[0].lacking = len(frames)
            letters += post.letters * len(frames)
        dest = posts[0].dests[0]
        batches = queue_batches(sizes) if len(sizes) > 1 else [(0, 1)]
        now += len(batches) * self._services.cpu
        last = now
        for start, stop in batches:
            texts = [text_size(size) for size in sizes[start:stop]]
            taken = self._send_batch(rank, sum(texts), now)
            for letter, text in zip(letters[start:stop], texts, strict=True):
                self._arrive(dest, letter, text, taken)
            last = max(last, taken)
        return last

    def _send_batch(self, rank: int, size: int, now: float) -> float:
        """Return when a batch is acknowledged."""
        services = self._services
        self._sends.add(size, sent=size)
        sent = services.up[rank].pass_on(size, now)
        return now + sent + services.draw(services.profile.sqs_send)

    def _publish(self, rank: int, posts: Sequence[Post], now: float) -> float:
        """Publish to topics; each copy is there a hop after its batch is taken."""
        services, batches, nbytes = self._services, [], 0
        for entries in _shards(rank, posts).values():
            sizes = [entry_size(size, dests) for size, dests, _ in entries]
            for start, stop in topic_batches(sizes):
                batches.append((entries[start:stop], sum(sizes[start:stop])))
            nbytes += sum(sizes)
        coding = nbytes * services.profile.sns_byte_cpu / services.share
        now += len(batches) * services.cpu + coding
        return max(self._publish_batch(rank, *batch, now) for batch in batches)

    def _publish_batch(
        self, rank: int, entries: Sequence["_Entry"], size: int, now: float
    ) -> float:
        services = self._services
        profile, draw = services.profile, services.draw
        held = services.published.delay(now, len(entries))
        taken = now + held + services.up[rank].pass_on(size, now)
        taken += draw(profile.sns_publish)
        texts = [text_size(body) for body, _, _ in entries]
        self._publishes.add(size, sent=sum(texts))
        for text, (_, dests, letters) in zip(texts, entries, strict=True):
            self._deliveries.billed += billed(text) * len(dests)
            for dest, letter in zip(dests, letters, strict=True):
                self._arrive(dest, letter, text, taken + draw(profile.sns_hop))
        return taken


_Entry = tuple[int, Sequence[int], Sequence[Letter]]
"""The size of a frame, its targets in one topic, and what it is a part of."""


def _shards(rank: int, posts: Sequence[Post]) -> dict[int, list[_Entry]]:
    """Return what each topic publishes: a frame names the receivers that it serves."""
    shards: dict[int, list[_Entry]] = {}
    for post in posts:
        parts: dict[int, tuple[list[int], list[Letter]]] = {}
        for dest, letter in zip(post.dests, post.letters, strict=True):
            dests, letters = parts.setdefault(dest // MAX_FILTERS, ([], []))
            dests.append(dest)
            letters.append(letter)
        for shard, (dests, letters) in parts.items():
            frames = frame_sizes(post.nbytes, rank, dests, TOPIC_MAX_BODY)
            for letter in letters:
                letter.lacking = len(frames)
            entries = ((size, dests, letters) for size in frames)
            shards.setdefault(shard, []).extend(entries)
    return shards
