"""The conformance suite of `Functions`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Event

from serverless_dist.cloud import Functions
from serverless_dist.errors import CloudError
from serverless_dist.testing.expect import raises

PATIENCE = 30.0  # seconds that only a failing test waits


def echo(payload: bytes) -> bytes:
    """Answer with the payload."""
    return payload


def fail(payload: bytes) -> bytes:
    """Fail as a handler does."""
    msg = f"cannot handle {len(payload)} bytes"
    raise ValueError(msg)


class FunctionsSuite(ABC):
    """What a `Functions` promises; derive and implement `make_functions`.

    The handlers of this suite share memory with it.
    """

    @abstractmethod
    def make_functions(self, handler: Callable[[bytes], bytes]) -> Functions:
        """Return functions that run `handler`."""

    def test_call_returns_the_handlers_answer(self) -> None:
        functions = self.make_functions(echo)
        for payload in (b"", b"1", bytes(range(256)), b"x" * 100_000):
            assert functions.call(payload) == payload

    def test_a_handler_that_fails_makes_the_call_fail_for_good(self) -> None:
        functions = self.make_functions(fail)
        with raises(CloudError) as errors:
            functions.call(b"payload")
        assert [error.retryable for error in errors] == [False]

    def test_functions_outlive_a_failure(self) -> None:
        functions = self.make_functions(lambda p: echo(p) if p else fail(p))
        with raises(CloudError):
            functions.call(b"")
        assert functions.call(b"again") == b"again"

    def test_invoke_runs_the_handler_with_the_payload(self) -> None:
        done = Event()
        payloads: list[bytes] = []

        def handler(payload: bytes) -> bytes:
            payloads.append(payload)
            done.set()
            return b""

        self.make_functions(handler).invoke(b"payload")
        assert done.wait(PATIENCE)
        assert set(payloads) == {b"payload"}

    def test_invoke_does_not_wait_for_the_handler(self) -> None:
        gate, done = Event(), Event()

        def handler(payload: bytes) -> bytes:
            if gate.wait(PATIENCE):
                done.set()
            return payload

        self.make_functions(handler).invoke(b"payload")
        gate.set()
        assert done.wait(PATIENCE)
