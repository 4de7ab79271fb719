"""The cloud of AWS: a provisioned fabric, and how to find one."""

from collections.abc import Sequence

from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import AwsAddress, FabricNames, count_topics
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_queues import SnsTopic, SqsQueue
from serverless_dist.cloud.clock import SystemClock
from serverless_dist.cloud.services import Clock


class AwsCloud:
    """A provisioned fabric of AWS; see `Cloud`.

    Parameters
    ----------
    address
        Where it is. Nothing is asked of AWS before the first use.
    clients
        Those to use, and to close with it; None makes new ones.
    """

    def __init__(self, address: AwsAddress, clients: AwsClients | None = None) -> None:
        if clients is None:
            clients = AwsClients(address.region, address.endpoint)
        self.address = address
        self._clients = clients
        self._clock = SystemClock()
        self._mailboxes = tuple(
            SqsQueue(clients.sqs, f"{address.queue_url_prefix}{index}", clients.pool)
            for index in range(address.mailboxes)
        )
        self._topic = SnsTopic(
            clients.sns, address.topic_arns, address.mailboxes, clients.pool
        )
        self._blobs = S3Blobs(clients.s3, address.bucket, clients.pool)

    def __repr__(self) -> str:
        where = self.address.endpoint or self.address.region
        return f"<AwsCloud {self.address.bucket} at {where}>"

    @classmethod
    def connect(cls, address: AwsAddress) -> "AwsCloud":
        """Return the fabric at an address, without a request."""
        return cls(address)

    @classmethod
    def find(
        cls,
        fabric: str,
        *,
        mailboxes: int,
        region: str | None = None,
        endpoint: str | None = None,
    ) -> "AwsCloud":
        """Look a provisioned fabric up in a request for each kind of its parts.

        Parameters
        ----------
        fabric
            Its name.
        mailboxes
            How many of its mailboxes will be used.
        region
            The region; None takes the one of the environment or the user's profile.
        endpoint
            Where an emulator listens; None is AWS itself.

        Raises
        ------
        UsageError
            A part of it does not exist: the message says which.
        CredentialsError
            There are no usable credentials.
        CloudError
            AWS cannot be reached or does not allow it.
        """
        names = FabricNames(fabric)
        topics = count_topics(mailboxes)
        clients = AwsClients(region, endpoint)
        try:
            return cls(_look_up(clients, names, mailboxes, topics), clients)
        except BaseException:
            clients.close()
            raise

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
        """The object store."""
        return self._blobs

    def close(self) -> None:
        """End the threads and close the connections; twice is no error."""
        self._clients.close()


def _look_up(
    clients: AwsClients, names: FabricNames, mailboxes: int, topics: int
) -> AwsAddress:
    # The last mailbox is made last, so that it stands for all.
    last = names.mailbox(mailboxes - 1)
    found = call(clients.sqs, "get_queue_url", f"queue {last}", QueueName=last)
    url: str = found["QueueUrl"]
    account = url.split("/")[-2]
    arns = tuple(
        f"arn:{clients.partition}:sns:{clients.region}:{account}:{names.topic(index)}"
        for index in range(topics)
    )
    for arn in arns:
        call(clients.sns, "get_topic_attributes", f"topic {arn}", TopicArn=arn)
    bucket = names.bucket(account)
    call(
        clients.s3,
        "head_bucket",
        f"bucket {bucket}",
        Bucket=bucket,
        ExpectedBucketOwner=account,
    )
    return AwsAddress(
        region=clients.region,
        endpoint=clients.endpoint,
        queue_url_prefix=url.removesuffix(str(mailboxes - 1)),
        topic_arns=arns,
        bucket=bucket,
        mailboxes=mailboxes,
    )
