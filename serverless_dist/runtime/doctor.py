"""Whether jobs can run on a deployment: checks, one after another.

1. What a check needs others to have found comes after them; if it cannot be known, the
   checks that depend on it are left out.
2. A check that AWS does not allow is a warning that names the permission.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial

from serverless_dist.cloud.attempts import Refusal, call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_refusals import DENIED
from serverless_dist.cloud.deployment import Deployment
from serverless_dist.cloud.lease_table import LeaseTable
from serverless_dist.cloud.leased import LeasedCloud, find_deployment
from serverless_dist.config import Config
from serverless_dist.errors import ServerlessDistError
from serverless_dist.runtime.findings import (
    Finding,
    Verdict,
    judge_clock,
    judge_dead_letters,
    judge_function,
    judge_mailboxes,
    judge_quota,
    judge_stack,
    judge_versions,
    ok,
    problem,
    warning,
)
from serverless_dist.runtime.policies import UNLIMITED
from serverless_dist.runtime.round_trips import (
    try_blobs,
    try_job,
    try_queue,
    try_topic,
)
from serverless_dist.runtime.stack import stack_name
from serverless_dist.runtime.stacks import Stacks
from serverless_dist.runtime.versions import versions

_FILTERS = (
    "in the first 15 minutes after a deploy, filters are still on their way: run doctor"
    " again; later, run serverless-dist deploy again"
)


def examine(
    config: Config, ranks: int | None, connect: Callable[[], AwsClients]
) -> Iterator[Finding]:
    """Give what each check finds as soon as it is made.

    Parameters
    ----------
    config
        Which deployment is meant, and with which function jobs run.
    ranks
        How many a job is to have; None: what is deployed has to agree with itself.
    connect
        Makes clients; they are closed.
    """
    with closing(connect()) as clients:
        doctor = _Doctor(config, ranks, clients)
        yield from doctor.examine_account()
        if doctor.is_signed_in:
            yield from doctor.examine_deployment()
        made = doctor.made
    # A lease has clients of its own, which it closes.
    if made is not None:
        yield from _try_channels(config, made, connect)


class _Doctor:
    """The checks that only look."""

    def __init__(self, config: Config, ranks: int | None, clients: AwsClients) -> None:
        self._config = config
        self._ranks = ranks
        self._clients = clients
        self.is_signed_in = False
        self.made: Deployment | None = None

    def examine_account(self) -> Iterator[Finding]:
        """Check what has nothing to do with a deployment."""
        yield from _attempt("credentials", "sts:GetCallerIdentity", self._sign_in)

    def examine_deployment(self) -> Iterator[Finding]:
        """Check what is there."""
        yield from _attempt("deployment", "s3:GetObject", self._find)
        made = self.made
        if made is None:
            # Whether one was begun; none at all is no news.
            yield from self._examine_stack(self._config.fabric, is_expected=False)
            return
        yield judge_versions(versions(), made.versions)
        for topic in range(len(made.topic_arns)):
            yield from self._examine_stack(stack_name(made.name, topic))
        for memory, function in made.functions.items():
            yield from _attempt(
                f"function {function}",
                "lambda:GetFunctionConfiguration",
                partial(self._see_function, memory, function),
            )
        yield from _attempt("quota", "lambda:GetAccountSettings", self._see_quota)
        yield from _attempt("mailboxes", "s3:GetObject", self._see_mailboxes)
        yield from _attempt(
            "failed events", "sqs:GetQueueAttributes", self._see_dead_letters
        )

    def _sign_in(self) -> Iterator[Finding]:
        account = self._clients.account()
        sts = self._clients.client("sts")
        identity = call(sts, "get_caller_identity", "the credentials")
        self.is_signed_in = True
        yield ok("credentials", f"{identity['Arn']}, account {account}")
        yield judge_clock(self._clients.skew)
        yield ok("region", self._clients.region)

    def _find(self) -> Iterator[Finding]:
        made = find_deployment(self._clients, self._config.fabric)
        self.made = made
        text = f"{made.name}, by serverless_dist {made.version}, is complete"
        yield ok("deployment", text)

    def _examine_stack(
        self, name: str, *, is_expected: bool = True
    ) -> Iterator[Finding]:
        def see() -> Iterator[Finding]:
            state = Stacks(self._clients, _tell_nobody).find(name)
            if state or is_expected:
                yield judge_stack(name, state)

        yield from _attempt(f"stack {name}", "cloudformation:DescribeStacks", see)

    def _see_function(self, memory: int, function: str) -> Sequence[Finding]:
        service = self._clients.client("lambda")
        what = f"function {function}"
        try:
            seen = call(
                service, "get_function_configuration", what, FunctionName=function
            )
        except Refusal as refusal:
            if refusal.code != "ResourceNotFoundException":
                raise
            advice = "run serverless-dist deploy again"
            return [problem(what, "does not exist", advice)]
        return [judge_function(memory, seen)]

    def _see_quota(self) -> Sequence[Finding]:
        service = self._clients.client("lambda")
        answer = call(service, "get_account_settings", "the account")
        most = answer["AccountLimit"]["UnreservedConcurrentExecutions"]
        return [judge_quota(self._ranks or 1, most)]

    def _see_mailboxes(self) -> Sequence[Finding]:
        made, clients = self.made, self._clients
        assert made is not None
        blobs = S3Blobs(clients.s3, made.bucket, clients.pool)
        entries = LeaseTable.read(blobs).entries
        return judge_mailboxes(self._ranks, made.mailboxes, entries)

    def _see_dead_letters(self) -> Sequence[Finding]:
        made = self.made
        assert made is not None
        names = FabricNames(made.name)
        wanted = "ApproximateNumberOfMessages"
        beginning = made.queue_url_prefix.removesuffix(names.mailbox_prefix)
        answer = call(
            self._clients.sqs,
            "get_queue_attributes",
            f"queue {names.dead_letters}",
            QueueUrl=beginning + names.dead_letters,
            AttributeNames=[wanted],
        )
        return [judge_dead_letters(int(answer["Attributes"][wanted]))]


def _try_channels(
    config: Config, made: Deployment, connect: Callable[[], AwsClients]
) -> Iterator[Finding]:
    """Send something through everything, on mailboxes of its own."""
    opened: list[LeasedCloud] = []

    def lease() -> Sequence[Finding]:
        with ExitStack() as undo:
            clients = connect()
            undo.callback(clients.close)
            cloud = LeasedCloud(
                clients,
                made,
                mailboxes=1,
                memory_mb=config.memory_mb,
                wait=config.mailbox_wait,
            )
            undo.pop_all()
        opened.append(cloud)
        return [ok("lease", f"mailbox {cloud.address.first}")]

    yield from _attempt("lease", "s3:PutObject", lease)
    for cloud in opened:
        with closing(cloud):
            for check, permission, attempt, advice in (
                ("queue", "sqs:SendMessage, sqs:ReceiveMessage", try_queue, ""),
                ("topic", "sns:Publish", try_topic, _FILTERS),
                ("object", "s3:PutObject, s3:GetObject", try_blobs, ""),
            ):
                one = partial(_one, attempt, cloud)
                yield from _attempt(check, permission, one, advice)
            cloud.vacate()
    if opened and judge_versions(versions(), made.versions).verdict is Verdict.OK:
        one_job = partial(_one, try_job, config)
        yield from _attempt("job", "lambda:InvokeFunction", one_job)


def _one(check: Callable[..., Finding], subject: object) -> Sequence[Finding]:
    return [check(subject)]


def _attempt(
    check: str,
    permission: str,
    make: Callable[[], Sequence[Finding] | Iterator[Finding]],
    advice: str = "",
) -> Iterator[Finding]:
    """Give what a check finds, or why it cannot be made."""
    try:
        yield from make()
    except Refusal as refusal:
        if refusal.code in DENIED:
            text = "cannot be checked: AWS does not allow it"
            kind = "deploy" if permission in UNLIMITED else "run"
            needed = f"to be allowed {permission}: serverless-dist policy {kind}"
            yield warning(check, text, f"ask {needed}")
        else:
            yield problem(check, str(refusal), advice)
    except ServerlessDistError as error:
        yield problem(check, str(error), advice)


def _tell_nobody(line: str) -> None:
    """Drop a line of progress: nothing that takes long is done."""
