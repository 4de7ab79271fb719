"""Mailboxes of a deployment that one job has for itself, and the function that it runs.

A job looks the deployment up, leases as many mailboxes as it has ranks and one for its
driver, and gives them back. Nothing is created or deleted but blobs.
"""

import os
import socket

from serverless_dist.cloud.attempts import Refusal, call, within
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import AwsAddress, FabricNames
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_cloud import AwsCloud
from serverless_dist.cloud.aws_functions import LambdaFunctions
from serverless_dist.cloud.aws_refusals import NotProvisionedError
from serverless_dist.cloud.deployment import RECORD_KEY, Deployment
from serverless_dist.cloud.leases import acquire
from serverless_dist.cloud.meter import Meter, Usage
from serverless_dist.cloud.metered import MeteredBlobs
from serverless_dist.cloud.wrapped import WrappedCloud
from serverless_dist.errors import UsageError

_COURTESY = 5.0  # seconds for what comes about by itself otherwise, only later
_LOOK_UP = Usage({"s3:GetObject": 1}, {"s3:GetObject": 1})


def find_deployment(clients: AwsClients, name: str) -> Deployment:
    """Return what a deployment has made: one request to STS and one to S3.

    Raises
    ------
    UsageError
        There is none of that name, or not in this region.
    CredentialsError
        There are no usable credentials.
    CloudError
        AWS cannot be reached or does not allow it.
    """
    account = clients.account()
    bucket = FabricNames(name).bucket(account)
    try:
        answer = call(
            clients.s3,
            "get_object",
            f"object {RECORD_KEY} of bucket {bucket}",
            Bucket=bucket,
            Key=RECORD_KEY,
            # Somebody else's bucket of that name could send jobs anywhere.
            ExpectedBucketOwner=account,
        )
    except NotProvisionedError:
        msg = (
            f"there is no deployment {name} in account {account}, {clients.region}:"
            f" make it with serverless-dist deploy --name {name} --ranks N, or set"
            " SERVERLESS_DIST_FABRIC or AWS_REGION to where one is"
        )
        raise UsageError(msg) from None
    except Refusal as refusal:
        if refusal.code != "NoSuchKey":
            raise
        msg = (
            f"deployment {name} is not complete: run serverless-dist deploy --name"
            f" {name} --ranks N to its end"
        )
        raise UsageError(msg) from None
    deployment = Deployment.unpack(answer["Body"])
    if deployment.region != clients.region:
        msg = (
            f"deployment {name} is in {deployment.region}, not in {clients.region}: set"
            f" AWS_REGION={deployment.region}"
        )
        raise UsageError(msg)
    return deployment


class LeasedCloud(WrappedCloud):
    """The mailboxes of one job; see `Cloud`.

    Parameters
    ----------
    clients
        Those to use, and to close with it.
    deployment
        What is leased of.
    mailboxes
        How many.
    memory_mb
        Of the function.
    wait
        How many seconds to wait for mailboxes that others have.

    Attributes
    ----------
    address
        What others connect to.
    deployment
        As given.
    functions
        The function, which runs ranks and workers.
    """

    def __init__(
        self,
        clients: AwsClients,
        deployment: Deployment,
        *,
        mailboxes: int,
        memory_mb: int,
        wait: float = 0.0,
    ) -> None:
        self.deployment = deployment
        self.functions = LambdaFunctions(
            clients.client("lambda"), deployment.function(memory_mb)
        )
        self._clients = clients
        self._meter = Meter()
        bucket = S3Blobs(clients.s3, deployment.bucket, clients.pool)
        self._lease = acquire(
            MeteredBlobs(bucket, self._meter),
            mailboxes=deployment.mailboxes,
            count=mailboxes,
            holder=f"process {os.getpid()} of {socket.gethostname()}",
            wait=wait,
        )
        self.address = AwsAddress(
            region=deployment.region,
            endpoint=clients.endpoint,
            queue_url_prefix=deployment.queue_url_prefix,
            topic_arns=deployment.topic_arns,
            bucket=deployment.bucket,
            mailboxes=mailboxes,
            first=self._lease.first,
            lease=self._lease.key,
        )
        super().__init__(AwsCloud(self.address, clients))
        self._is_vacant = False

    @property
    def skew(self) -> float:
        """By how many seconds this machine's clock is behind the cloud's."""
        return self._clients.skew

    @property
    def is_lost(self) -> bool:
        """Whether others may use the mailboxes, since the lease was not renewed."""
        return self._lease.lost

    def lease_usage(self) -> Usage:
        """Return the requests for the lease and for what is deployed.

        With them come the repeats of whatever its clients have asked for.
        """
        return self._meter.usage() + self._clients.meter.usage() + _LOOK_UP

    def stop(self) -> None:
        """Make all that run on the mailboxes stop, within seconds."""
        # If this is not possible they see that nobody renews the lease.
        within(_COURTESY, self._lease.stop)

    def vacate(self) -> None:
        """Take note that nothing runs on the mailboxes any more."""
        self._is_vacant = True

    def close(self) -> None:
        """Give the mailboxes back, and close the clients; twice is no error.

        What still runs on them stops.
        """
        # What cannot be given back now lapses.
        within(_COURTESY, lambda: self._lease.release(clean=self._is_vacant))
        self._clients.close()
