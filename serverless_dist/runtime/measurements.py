"""What two ranks measure of services.

1. What is timed is a request's wall time less the processor time that it took here: a
   simulation charges that on its own, by the memory of the function.
2. The first request of each kind makes connections; it is not counted.
3. A message's way is timed by the clocks of two machines, which nobody has set. It is
   played to and fro: what the clocks differ by shows as the difference between the two
   ways, which are otherwise alike (`one_way`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from statistics import median

from serverless_dist.cloud import (
    Cloud,
    Entry,
    Meter,
    MeteredCloud,
    MeteredFunctions,
    Queue,
    Usage,
)
from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.cloud.limits import MAX_RECEIVE
from serverless_dist.comm import Communicator
from serverless_dist.errors import CloudError
from serverless_dist.runtime.clouds import connect
from serverless_dist.runtime.progress import report_progress

RANKS = 2
PARTS = 5  # of a measurement, for progress
BODY = 1_000  # bytes of a small message or object
SERVICES = ("sqs", "sns")  # that a message goes by
_SECONDS = 20.0  # for a message to arrive

Seconds = dict[str, list[float]]
"""Samples by what was measured."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be measured.

    Attributes
    ----------
    address
        Two mailboxes that nobody else uses, a topic and a bucket.
    token
        What keys and messages begin with.
    samples
        How often each rank times each request.
    streams, stream_bytes
        How often a large object is read, and how large it is.
    function, payload, invocations
        What is invoked, with what, and how often.
    """

    address: AwsAddress
    token: str
    samples: int
    streams: int
    stream_bytes: int
    function: str = ""
    payload: bytes = b""
    invocations: int = 0


@dataclass(frozen=True, slots=True)
class Rally:
    """When a rank had thrown its messages and caught the other's, by its own clock."""

    thrown: Sequence[float]
    caught: Sequence[float]


@dataclass(frozen=True, slots=True)
class Findings:
    """What one rank has measured, and what it has used for that."""

    seconds: Seconds
    rallies: Mapping[str, Rally]
    usage: Usage = field(default_factory=Usage)


def one_way(first: Rally, second: Rally) -> list[float]:
    """Return how long each message took from its acknowledgement to its arrival.

    The clocks may differ by any time, which is the same for all messages. Both ways
    have to be alike: an asymmetry of the medians is taken for that difference.

    >>> one_way(Rally([0.0, 1.0], [0.5, 1.5]), Rally([100.2, 101.2], [100.1, 101.1]))
    [0.2, 0.2, 0.2, 0.2]
    """
    forth = _differences(second.caught, first.thrown)
    back = _differences(first.caught, second.thrown)
    ahead = (median(forth) - median(back)) / 2
    ways = [way - ahead for way in forth] + [way + ahead for way in back]
    return [round(way, 9) for way in ways]


def _differences(ends: Sequence[float], begins: Sequence[float]) -> list[float]:
    return [end - begin for end, begin in zip(ends, begins, strict=True)]


class Samples:
    """Samples of what is timed, and of the processor time of requests."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Time one request of this thread's."""
        began, used = time.perf_counter(), time.thread_time()
        yield
        wall, cpu = time.perf_counter() - began, time.thread_time() - used
        self.seconds[name].append(max(0.0, wall - cpu))
        self.seconds["request_cpu"].append(cpu)


def measure(comm: Communicator, order: Order) -> Findings:
    """Be one of two ranks that measure; see `Order`."""
    meter, taken = Meter(), Samples()
    rallies: dict[str, Rally] = {}
    with closing(connect(order.address)) as plain:
        cloud = MeteredCloud(plain, meter)
        place = f"{order.token}/{comm.rank}/"
        time_blobs(cloud, Samples(), place, 1)
        comm.barrier()
        time_blobs(cloud, taken, place, order.samples)
        _after(comm, 1)
        if comm.rank == 0:
            time_stream(cloud, taken, place, order)
        for done, service in enumerate(SERVICES, 2):
            _after(comm, done)
            match = Match(cloud, comm.rank, service, order.token.encode())
            match.play(Samples(), 1)
            rallies[service] = match.play(taken, order.samples)
        _after(comm, PARTS - 1)
        if comm.rank == 0 and order.invocations:
            _time_invocations(taken, meter, order)
    report_progress(PARTS, PARTS)
    return Findings(dict(taken.seconds), rallies, meter.usage())


