"""The clients of AWS's services over boto3, which only this file imports.

1. Clients are made once for a cloud, from a session of its own; they are safe to
   use from several threads.
2. Every error of the SDK becomes one of this package's in `aws_errors`, with the
   original as its cause; no message carries a credential.
3. An endpoint other than AWS's own is an emulator's: it gets dummy credentials, and
   nothing of the user's AWS configuration is read for it.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any

import boto3
import botocore.session
from botocore import exceptions as sdk
from botocore.config import Config
from botocore.parsers import ResponseParserError

from serverless_dist.cloud.attempts import Patience, Refusal, call
from serverless_dist.cloud.aws_refusals import RENEW_CREDENTIALS, error_of
from serverless_dist.cloud.limits import MAX_WAIT
from serverless_dist.cloud.meter import Meter
from serverless_dist.errors import CloudError, CredentialsError, UsageError

_THREADS = 8  # batches that go out side by side; more would only wait for the CPU
# Of each client: those threads, the threads of a caller who gets many blobs at once,
# and a long poll. They are opened as needed.
_CONNECTIONS = 32
_CONNECT_SECONDS = 5.0
_READ_SECONDS = MAX_WAIT + 5  # a long poll answers late, but it answers
_INEXACT = 5.0  # seconds: a Date has whole ones, and answers take time
_ATTEMPTS = 3  # of the SDK, which waits 50 ms, 100 ms, ... between them

_NO_CREDENTIALS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.NoAuthTokenError,
    sdk.ProfileNotFound,
    sdk.SSOError,
    getattr(sdk, "LoginError", sdk.SSOError),  # since botocore 1.41
)


@contextmanager
def aws_errors(what: str, resource: str, endpoint: str) -> Iterator[None]:
    """Turn errors of the SDK into this package's.

    Parameters
    ----------
    what
        Service and operation, for messages.
    resource
        What the operation is about, for messages.
    endpoint
        Where the request goes.
    """
    try:
        yield
    except sdk.ClientError as error:
        raise error_of(error.response, what, resource) from error
    except _NO_CREDENTIALS as error:
        kind = type(error).__name__
        msg = f"{what}: no usable AWS credentials ({kind}): {RENEW_CREDENTIALS}"
        raise CredentialsError(msg) from error
    except (sdk.NoRegionError, sdk.UnknownRegionError) as error:
        kind = type(error).__name__
        msg = f"no usable AWS region ({kind}): set AWS_REGION, or one in your profile"
        raise UsageError(msg) from error
    except (
        sdk.ResponseStreamingError,
        sdk.IncompleteReadError,
        ResponseParserError,  # a busy load balancer may answer in HTML
    ) as error:
        # The SDK does not try these again.
        kind = type(error).__name__
        msg = f"{what} on {resource}: {endpoint} gave a broken answer ({kind})"
        raise Refusal(msg, retryable=True, code=kind) from error
    except (sdk.ConnectionError, sdk.HTTPClientError) as error:
        kind = type(error).__name__
        msg = f"{what} on {resource}: cannot reach {endpoint} ({kind})"
        raise CloudError(msg, retryable=True) from error
    except (sdk.ParamValidationError, sdk.ValidationError) as error:
        msg = f"{what} on {resource}: {error}"
        raise UsageError(msg) from error
    except sdk.BotoCoreError as error:
        msg = f"{what} on {resource} failed: {error}"
        raise CloudError(msg, retryable=False) from error


class AwsService:
    """The client of one service of AWS; see `Service`.

    Parameters
    ----------
    client
        Made by boto3.
    patience
        How long to ask again when the service is busy.
    note
        Told an operation, as ``"s3:PutObject"``, and how often it was sent again.
    """

    def __init__(
        self,
        client: Any,
        patience: Patience | None = None,
        note: Callable[[str, int], None] | None = None,
    ) -> None:
        self._client = client
        self._note = note
        self.patience = replace(
            Patience() if patience is None else patience,
            note=lambda operation: self._count(operation, 1),
        )
        self.name: str = client.meta.service_model.service_id

    def __repr__(self) -> str:
        return f"<AwsService {self.name} at {self._client.meta.endpoint_url}>"

    def request(
        self, operation: str, resource: str, **arguments: object
    ) -> dict[str, Any]:
        """Send one request and return the answer, with a streamed body read whole."""
        what = f"{self.name} {self._client.meta.method_to_api_mapping[operation]}"
        with aws_errors(what, resource, self._client.meta.endpoint_url):
            answer: dict[str, Any] = self._ask(operation, arguments)
            for streamed in {"Body", "Payload"} & answer.keys():  # of S3, of Lambda
                answer[streamed] = answer[streamed].read()
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, operation: str, arguments: Mapping[str, object]) -> Any:
        """Return the answer; the SDK says in it how often it has sent the request."""
        answer: Any = {}
        try:
            answer = getattr(self._client, operation)(**arguments)
        except sdk.ClientError as error:
            answer = error.response
            raise
        finally:
            meta = answer.get("ResponseMetadata", {})
            self._count(operation, meta.get("RetryAttempts", 0))
        return answer

    def _count(self, operation: str, times: int) -> None:
        if times and self._note is not None:
            name = self._client.meta.method_to_api_mapping[operation]
            self._note(f"{self.name.lower()}:{name}", times)


class AwsClients:
    """The clients of AWS's services, and the threads that share them.

    Those of SQS, SNS and S3 are made at once, others when they are asked for.

    Parameters
    ----------
    region
        The region; None takes the one of the environment or the user's profile.
    endpoint
        Where an emulator listens; None is AWS itself.
    patience
        How long to ask again when a service is busy.
    lambda_endpoint
        Where an emulator of Lambda listens, if that is elsewhere.

    Attributes
    ----------
    region, partition, endpoint
        Where they are.
    skew
        By how many seconds this machine's clock is behind AWS's, if `account` has
        found it to be wrong.
    pool
        Threads for requests that go out side by side.
    meter
        Counts the requests that were sent again, and nothing else; may be changed.
    """

    def __init__(
        self,
        region: str | None,
        endpoint: str | None,
        patience: Patience | None = None,
        *,
        lambda_endpoint: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.skew = 0.0
        self.meter = Meter()
        self._patience = patience
        self._endpoints = {"lambda": lambda_endpoint}
        self._lock = Lock()  # boto3's sessions are not safe to share
        self._clients: dict[str, AwsService] = {}
        with aws_errors("the AWS SDK", endpoint or "AWS", endpoint or "AWS"):
            self._session: Any = _session(region, endpoint)
        self.sqs, self.sns, self.s3 = map(self.client, ("sqs", "sns", "s3"))
        self.region: str = self._session.region_name
        with aws_errors("AWS session", self.region, self.region):
            self.partition: str = self._session.get_partition_for_region(self.region)
        self.pool = ThreadPoolExecutor(
            _THREADS, thread_name_prefix="serverless_dist aws"
        )

    def client(self, name: str) -> AwsService:
        """Return the client of a service, by its name in boto3."""
        with self._lock:
            if name not in self._clients:
                endpoint = self._endpoints.get(name) or self.endpoint
                self._clients[name] = self._make(name, endpoint)
            return self._clients[name]

    def account(self) -> str:
        """Return the number of the account that the credentials belong to.

        The answer also tells what time it is at AWS.
        """
        sts = self.client("sts")
        identity = call(sts, "get_caller_identity", "the credentials")
        answer = identity["ResponseMetadata"]["HTTPHeaders"]
        if "date" in answer:
            self.skew = _behind(parsedate_to_datetime(answer["date"]).timestamp())
        account: str = identity["Account"]
        return account

    def close(self) -> None:
        """End the threads and close the connections; twice is no error."""
        self.pool.shutdown(cancel_futures=True)
        with self._lock:
            for service in self._clients.values():
                service.close()

    def _retried(self, operation: str, times: int) -> None:
        self.meter.retry(operation, times)

    def _make(self, name: str, endpoint: str | None) -> AwsService:
        try:
            with aws_errors("the AWS SDK", endpoint or "AWS", endpoint or "AWS"):
                client = self._session.client(
                    name, endpoint_url=endpoint, config=_config(endpoint)
                )
                return AwsService(client, self._patience, self._retried)
        except ValueError as error:
            if isinstance(error, UsageError):
                raise
            msg = f"{endpoint!r} is no endpoint: give a URL, as http://127.0.0.1:5000"
            raise UsageError(msg) from error


def _behind(theirs: float) -> float:
    """Return how far this machine's clock is behind, as exactly as an answer says."""
    skew = theirs - time.time()
    return skew if abs(skew) > _INEXACT else 0.0


def _session(region: str | None, endpoint: str | None) -> boto3.Session:
    if endpoint is None:
        # Python's SDK alone does not know AWS_REGION, which all others go by.
        names = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        core = botocore.session.Session(
            session_vars={"region": ("region", names, None, None)}
        )
        return boto3.Session(botocore_session=core, region_name=region)
    core = botocore.session.Session(
        session_vars={
            "profile": (None, [], None, None),
            "config_file": (None, [], os.devnull, None),
            "credentials_file": (None, [], os.devnull, None),
        }
    )
    return boto3.Session(
        botocore_session=core,
        region_name=region or "us-east-1",
        aws_access_key_id="emulated",
        aws_secret_access_key="emulated",
    )


def _config(endpoint: str | None) -> Config:
    return Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        # An emulator is on this machine: no proxy leads to it.
        proxies={} if endpoint else None,
    )
