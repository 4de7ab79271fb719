"""Making and updating a deployment.

1. Every step may be repeated: what breaks off anywhere is taken up by deploying again.
2. The bucket comes first, then the package in it, then the stacks, and last the record
   that jobs look for: who finds it finds all that it names.
3. What running jobs need is not taken away: a record that names less is written
   before the leases are looked at, so that no job leases what goes.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256

from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.deployment import RECORD_KEY, Deployment
from serverless_dist.cloud.lease_table import LeaseTable
from serverless_dist.cloud.limits import TEMPLATE_MAX_BYTES
from serverless_dist.errors import UsageError
from serverless_dist.runtime.destroy import empty
from serverless_dist.runtime.package import Package
from serverless_dist.runtime.plan import (
    Plan,
    check_bucket_is_free,
    check_concurrency,
)
from serverless_dist.runtime.provision import (
    SECRET_PARAMETER,
    mailbox_template,
    pack_template,
    template,
)
from serverless_dist.runtime.stack import (
    MAX_TOPICS,
    PACKAGES,
    Stack,
    package_key,
    stack_name,
)
from serverless_dist.runtime.stack_states import Action
from serverless_dist.runtime.stacks import Progress, Stacks

_SECRET_BYTES = 32


def deploy(
    clients: AwsClients, plan: Plan, package: Package, *, on_progress: Progress
) -> Deployment:
    """Make a deployment, or change what is there, until it is as planned.

    Parameters
    ----------
    clients
        How AWS is asked; they decide account and region.
    plan
        What to make.
    package
        What its functions run.
    on_progress
        Is told what goes on.

    Returns
    -------
    Deployment
        As it is recorded now.

    Raises
    ------
    UsageError
        The plan is not possible here, or would take away what a job uses.
    CredentialsError
        There are no usable credentials.
    CloudError
        AWS refused: the message names the resource and why. Nothing has changed then,
        or some of the plan's mailboxes are there; deploy again, or destroy.
    """
    stack = plan.stack(clients, package.digest)
    check_concurrency(clients, plan.ranks)
    return _Deploy(clients, stack, on_progress).run(package)


class _Deploy:
    """One call of `deploy`."""

    def __init__(
        self, clients: AwsClients, stack: Stack, on_progress: Progress
    ) -> None:
        self._clients = clients
        self._stack = stack
        self._bucket = stack.names.bucket(stack.account)
        self._blobs = S3Blobs(clients.s3, self._bucket, clients.pool)
        self._stacks = Stacks(clients, on_progress)
        self._on_progress = on_progress

    def run(self, package: Package) -> Deployment:
        self._make_bucket()
        old = self._read_record()
        if old is not None:
            self._withdraw(old)
        self._upload(package)
        secret = secrets.token_bytes(_SECRET_BYTES) if old is None else old.secret
        changed = self._apply(secret)
        deployment = self._record(package, secret)
        if deployment != old:
            changed = True
            self._blobs.put(RECORD_KEY, deployment.pack())
        self._prune(package)
        name = self._stack.name
        self._on_progress(f"{name} is deployed" if changed else "nothing to change")
        return deployment

    def _make_bucket(self) -> None:
        """Have a stack that can be updated, and its bucket."""
        name = self._stack.name
        if self._stacks.find(name) is None:
            check_bucket_is_free(self._clients, self._stack)
        action = self._stacks.settle(name, partial(empty, self._blobs))
        if action is Action.CREATE:
            made = template(replace(self._stack, package=None))
            body = {"TemplateBody": pack_template(made).decode()}
            if begun := self._stacks.begin(name, body, {}):
                self._stacks.finish(name, begun, len(made["Resources"]))

    def _read_record(self) -> Deployment | None:
        data = self._blobs.get(RECORD_KEY)
        try:
            return None if data is None else Deployment.unpack(data)
        except UsageError:  # of another version: it is written anew
            return None

    def _withdraw(self, old: Deployment) -> None:
        """Take out of the record what will go, if no job uses it."""
        stack = self._stack
        functions = {
            mb: old.functions[mb] for mb in old.functions if mb in stack.memories
        }
        kept = replace(
            old,
            mailboxes=min(old.mailboxes, stack.mailboxes),
            topic_arns=old.topic_arns[: stack.topics],
            functions=functions,
        )
        if kept == old:
            return
        self._blobs.put(RECORD_KEY, kept.pack())
        for entry in LeaseTable.read(self._blobs).entries:
            if functions != old.functions or entry.first + entry.count > kept.mailboxes:
                self._blobs.put(RECORD_KEY, old.pack())
                msg = (
                    f"a job uses what would be removed of {stack.name}: it has"
                    f" mailboxes {entry}: wait for its end, or deploy as many"
                    " --ranks and each --memory that there is now"
                )
                raise UsageError(msg)

    def _upload(self, package: Package) -> None:
        key = package_key(package.digest)
        if self._blobs.get(key, start=0, stop=0) is None:
            self._on_progress(f"uploading the package, {package.size:,} bytes")
            self._blobs.put(key, package.path.read_bytes())

    def _apply(self, secret: bytes) -> bool:
        """Return whether anything had to be changed."""
        name, topics = self._stack.name, self._stack.topics
        parameters = {SECRET_PARAMETER: secret.hex()}
        made = template(self._stack)
        total = len(made["Resources"])
        begun = self._stacks.begin(name, self._body(made), parameters)
        if begun:
            self._stacks.finish(name, begun, total)
        # Side by side: they have nothing in common.
        further: list[tuple[str, str, int]] = []
        for topic in range(1, topics):
            part = stack_name(name, topic)
            self._stacks.settle(part)
            made = mailbox_template(self._stack, topic)
            if is_begun := self._stacks.begin(part, self._body(made), {}):
                further.append((part, is_begun, len(made["Resources"])))
        for part, id_, total in further:
            self._stacks.finish(part, id_, total)
        removed = [
            self._stacks.remove(part)
            for topic in range(topics, MAX_TOPICS)
            if self._stacks.find(part := stack_name(name, topic)) is not None
        ]
        return bool(begun or further or removed)

    def _body(self, made: Mapping[str, object]) -> dict[str, str]:
        data = pack_template(dict(made))
        if len(data) <= TEMPLATE_MAX_BYTES:
            return {"TemplateBody": data.decode()}
        key = f"{PACKAGES}template-{sha256(data).hexdigest()}.json"
        self._blobs.put(key, data)
        stack = self._stack
        domain = "amazonaws.com" + (".cn" if stack.partition == "aws-cn" else "")
        host = f"s3.{stack.region}.{domain}"
        return {"TemplateURL": f"https://{host}/{self._bucket}/{key}"}

    def _record(self, package: Package, secret: bytes) -> Deployment:
        stack, first = self._stack, self._stack.names.mailbox(0)
        answer = call(
            self._clients.sqs, "get_queue_url", f"queue {first}", QueueName=first
        )
        url: str = answer["QueueUrl"]
        return Deployment(
            name=stack.name,
            region=stack.region,
            account=stack.account,
            version=package.versions["serverless_dist"],
            mailboxes=stack.mailboxes,
            queue_url_prefix=url.removesuffix("0"),
            topic_arns=tuple(stack.arns.topic(index) for index in range(stack.topics)),
            bucket=self._bucket,
            functions={mb: stack.names.function(mb) for mb in sorted(stack.memories)},
            architecture=stack.architecture,
            versions=dict(package.versions),
            package=package.digest,
            secret=secret,
        )

    def _prune(self, package: Package) -> None:
        """Remove what earlier deployments have uploaded.

        Not what is deployed now: with it AWS undoes an update that fails.
        """
        current = package_key(package.digest)
        self._blobs.delete(
            [key for key in self._blobs.list(PACKAGES) if key != current]
        )
