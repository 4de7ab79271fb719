"""Frames: what a message looks like on a queue or in an object.

::

    magic "SDF1" | job (16 bytes) | HMAC-SHA256 (32 bytes) | length of header (4 bytes)
    header: msgpack [source, context, tag, dests, sequences, part, parts, kind]
    body

The HMAC covers everything but itself and is checked before anything is parsed.
`sequences` has one number per dest: the place of the message in the stream
(source, dest, context); a single number, if all are alike. A multicast therefore keeps
its place in every receiver's stream, whatever groups its sender multicasts to.
"""

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import msgpack

from serverless_dist.cloud import Buffer

_MAGIC = b"SDF1"
_PREFIX = struct.Struct("<4s16s32sI")
_LENGTH = struct.Struct("<I")
_COPIED = 16_384  # bytes that are copied sooner than a signer is made
HEADER_RESERVE = 128  # prefix and header of a frame for one dest, generously
DEST_RESERVE = 14  # what each dest may add: two msgpack integers


class Kind(IntEnum):
    """What the body of a frame is."""

    DATA = 0
    POINTER = 1  # says where in the blobs the real body lies


class Flaw(StrEnum):
    """Why a frame was dropped."""

    MALFORMED = "malformed"
    FOREIGN = "foreign job"
    FORGED = "bad signature"
    OVERSIZED = "oversized"
    MISDIRECTED = "not for this rank"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class JobKey:
    """The job's id, which every frame carries, and the secret that signs it."""

    job: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"<JobKey of job {self.job.hex()}>"

    @classmethod
    def derive(cls, secret: bytes, job: bytes) -> "JobKey":
        """Return the key of a job for all who know a deployment's secret.

        >>> JobKey.derive(b"secret", bytes(16)) == JobKey.derive(b"other", bytes(16))
        False
        """
        return cls(job, hmac.digest(secret, b"serverless_dist job " + job, "sha256"))


@dataclass(slots=True)  # made for every message: to freeze it takes thrice as long
class Frame:
    """One part of a message; nobody changes it."""

    source: int
    context: int
    tag: int
    dests: tuple[int, ...]
    sequences: tuple[int, ...]
    part: int
    parts: int
    kind: Kind
    body: memoryview


def seal(key: JobKey, frame: Frame) -> bytes:
    """Return the frame as signed bytes."""
    sequences: int | tuple[int, ...] = frame.sequences
    if frame.sequences.count(frame.sequences[0]) == len(frame.sequences):
        sequences = frame.sequences[0]
    header = msgpack.packb(
        [
            frame.source,
            frame.context,
            frame.tag,
            frame.dests,
            sequences,
            frame.part,
            frame.parts,
            int(frame.kind),
        ]
    )
    signature = _sign(key, [header, frame.body])
    prefix = _PREFIX.pack(_MAGIC, key.job, signature, len(header))
    return b"".join((prefix, header, frame.body))


def unseal(key: JobKey, data: Buffer) -> Frame | Flaw:
    """Return the frame in `data`, or why it is none of this job's."""
    view = memoryview(data)
    if view.nbytes < _PREFIX.size or view[: len(_MAGIC)] != _MAGIC:
        return Flaw.MALFORMED
    _, job, signature, length = _PREFIX.unpack_from(view)
    if job != key.job:
        return Flaw.FOREIGN
    start = _PREFIX.size + length
    if start > view.nbytes:
        return Flaw.MALFORMED
    header, body = view[_PREFIX.size : start], view[start:]
    if not hmac.compare_digest(signature, _sign(key, [header, body])):
        return Flaw.FORGED
    source, context, tag, dests, sequences, part, parts, kind = msgpack.unpackb(
        header, use_list=False
    )
    if isinstance(sequences, int):
        sequences = (sequences,) * len(dests)
    return Frame(
        source=source,
        context=context,
        tag=tag,
        dests=dests,
        sequences=sequences,
        part=part,
        parts=parts,
        kind=Kind(kind),
        body=body,
    )


def header_reserve(dests: int) -> int:
    """Return how many bytes of a body a frame for so many dests may take."""
    return HEADER_RESERVE + dests * DEST_RESERVE


def _sign(key: JobKey, pieces: Sequence[Buffer]) -> bytes:
    signed = (key.job, _LENGTH.pack(len(pieces[0])), *pieces)
    if sum(map(len, pieces)) < _COPIED:
        return hmac.digest(key.secret, b"".join(signed), "sha256")
    signer = hmac.new(key.secret, digestmod="sha256")
    for piece in signed:
        signer.update(piece)
    return signer.digest()
