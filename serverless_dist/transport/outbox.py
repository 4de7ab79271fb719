"""Messages to signed frames: the sending half of exactly once. Pure."""

from collections import defaultdict

from serverless_dist.transport.message import Message
from serverless_dist.wire import Frame, JobKey, Kind, seal
from serverless_dist.wire.frames import header_reserve


class Outbox:
    """Numbers one rank's messages per stream (dest, context) and cuts them to size."""

    def __init__(self, key: JobKey) -> None:
        self._key = key
        self._next: defaultdict[tuple[int, int], int] = defaultdict(int)

    def __repr__(self) -> str:
        return f"<Outbox: {sum(self._next.values())} numbered>"

    def frames(
        self, message: Message, *, max_body: int | None, kind: Kind = Kind.DATA
    ) -> list[bytes]:
        """Return the frames that carry `message`, each for all of its dests.

        `max_body` is the most that one frame may take in all; None: no limit.
        """
        sequences = tuple(self._number(dest, message.context) for dest in message.dests)
        body = message.body
        whole = memoryview(body[0] if len(body) == 1 else b"".join(body)).cast("B")
        room = whole.nbytes or 1
        if max_body is not None:
            room = min(room, max_body - header_reserve(len(message.dests)))
        parts = max(1, -(-whole.nbytes // room))
        return [
            seal(
                self._key,
                Frame(
                    source=message.source,
                    context=message.context,
                    tag=message.tag,
                    dests=message.dests,
                    sequences=sequences,
                    part=part,
                    parts=parts,
                    kind=kind,
                    body=whole[part * room : (part + 1) * room],
                ),
            )
            for part in range(parts)
        ]

    def _number(self, dest: int, context: int) -> int:
        number = self._next[dest, context]
        self._next[dest, context] = number + 1
        return number
