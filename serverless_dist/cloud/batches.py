"""How bodies become requests: the arithmetic that senders and meters share.

Bodies travel as unpadded base64url text: SQS takes no other bytes, and urllib
quotes text made of unreserved characters several times faster than base64's
``+/=`` when SNS's query protocol encodes it.
"""

from collections.abc import Sequence

from serverless_dist.cloud.limits import (
    BILLING_CHUNK,
    MAX_BATCH,
    MAX_FILTERS,
    SNS_MAX_BYTES,
    SQS_MAX_BYTES,
)
from serverless_dist.cloud.services import Buffer, Entry

# What the target attribute of an entry may take: name, type and a list of indices.
SNS_ATTRIBUTE_RESERVE = 8_192

QUEUE_MAX_BODY = SQS_MAX_BYTES // 4 * 3
TOPIC_MAX_BODY = (SNS_MAX_BYTES - SNS_ATTRIBUTE_RESERVE) // 4 * 3


def body_size(body: Buffer) -> int:
    """Return how many bytes a buffer holds, whatever its items are.

    >>> body_size(memoryview(b"12345678").cast("d"))
    8
    """
    return body.nbytes if isinstance(body, memoryview) else len(body)


def text_size(size: int) -> int:
    """Return the length of `size` bytes as unpadded base64.

    >>> [text_size(n) for n in range(5)]
    [0, 2, 3, 4, 6]
    """
    return (size * 4 + 2) // 3


def target_attribute(targets: Sequence[int]) -> str:
    """Return the value of the attribute that SNS filters on.

    >>> target_attribute([3, 10])
    '["3","10"]'
    """
    return "[" + ",".join(f'"{target}"' for target in targets) + "]"


def entry_size(body_size: int, targets: Sequence[int]) -> int:
    """Return what an entry counts against SNS's limit: text and attribute."""
    return text_size(body_size) + len("targetString.Array" + target_attribute(targets))


def billed(size: int) -> int:
    """Return how many requests a payload of `size` bytes is billed as.

    >>> [billed(n) for n in (0, 1, 65_536, 65_537)]
    [1, 1, 1, 2]
    """
    return max(1, -(-size // BILLING_CHUNK))


def pack(
    sizes: Sequence[int], *, max_entries: int, max_bytes: int
) -> list[tuple[int, int]]:
    """Cut a sequence of entries into batches, in order, each as full as it goes.

    Returns ``(start, stop)`` for each batch. An entry larger than `max_bytes` gets
    a batch of its own: to refuse it is the caller's business.

    >>> pack([4, 4, 4, 9], max_entries=10, max_bytes=8)
    [(0, 2), (2, 3), (3, 4)]
    """
    batches = []
    start, total = 0, 0
    for index, size in enumerate(sizes):
        full = index - start == max_entries or total + size > max_bytes
        if full and index > start:
            batches.append((start, index))
            start, total = index, 0
        total += size
    if start < len(sizes):
        batches.append((start, len(sizes)))
    return batches


def queue_batches(body_sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Cut bodies into the batches that SQS takes: 10 entries, 1 MiB of text.

    >>> queue_batches([100] * 25)
    [(0, 10), (10, 20), (20, 25)]
    """
    sizes = [text_size(size) for size in body_sizes]
    return pack(sizes, max_entries=MAX_BATCH, max_bytes=SQS_MAX_BYTES)


def topic_batches(entry_sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Cut entries (by `entry_size`) into the batches that SNS takes.

    >>> topic_batches([SNS_MAX_BYTES, 1, 1])
    [(0, 1), (1, 3)]
    """
    return pack(entry_sizes, max_entries=MAX_BATCH, max_bytes=SNS_MAX_BYTES)


def topic_shards(entries: Sequence[Entry]) -> dict[int, list[Entry]]:
    """Return what each topic of SNS publishes, if there are several.

    A topic takes 200 filters, so that number j serves the mailboxes from 200 j on;
    an entry for mailboxes of several topics goes to each of them.

    >>> topic_shards([Entry(b"data", (3, 200, 7))])[0]
    [Entry(body=b'data', targets=(3, 7))]
    """
    shards: dict[int, list[Entry]] = {}
    for entry in entries:
        parts: dict[int, list[int]] = {}
        for target in entry.targets:
            parts.setdefault(target // MAX_FILTERS, []).append(target)
        for shard, targets in sorted(parts.items()):
            shards.setdefault(shard, []).append(Entry(entry.body, tuple(targets)))
    return shards
