"""Lambda as `Functions`, on the emulated one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from serverless_dist.cloud import Functions
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_functions import (
    LambdaFunctions,
    pack_event,
    unpack_event,
)
from serverless_dist.cloud.emulated_functions import Faults, LambdaHost
from serverless_dist.cloud.limits import LAMBDA_ASYNC_BYTES, LAMBDA_SYNC_BYTES
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.testing.functions_suite import FunctionsSuite
from tests.lambda_bridge import VARIABLE, bridge


class TestLambdaFunctions(FunctionsSuite):
    @pytest.fixture(autouse=True)
    def _open(self, tmp_path: Path) -> Iterator[None]:
        with ExitStack() as self._stack:
            self._path = tmp_path / "bridge"
            yield

    def make_functions(self, handler: Callable[[bytes], bytes]) -> Functions:
        self._stack.enter_context(bridge(self._path, handler))
        return functions(self._stack, self._path)


def functions(stack: ExitStack, path: Path, faults: Faults | None = None) -> Functions:
    name, environment = "tests.lambda_bridge.handler", {VARIABLE: str(path)}
    host = LambdaHost(name, {"f": 512}, environment, faults=faults)
    stack.enter_context(host)
    clients = AwsClients(None, host.endpoint, lambda_endpoint=host.endpoint)
    stack.enter_context(closing(clients))
    return LambdaFunctions(clients.client("lambda"), "f")


@pytest.mark.parametrize("size", [0, 1, 2, 3, 65_536])
def test_an_event_carries_any_bytes(size: int) -> None:
    import json

    payload = bytes(range(256)) * (size // 256 + 1)
    assert unpack_event(json.loads(pack_event(payload[:size]))) == payload[:size]


@pytest.mark.parametrize("event", [None, {}, {"requestPayload": "eA"}, 3, ["eA"]])
def test_what_is_none_of_our_events_is_seen(event: object) -> None:
    assert unpack_event(event) is None


def test_payloads_up_to_lambdas_limits_arrive_and_no_larger_ones(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bridge"
    most = (LAMBDA_ASYNC_BYTES - 2) // 4 * 3
    with ExitStack() as stack:
        stack.enter_context(bridge(path, lambda payload: b"%d" % len(payload)))
        lambdas = functions(stack, path)
        assert lambdas.call(bytes(most)) == b"%d" % most
        lambdas.invoke(bytes(most))
        with pytest.raises(UsageError, match=f"send up to {most:,} bytes"):
            lambdas.invoke(bytes(most + 3))
        with pytest.raises(UsageError, match="is too large for Lambda"):
            lambdas.call(bytes(LAMBDA_SYNC_BYTES))


def test_a_busy_lambda_is_asked_again_and_a_missing_function_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bridge"
    with ExitStack() as stack:
        stack.enter_context(bridge(path, bytes.upper))
        lambdas = functions(stack, path, Faults(throttled=5))
        assert lambdas.call(b"abc") == b"ABC"
        missing = LambdaFunctions(lambdas._service, "g")  # type: ignore[attr-defined]
        with pytest.raises(CloudError, match="function g") as caught:
            missing.invoke(b"")
        assert not caught.value.retryable
