"""The values that generators yield: ids that exist before anybody knows of them. Pure.

1. A value that was yielded is held by its stream until a client claims it by holding
   it, or until nobody holds the stream.
2. Values come in order; an attempt that starts again yields the first ones again, and
   they are dropped.
3. What is asked for beyond the last value is the stream's failure, once, and its end.
"""

from serverless_dist.tasks.messages import stream_of
from serverless_dist.tasks.objects import ObjectTable
from serverless_dist.tasks.values import END, Value


class _Stream:
    __slots__ = ("failure", "is_over", "length", "unclaimed")

    def __init__(self) -> None:
        self.length = 0
        self.is_over = False
        self.failure: Value | None = None
        self.unclaimed: set[int] = set()


class Streams:
    """The streams that somebody holds."""

    def __init__(self, objects: ObjectTable) -> None:
        self._objects = objects
        self._streams: dict[int, _Stream] = {}

    def __repr__(self) -> str:
        return f"<Streams {len(self)}>"

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: int) -> None:
        """Take note of a stream."""
        self._streams[stream] = _Stream()

    def expect(self, id: int) -> None:
        """Make sure that an id that somebody asks for is known, if it is a value."""
        stream = stream_of(id)
        found = None if stream is None else self._streams.get(stream)
        if stream is None or found is None or id == stream or id in self._objects:
            return
        place = id - stream - 1
        if found.is_over:
            self._make(found, stream, id)
            self._objects.settle(id, self._beyond(found, place))
        elif place >= found.length:  # an earlier one was claimed and let go
            self._make(found, stream, id)

    def feed(self, stream: int, place: int, value: Value) -> None:
        """Take value number `place` of a stream; nobody may want it any more."""
        found = self._streams.get(stream)
        id = stream + 1 + place
        if found is None or place < found.length:
            self._objects.settle(id, value)
            return
        found.length = place + 1
        if id not in self._objects:
            self._make(found, stream, id)
        self._objects.settle(id, value)

    def finish(self, stream: int, failure: Value | None) -> None:
        """Take note that no more values come."""
        found = self._streams.get(stream)
        if found is not None:
            found.is_over, found.failure = True, failure
            for id in sorted(found.unclaimed):
                if self._objects.value(id) is None:
                    place = id - stream - 1
                    self._objects.settle(id, self._beyond(found, place))

    def claim(self, id: int) -> None:
        """Let the client that has just held a value have it."""
        stream = stream_of(id)
        found = None if stream is None else self._streams.get(stream)
        if found is not None and id in found.unclaimed:
            found.unclaimed.discard(id)
            self._objects.release(id)

    def drop(self, stream: int) -> None:
        """Forget a stream that nobody holds, and what nobody has claimed of it."""
        found = self._streams.pop(stream, None)
        if found is not None:
            for id in found.unclaimed:
                self._objects.release(id)

    def _make(self, found: _Stream, stream: int, id: int) -> None:
        self._objects.expect(id, stream)
        self._objects.hold(id)
        found.unclaimed.add(id)

    def _beyond(self, found: _Stream, place: int) -> Value:
        if found.failure is not None and place == found.length:
            return found.failure
        return END
