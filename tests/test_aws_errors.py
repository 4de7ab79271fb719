"""What AWS, or the way to it, says is told in this package's words."""

import http.server
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from serverless_dist.cloud.attempts import Patience, Refusal, call
from serverless_dist.cloud.aws import AwsClients, AwsService
from serverless_dist.cloud.leased import find_deployment
from serverless_dist.errors import CloudError, CredentialsError, UsageError

SECRETS = ("AKIAREALREALREAL", "very/secret+key", "session-token-of-mine")
NOWHERE = "http://127.0.0.1:1"
TOPICS = b"<ListTopicsResponse><ListTopicsResult/></ListTopicsResponse>"


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("REGION", "DEFAULT_REGION", "ENDPOINT_URL"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    return monkeypatch


@pytest.fixture
def real_credentials(no_credentials: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    key, secret, token = SECRETS
    no_credentials.setenv("AWS_ACCESS_KEY_ID", key)
    no_credentials.setenv("AWS_SECRET_ACCESS_KEY", secret)
    no_credentials.setenv("AWS_SESSION_TOKEN", token)
    return no_credentials


@pytest.fixture(scope="module")
def clients() -> Iterator[AwsClients]:
    patience = Patience(attempts=3, sleep=lambda seconds: None)
    with closing(AwsClients(None, NOWHERE, patience)) as clients:
        yield clients


def refuse(
    service: AwsService, operation: str, code: str, status: int = 400, text: str = "why"
) -> Exception:
    """Return what a caller gets when AWS answers an operation with this code."""
    with Stubber(service._client) as stub:
        for _ in range(3):
            stub.add_client_error(operation, code, text, status)
        with pytest.raises((CloudError, UsageError)) as caught:
            call(service, operation, "queue lab-mailbox-3")
    assert isinstance(caught.value.__cause__, ClientError)
    return caught.value


@pytest.mark.parametrize(
    "code",
    [
        "Throttling",
        "ThrottlingException",
        "RequestThrottled",
        "RequestLimitExceeded",
        "SlowDown",
        "KmsThrottled",
        "KMSThrottling",
        "TooManyRequestsException",
        "ServiceUnavailable",
        "AWS.SimpleQueueService.QueueDeletedRecently",
    ],
)
def test_busy_answers_are_repeated(clients: AwsClients, code: str) -> None:
    with Stubber(clients.sqs._client) as stub:
        stub.add_client_error("list_queues", code)
        stub.add_client_error("list_queues", code)
        stub.add_response("list_queues", {"QueueUrls": ["http://x"]})
        answer = call(clients.sqs, "list_queues", "all")
    assert answer["QueueUrls"] == ["http://x"]
    error = refuse(clients.sqs, "list_queues", code)
    assert isinstance(error, CloudError)
    assert error.retryable


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_statuses_are_told_by_their_number(
    clients: AwsClients, status: int
) -> None:
    error = refuse(clients.sns, "list_topics", "Surprise", status)
    assert isinstance(error, CloudError)
    assert error.retryable


@pytest.mark.parametrize(
    "code",
    [
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ],
)
def test_bad_credentials_are_told_without_quoting_the_request(
    clients: AwsClients, code: str
) -> None:
    text = f"should have been 'Credential={SECRETS[0]} x-amz-token:{SECRETS[2]}'"
    error = refuse(clients.sqs, "list_queues", code, 403, text)
    assert isinstance(error, CredentialsError)
    assert "aws sso login" in str(error)
    assert not any(secret in str(error) for secret in SECRETS)


@pytest.mark.parametrize("code", ["AccessDenied", "AuthorizationError", "403"])
def test_a_denial_names_operation_and_resource(clients: AwsClients, code: str) -> None:
    error = refuse(clients.sqs, "list_queues", code, 403)
    assert isinstance(error, CloudError)
    assert not error.retryable
    assert "SQS ListQueues on queue lab-mailbox-3 is not allowed" in str(error)


@pytest.mark.parametrize(
    "code",
    [
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "NoSuchBucket",
        "NotFound",
        "404",
    ],
)
def test_what_does_not_exist_must_be_provisioned(
    clients: AwsClients, code: str
) -> None:
    error = refuse(clients.sqs, "list_queues", code)
    assert isinstance(error, UsageError)
    assert "no queue lab-mailbox-3 (SQS ListQueues): run serverless-dist deploy" in str(
        error
    )


def test_a_refusal_crosses_processes_as_a_cloud_error() -> None:
    refusal = Refusal("SQS said no", retryable=True, code="SlowDown")
    copy = pickle.loads(pickle.dumps(refusal))
    assert isinstance(copy, CloudError)
    assert (str(copy), copy.retryable) == ("SQS said no", True)


def look_up(region: str | None, endpoint: str | None = None) -> None:
    with closing(AwsClients(region, endpoint)) as clients:
        find_deployment(clients, "lab")


class TestOnTheWay:
    def test_an_unreachable_endpoint_is_named(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
            with pytest.raises(CloudError, match=f"cannot reach {endpoint}"):
                look_up(None, endpoint)

    @pytest.mark.parametrize("endpoint", ["nonsense", "http://", "127.0.0.1:80"])
    def test_an_endpoint_that_is_no_url_is_refused(self, endpoint: str) -> None:
        with pytest.raises(UsageError, match="is no endpoint: give a URL"):
            look_up(None, endpoint)

    def test_missing_credentials_are_told_with_what_to_do(
        self, no_credentials: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(CredentialsError, match="set AWS_PROFILE"):
            look_up("us-east-1")
        no_credentials.setenv("AWS_PROFILE", "unknown")
        with pytest.raises(CredentialsError, match="set AWS_PROFILE"):
            look_up("us-east-1")

    def test_a_missing_region_is_told(
        self, real_credentials: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(UsageError, match="set AWS_REGION"):
            look_up(None)

    def test_an_impossible_region_is_told(
        self, real_credentials: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(UsageError, match="not a region"):
            look_up("not a region")


Handle = Callable[[http.server.BaseHTTPRequestHandler], None]


class Canned:
    """A web server that gives one scripted answer for each request."""

    def __init__(self) -> None:
        self.script: list[Handle] = []
        self.headers: list[str] = []
        script, headers = self.script, self.headers

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers.append(str(self.headers))
                script.pop(0)(self)

            do_GET = do_HEAD = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def answer(status: int, body: bytes, *, promised: int | None = None) -> Handle:
    def write(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        length = len(body) if promised is None else promised
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(body)

    return write


@pytest.fixture
def canned() -> Iterator[Canned]:
    with closing(Canned()) as server:
        yield server


def test_real_credentials_and_settings_never_reach_an_emulator(
    canned: Canned, real_credentials: pytest.MonkeyPatch
) -> None:
    real_credentials.setenv("AWS_PROFILE", "unknown")
    real_credentials.setenv("AWS_ENDPOINT_URL", NOWHERE)
    real_credentials.setenv("HTTP_PROXY", NOWHERE)
    real_credentials.setenv("http_proxy", NOWHERE)
    canned.script += [answer(200, b"{}"), answer(200, TOPICS), answer(200, b"<A/>")]
    with closing(AwsClients(None, canned.endpoint)) as clients:
        call(clients.sqs, "list_queues", "all")
        call(clients.sns, "list_topics", "all")
        call(clients.s3, "list_buckets", "all")
    assert len(canned.headers) == 3
    for headers in canned.headers:
        assert "Credential=emulated/" in headers
        assert not any(secret in headers for secret in SECRETS)


def test_a_body_that_breaks_off_is_fetched_again(canned: Canned) -> None:
    canned.script += [
        answer(200, b"half of", promised=18),
        answer(200, b"half of the object"),
    ]
    patience = Patience(sleep=lambda seconds: None)
    with closing(AwsClients(None, canned.endpoint, patience)) as clients:
        got = call(clients.s3, "get_object", "object k", Bucket="lab", Key="k")
    assert got["Body"] == b"half of the object"
    assert clients.meter.usage().retries == {"s3:GetObject": 1}


def test_an_answer_that_is_not_of_aws_is_asked_for_again(canned: Canned) -> None:
    html = b"<!doctype html><title>503</title><p>try again"
    canned.script += [answer(503, html)] * 2 + [answer(200, TOPICS)]
    patience = Patience(attempts=5, sleep=lambda seconds: None)
    with closing(AwsClients(None, canned.endpoint, patience)) as clients:
        call(clients.sns, "list_topics", "all")
    assert canned.script == []
    # Those of the SDK and those of this package.
    assert clients.meter.usage().retries == {"sns:ListTopics": 2}


def test_a_503_without_a_body_is_survived(canned: Canned) -> None:
    canned.script += [answer(503, b""), answer(200, b"{}")]
    patience = Patience(sleep=lambda seconds: None)
    with closing(AwsClients(None, canned.endpoint, patience)) as clients:
        call(clients.sqs, "list_queues", "all")
    assert canned.script == []
    assert clients.meter.usage().retries == {"sqs:ListQueues": 1}
