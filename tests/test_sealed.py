"""Bundles of sealed objects: framed without being copied, opened where they lie."""

import numpy as np
import pytest

from serverless_dist.comm.engine.sealed import Sealed, pack, unpack
from serverless_dist.errors import ProtocolError


def test_a_large_array_is_aliased_until_the_transport_has_it() -> None:
    array = np.zeros(1_000_000)
    body = pack([Sealed.of(array), Sealed.of([array])])
    views = [np.frombuffer(b, np.uint8) for b in body if memoryview(b).nbytes > 1000]
    assert len(views) == 2
    assert all(np.shares_memory(view, array) for view in views)


def test_unpacked_arrays_live_in_the_received_buffer_and_are_forwarded_from_it() -> (
    None
):
    array = np.arange(1_000_000.0)
    bundle = [Sealed.of("text"), Sealed.of(array), Sealed.of({"key": array})]
    received = bytearray().join(pack(bundle))
    whole = np.frombuffer(received, np.uint8)
    text, one, two = unpack((received,))
    assert text.open() == "text"
    for result in (one.open(), two.open()["key"]):
        assert np.shares_memory(result, whole)
        assert result.flags.aligned
        assert (result == array).all()
    again = bytearray().join(pack([text, one, two]))
    assert again == received
    assert all(
        np.shares_memory(np.frombuffer(part, np.uint8), whole)
        for part in pack([one])[1:2]
    )


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 11, 12, 63, 64, 128, -1])
def test_a_cut_bundle_is_refused(cut: int) -> None:
    body = bytearray().join(pack([Sealed.of("one"), Sealed.of(b"two")]))
    with pytest.raises(ProtocolError):
        unpack((body[:cut],))
