"""An invitation is refused unless who sealed it knows the deployment's secret."""

import pytest

from serverless_dist.errors import ProtocolError
from serverless_dist.runtime.envelope import Envelope, unseal
from serverless_dist.wire import JobKey

SECRET = bytes(range(32))
JOB = bytes(range(16))
ENVELOPE = Envelope(JobKey.derive(SECRET, JOB), "rank", {"rank": 3, "inline": b"\x80"})


def test_an_envelope_arrives_as_it_was() -> None:
    assert unseal(SECRET, ENVELOPE.seal()) == ENVELOPE


def test_there_is_no_secret_in_what_travels() -> None:
    sealed = ENVELOPE.seal()
    assert SECRET not in sealed
    assert ENVELOPE.key.secret not in sealed
    assert ENVELOPE.key.secret.hex() not in repr(ENVELOPE)


@pytest.mark.parametrize("position", range(0, len(ENVELOPE.seal()), 5))
def test_a_changed_byte_is_noticed(position: int) -> None:
    forged = bytearray(ENVELOPE.seal())
    forged[position] ^= 1
    with pytest.raises(ProtocolError, match="not signed with this deployment's key"):
        unseal(SECRET, bytes(forged))


@pytest.mark.parametrize("length", [0, 1, 15, 16, 47, 48, len(ENVELOPE.seal()) - 1])
def test_a_short_one_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        unseal(SECRET, ENVELOPE.seal()[:length])


def test_another_deployments_is_refused() -> None:
    with pytest.raises(ProtocolError):
        unseal(bytes(32), ENVELOPE.seal())


def test_what_is_signed_for_another_purpose_is_no_invitation() -> None:
    from serverless_dist.wire import Frame, Kind, seal

    body = memoryview(b"body")
    frame = Frame(0, 0, 0, (1,), (0,), 0, 1, Kind.DATA, body)
    with pytest.raises(ProtocolError):
        unseal(SECRET, JOB + seal(ENVELOPE.key, frame))
