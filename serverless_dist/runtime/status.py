"""What there is of a deployment, for `serverless-dist status`."""

from collections.abc import Mapping
from dataclasses import dataclass

from serverless_dist.cloud.attempts import Refusal, call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_refusals import NotProvisionedError
from serverless_dist.cloud.deployment import RECORD_KEY, Deployment
from serverless_dist.cloud.lease_table import LeaseEntry, LeaseTable
from serverless_dist.runtime.stack import MAX_TOPICS, stack_name
from serverless_dist.runtime.stacks import Stacks


@dataclass(frozen=True, slots=True)
class FunctionState:
    """A function as Lambda has it."""

    name: str
    memory_mb: int
    runtime: str
    architecture: str
    modified: str


@dataclass(frozen=True, slots=True)
class Status:
    """A deployment as it is.

    Attributes
    ----------
    name, account, region
        What was looked for, and where.
    stacks
        The states of its stacks, by their names; none: it does not exist.
    deployment
        Its record: mailboxes, versions, package; None: it is not complete.
    functions
        Those of the record that exist.
    leases
        The mailboxes that jobs have.
    dead_letters
        How many events no function has handled; None: there is no such queue.
    """

    name: str
    account: str
    region: str
    stacks: Mapping[str, str]
    deployment: Deployment | None
    functions: tuple[FunctionState, ...]
    leases: tuple[LeaseEntry, ...]
    dead_letters: int | None


def describe(clients: AwsClients, name: str) -> Status:
    """Return what there is of a deployment; nothing is no error.

    Parameters
    ----------
    clients
        How AWS is asked; they decide account and region.
    name
        Of the deployment.

    Raises
    ------
    UsageError
        Its record or the table of leases is that of another version.
    CredentialsError
        There are no usable credentials.
    CloudError
        AWS does not allow it, or cannot be reached.
    """
    account = clients.account()
    names = FabricNames(name)
    stacks = Stacks(clients, _tell_nobody)
    found = {}
    for topic in range(MAX_TOPICS):
        part = stack_name(name, topic)
        if state := stacks.find(part):
            found[part] = state.status
    blobs = S3Blobs(clients.s3, names.bucket(account), clients.pool)
    deployment, leases = _read(blobs)
    functions = () if deployment is None else deployment.functions.values()
    return Status(
        name=name,
        account=account,
        region=clients.region,
        stacks=found,
        deployment=deployment,
        functions=tuple(filter(None, (_function(clients, f) for f in functions))),
        leases=leases,
        dead_letters=_count_dead_letters(clients, names.dead_letters),
    )


def _read(blobs: S3Blobs) -> tuple[Deployment | None, tuple[LeaseEntry, ...]]:
    try:
        data = blobs.get(RECORD_KEY)
        leases = LeaseTable.read(blobs).entries
    except NotProvisionedError:
        return None, ()
    return (None if data is None else Deployment.unpack(data)), leases


def _function(clients: AwsClients, name: str) -> FunctionState | None:
    try:
        answer = call(
            clients.client("lambda"),
            "get_function_configuration",
            f"function {name}",
            FunctionName=name,
        )
    except Refusal as refusal:
        if refusal.code != "ResourceNotFoundException":
            raise
        return None
    return FunctionState(
        name=name,
        memory_mb=answer["MemorySize"],
        runtime=answer.get("Runtime", ""),
        architecture=answer.get("Architectures", [""])[0],
        modified=answer.get("LastModified", ""),
    )


def _count_dead_letters(clients: AwsClients, queue: str) -> int | None:
    wanted = "ApproximateNumberOfMessages"
    resource = f"queue {queue}"
    try:
        url = call(clients.sqs, "get_queue_url", resource, QueueName=queue)
        answer = call(
            clients.sqs,
            "get_queue_attributes",
            resource,
            QueueUrl=url["QueueUrl"],
            AttributeNames=[wanted],
        )
    except NotProvisionedError:
        return None
    return int(answer["Attributes"][wanted])


def _tell_nobody(line: str) -> None:
    """Drop a line of progress: nothing that takes long is done."""