def _after(comm: Communicator, done: int) -> None:
    """Wait for the other rank; so many parts are done."""
    comm.barrier()
    if comm.rank == 0:
        report_progress(done, PARTS)


def time_blobs(cloud: Cloud, taken: Samples, place: str, samples: int) -> None:
    """Time what S3 takes for a small object: put, get, list, delete."""
    blobs, body = cloud.blobs, bytes(BODY)
    for number in range(samples):
        key = f"{place}{number}"
        with taken.timing("s3_put"):
            blobs.put(key, body)
        with taken.timing("s3_get"):
            got = blobs.get(key)
        with taken.timing("s3_list"):
            keys = blobs.list(place)
        with taken.timing("s3_delete"):
            blobs.delete([key])
        if got != body or list(keys) != [key]:
            msg = f"the bucket has {list(keys)} where {key} was put"
            raise CloudError(msg, retryable=False)


def time_stream(cloud: Cloud, taken: Samples, place: str, order: Order) -> None:
    """Time how long a large object takes, its first byte included."""
    key = f"{place}large"
    cloud.blobs.put(key, bytes(order.stream_bytes))
    try:
        for _ in range(order.streams):
            began = time.perf_counter()
            cloud.blobs.get(key)
            # With the processor time: decryption keeps step with the stream.
            taken.seconds["stream"].append(time.perf_counter() - began)
    finally:
        cloud.blobs.delete([key])


class Match:
    """Messages that two ranks throw at each other, one at a time.

    Parameters
    ----------
    cloud
        Mailbox 0 is that of rank 0, which begins; mailbox 1 that of rank 1.
    rank
        Who this is.
    service
        One of `SERVICES`.
    token
        What all messages begin with.
    """

    def __init__(self, cloud: Cloud, rank: int, service: str, token: bytes) -> None:
        self._own = cloud.mailboxes[rank]
        self._begins = rank == 0
        other = 1 - rank
        throws: Mapping[str, tuple[str, Callable[[bytes], None]]] = {
            "sqs": ("sqs_send", lambda body: cloud.mailboxes[other].send([body])),
            "sns": (
                "sns_publish",
                lambda body: cloud.topic.publish([Entry(body, (other,))]),
            ),
        }
        self._name, self._throw = throws[service]
        self._token = token + service.encode()
        self._round = 0

    def play(self, taken: Samples, rounds: int) -> Rally:
        """Throw and catch so many messages."""
        thrown: list[float] = []
        caught: list[float] = []
        for _ in range(rounds):
            self._round += 1
            body = self._token + self._round.to_bytes(4)
            body += bytes(BODY - len(body))
            receipts: list[str] = []
            if not self._begins:
                caught.append(_catch(self._own, body, receipts))
            with taken.timing(self._name):
                self._throw(body)
            thrown.append(time.perf_counter())
            if self._begins:
                caught.append(_catch(self._own, body, receipts))
            with taken.timing("sqs_delete"):
                self._own.delete(receipts)
        return Rally(thrown, caught)


def _catch(mailbox: Queue, body: bytes, receipts: list[str]) -> float:
    """Return when a body has arrived; its receipt, and those of others, are added."""
    until = time.perf_counter() + _SECONDS
    while (now := time.perf_counter()) < until:
        used = time.thread_time()
        deliveries = mailbox.receive(MAX_RECEIVE, until - now)
        arrived = time.perf_counter() - (time.thread_time() - used)
        # Others have come twice, or are of an earlier job.
        receipts += [delivery.receipt for delivery in deliveries]
        if any(delivery.body == body for delivery in deliveries):
            return arrived
    msg = f"a message to {mailbox!r} has not arrived within {_SECONDS:.0f} s"
    raise CloudError(msg, retryable=True)


def _time_invocations(taken: Samples, meter: Meter, order: Order) -> None:
    """Time how long it takes until Lambda has accepted an event."""
    from serverless_dist.cloud.aws import AwsClients
    from serverless_dist.cloud.aws_functions import LambdaFunctions

    with closing(AwsClients(order.address.region, None)) as clients:
        service = clients.client("lambda")
        functions = MeteredFunctions(LambdaFunctions(service, order.function), meter)
        functions.invoke(order.payload)
        for _ in range(order.invocations):
            with taken.timing("lambda_accept"):
                functions.invoke(order.payload)
