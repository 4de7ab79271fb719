"""A stand-in for AWS that checks signatures, policies and TLS: ministack, AUTH=true."""

import copy
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from tests.ministack import find_ministack, started

REGION = "us-east-1"
ACCOUNT = "000000000000"


_BATCHED = {"sqs:SendMessage", "sqs:DeleteMessage", "sns:Publish"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose signature a request carries."""

    key: str
    secret: str
    token: str | None = None


ROOT = Identity("test", "test")


@dataclass(frozen=True, slots=True)
class StandIn:
    """A running stand-in."""

    url: str
    certificate: Path

    def environment(self, identity: Identity = ROOT) -> Mapping[str, str]:
        """Return what makes boto3 take it for AWS."""
        values = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.certificate),
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": identity.key,
            "AWS_SECRET_ACCESS_KEY": identity.secret,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        if identity.token is not None:
            values["AWS_SESSION_TOKEN"] = identity.token
        return values

    @contextmanager
    def signed_in(self, identity: Identity = ROOT) -> Iterator[AwsClients]:
        """Give clients that sign as somebody."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            for name, value in self.environment(identity).items():
                patch.setenv(name, value)
            with closing(AwsClients(REGION, None)) as clients:
                yield clients

    def user(self, name: str, policy: Mapping[str, Any]) -> Identity:
        """Make a user who may do what a policy says."""
        with self.signed_in() as clients:
            iam = clients.client("iam")
            call(iam, "create_user", "user", UserName=name)
            call(
                iam,
                "put_user_policy",
                "user",
                UserName=name,
                PolicyName="all",
                PolicyDocument=json.dumps(policy),
            )
            made = call(iam, "create_access_key", "user", UserName=name)["AccessKey"]
        return Identity(made["AccessKeyId"], made["SecretAccessKey"])


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    venv = find_ministack()
    with running(venv, tmp_path_factory.mktemp("stand_in")) as found:
        yield found


def with_batches(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy as this stand-in needs it.

    It asks for the rights to SendMessageBatch, DeleteMessageBatch and PublishBatch,
    which AWS takes for granted with those to SendMessage, DeleteMessage and Publish.
    """
    wider = copy.deepcopy(dict(policy))
    for statement in wider["Statement"]:
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        more = [f"{action}Batch" for action in actions if action in _BATCHED]
        statement["Action"] = [*actions, *more]
    return wider


def allow_batches(stand_in: StandIn, name: str) -> None:
    """Widen the rights of a deployment's functions likewise."""
    with stand_in.signed_in() as clients:
        iam, role = clients.client("iam"), FabricNames(name).role
        for policy in call(iam, "list_role_policies", "role", RoleName=role)[
            "PolicyNames"
        ]:
            which = {"RoleName": role, "PolicyName": policy}
            found = call(iam, "get_role_policy", "role", **which)["PolicyDocument"]
            document = json.dumps(with_batches(found))
            call(iam, "put_role_policy", "role", **which, PolicyDocument=document)


@contextmanager
def running(venv: Path, scratch: Path) -> Iterator[StandIn]:
    """Run a stand-in that checks signatures, policies and TLS."""
    settings = {"AUTH": "true", "USE_SSL": "1", "LAMBDA_ACCOUNT_CONCURRENCY": "1000"}
    with started(venv, scratch, settings) as port:
        certificate = scratch / "ministack-tls" / "server.crt"
        yield StandIn(f"https://127.0.0.1:{port}", certificate)
