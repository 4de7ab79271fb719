"""A deployment on emulators that the command line takes for one on AWS."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from serverless_dist.cli import main
from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.emulated import EmulatedFabric
from serverless_dist.runtime.versions import versions

REGION = "us-east-1"
# Something that CloudFormation of moto can make.
_TEMPLATE = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}


@contextmanager
def deployed(endpoint: str) -> Iterator[EmulatedFabric]:
    """Give a deployment of eight mailboxes with all that `doctor` looks for."""
    with EmulatedFabric(8, endpoint=endpoint, versions=versions()) as fabric:
        names = FabricNames(fabric.deployment.name)
        with signed_in(fabric) as clients:
            sqs, stacks = clients.sqs, clients.client("cloudformation")
            queue = {"QueueName": names.dead_letters}
            url = call(sqs, "create_queue", "queue", **queue)["QueueUrl"]
            stack = {"StackName": names.fabric}
            body = json.dumps(_TEMPLATE)
            call(stacks, "create_stack", "stack", TemplateBody=body, **stack)
            yield fabric
            call(stacks, "delete_stack", "stack", **stack)
            call(sqs, "delete_queue", "queue", QueueUrl=url)


@contextmanager
def signed_in(fabric: EmulatedFabric) -> Iterator[AwsClients]:
    """Let this process take the emulators for AWS, and give its clients."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", fabric.endpoint)
        patch.setenv("AWS_ENDPOINT_URL_LAMBDA", fabric.lambda_endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_REGION", REGION)
        patch.setenv("SERVERLESS_DIST_FABRIC", fabric.deployment.name)
        with closing(AwsClients(REGION, None)) as clients:
            yield clients


def tell(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, output and errors."""
    capsys.readouterr()
    try:
        code = main(arguments)
    except SystemExit as error:  # argparse's
        code = error.code if isinstance(error.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err
