"""The services of AWS as a cloud."""

from collections.abc import Sequence

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_queues import SnsTopic, SqsQueue
from serverless_dist.cloud.clock import SystemClock
from serverless_dist.cloud.services import Blobs, Clock

JOBS = "jobs/"  # what the keys of all that jobs put begin with; the stack expires it


class AwsCloud:
    """The part of a fabric that an address names; see `Cloud`.

    Parameters
    ----------
    address
        Where it is. Nothing is asked of AWS before the first use.
    clients
        Those to use, which stay open; None makes new ones, to be closed with it.
    """

    def __init__(self, address: AwsAddress, clients: AwsClients | None = None) -> None:
        self._own_clients = None
        if clients is None:
            clients = AwsClients(address.region, address.endpoint)
            self._own_clients = clients
        self.address = address
        self._clock = SystemClock()
        queues = range(address.first, address.first + address.mailboxes)
        self._mailboxes = tuple(
            SqsQueue(clients.sqs, f"{address.queue_url_prefix}{number}", clients.pool)
            for number in queues
        )
        self._topic = SnsTopic(clients.sns, address.topic_arns, queues, clients.pool)
        self._blobs = S3Blobs(clients.s3, address.bucket, clients.pool, JOBS)
        self._bucket = S3Blobs(clients.s3, address.bucket, clients.pool)

    def __repr__(self) -> str:
        where = self.address.endpoint or self.address.region
        return f"<AwsCloud {self.address.bucket} at {where}>"

    @classmethod
    def connect(cls, address: AwsAddress) -> "AwsCloud":
        """Return the fabric at an address, without a request."""
        return cls(address)

    @property
    def clock(self) -> Clock:
        """The time that its services go by."""
        return self._clock

    @property
    def mailboxes(self) -> Sequence[SqsQueue]:
        """The queues, by index."""
        return self._mailboxes

    @property
    def topic(self) -> SnsTopic:
        """The topic that reaches all mailboxes."""
        return self._topic

    @property
    def blobs(self) -> S3Blobs:
        """The object store: what lies below `jobs/`."""
        return self._blobs

    @property
    def bucket(self) -> Blobs:
        """All of the bucket, leases and the deployment's record included."""
        return self._bucket

    def close(self) -> None:
        """Close the clients, unless they were given; twice is no error."""
        if self._own_clients is not None:
            self._own_clients.close()
