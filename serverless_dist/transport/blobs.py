"""The object channel: S3 alone.

Two sequences of keys per sender, so that a receiver knows the next key of each::

    <job>/to/<dest>/<source>/<n>   a call with messages for one rank
    <job>/all/<source>/<n>         a call with messages for several: one PUT for all

A receiver that expects certain sources GETs exactly the next keys of these, the kind
that came last time first; a missing key costs $0.0000004, a LIST twelve times as
much. LIST serves only those who wait for anybody. Nothing announces an object, so the
receiver asks again after a pause that doubles from 2 to 50 ms, which is about what
one GET takes on S3. The pause goes on from one `receive` to the next until something
comes, so a loop that only looks pays for 50 looks a second at most.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from serverless_dist.cloud import Cloud
from serverless_dist.cloud.beside import map_beside
from serverless_dist.cloud.limits import S3_MAX_DELETE
from serverless_dist.transport.crates import fill, index_stop, spans
from serverless_dist.transport.inbox import Inbox
from serverless_dist.transport.message import Message
from serverless_dist.transport.outbox import Outbox
from serverless_dist.wire import Flaw, JobKey

HEAD_BYTES = 65_536  # of a shared object that are read first: index and small frames
FIRST_PAUSE, LAST_PAUSE = 0.002, 0.05  # seconds between looks that find nothing
_SPACING = (
    0.02  # seconds between looks of those who do not wait: $0.07 an hour a source
)
_ATTENTION = 0.1  # seconds of a wait for certain sources: others may be wanted then
GETS_BESIDE = 16  # of one rank at a time


class BlobTransport:
    """Messages as objects; see `Transport`.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    cloud
        The fabric whose blobs carry the messages.
    key
        The job's key.
    """

    def __init__(self, rank: int, size: int, cloud: Cloud, key: JobKey) -> None:
        self.rank = rank
        self.size = size
        self._clock = cloud.clock
        self._blobs = cloud.blobs
        self._root = key.job.hex()
        self._inbox = Inbox(rank, key)
        self._outbox = Outbox(key)
        self._sent: defaultdict[str, int] = defaultdict(int)
        self._lanes: dict[int, _Lanes] = {}  # by source: a rank hears few of thousands
        self._read: list[str] = []
        self._pause = 0.0  # seconds from the last look to the next; 0: something came
        self._looked = 0.0  # when the last look was
        self._waker = cloud.clock.condition()
        self._is_woken = False

    def __repr__(self) -> str:
        return f"<BlobTransport rank {self.rank} of {self.size}>"

    @property
    def dropped(self) -> Counter[Flaw]:
        """How many frames were dropped, by reason."""
        return self._inbox.dropped

    def send(self, messages: Sequence[Message]) -> None:
        """Put all messages as one object."""
        if not messages:
            return
        dests = {dest for message in messages for dest in message.dests}
        lane = f"to/{dests.pop()}" if len(dests) == 1 else "all"
        number = self._sent[lane]
        self._sent[lane] = number + 1
        frames = [
            (message.dests, frame)
            for message in messages
            for frame in self._outbox.frames(message, max_body=None)
        ]
        self._blobs.put(f"{self._root}/{lane}/{self.rank}/{number}", fill(frames))

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return what has arrived, waiting up to `wait` seconds for the first.

        With `expect` it looks for no others, and returns after 0.1 s at the latest.
        """
        deadline = self._clock.now() + (min(wait, _ATTENTION) if expect else wait)
        while True:
            if self._rest(deadline):
                return []
            messages = self._look(expect)
            if messages or self._clock.now() >= deadline:
                return messages

    def _rest(self, deadline: float) -> bool:
        """Wait until it is time to look again; return whether somebody wakes first."""
        due = min(self._pause, max(deadline - self._looked, _SPACING))
        left = self._looked + due - self._clock.now()
        return left > 0 and self._doze(min(left, due))  # the time may be set back

    def _look(self, expect: Collection[int]) -> list[Message]:
        crates = self._next_crates(expect)
        self._looked = self._clock.now()
        if crates:  # maybe with nothing for this rank, or not in its turn
            self._pause = 0.0
        else:
            self._pause = min(2 * self._pause or FIRST_PAUSE, LAST_PAUSE)
        return [
            arrival.message
            for frames in crates
            for frame in frames
            for arrival in self._inbox.feed(frame)
        ]

    def wake(self) -> None:
        """Make `receive` return soon."""
        with self._waker:
            self._is_woken = True
            self._waker.notify()

    def close(self) -> None:
        """Delete what was read by this rank alone; what was sent stays for others."""
        self._clean()

    def _doze(self, seconds: float) -> bool:
        """Wait for so long, or until somebody wakes: then return True."""
        with self._waker:
            if not self._is_woken:
                self._clock.wait(self._waker, seconds)
            is_woken, self._is_woken = self._is_woken, False
        return is_woken

    def _next_crates(self, expect: Collection[int]) -> list[list[bytes]]:
        """Return the frames for this rank in each object that is there."""
        if len(self._read) >= S3_MAX_DELETE:
            self._clean()
        sources = sorted(expect) if expect else self._listed()
        crates = map_beside(self._clock, self._next_frames, sources, limit=GETS_BESIDE)
        return [frames for frames in crates if frames is not None]

    def _listed(self) -> list[int]:
        """Return the sources whose next key is there."""
        self._clean()
        keys = {
            *self._blobs.list(f"{self._root}/to/{self.rank}/"),
            *self._blobs.list(f"{self._root}/all/"),
        }
        sources = sorted({int(key.split("/")[-2]) for key in keys})
        return [s for s in sources if not keys.isdisjoint(self._lane(s).candidates())]

    def _lane(self, source: int) -> "_Lanes":
        return self._lanes.setdefault(source, _Lanes(self._root, source, self.rank))

    def _next_frames(self, source: int) -> list[bytes] | None:
        """Return the frames for this rank in the next object of `source`, if any is."""
        lanes = self._lane(source)
        for key in lanes.candidates():
            frames = self._frames(key, None if key == lanes.own_key else HEAD_BYTES)
            if frames is not None:
                if key == lanes.own_key:
                    self._read.append(key)
                lanes.advance(key)
                return frames
        return None

    def _frames(self, key: str, head_size: int | None) -> list[bytes] | None:
        head = self._blobs.get(key, stop=head_size)
        if head is None:
            return None
        if index_stop(head) > len(head):
            head = self._blobs.get(key, stop=index_stop(head)) or b""
        return [
            head[start:stop]
            if stop <= len(head)
            else self._blobs.get(key, start=start, stop=stop) or b""
            for start, stop in spans(head, self.rank)
        ]

    def _clean(self) -> None:
        read, self._read = self._read, []
        if read:
            self._blobs.delete(read)


class _Lanes:
    """Where one receiver stands in the two sequences of one sender."""

    def __init__(self, root: str, source: int, rank: int) -> None:
        self._own = f"{root}/to/{rank}/{source}/"
        self._shared = f"{root}/all/{source}/"
        self._next = {self._own: 0, self._shared: 0}

    @property
    def own_key(self) -> str:
        """The next key of a call for this rank alone."""
        return f"{self._own}{self._next[self._own]}"

    def candidates(self) -> list[str]:
        """Return the next keys, the likelier one first."""
        return [f"{lane}{number}" for lane, number in self._next.items()]

    def advance(self, key: str) -> None:
        """Count `key` as read; its sequence is likelier from now on."""
        lane = key[: key.rindex("/") + 1]
        self._next = {lane: self._next.pop(lane) + 1, **self._next}
