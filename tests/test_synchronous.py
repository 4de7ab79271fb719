"""Synchronous sends, at the level of endpoints: who is told what, and when."""

import pytest

from serverless_dist.comm import ANY_SOURCE, ANY_TAG, Endpoint
from serverless_dist.comm.engine.endpoint import ACKNOWLEDGEMENTS
from serverless_dist.comm.engine.matching import TAG_BITS, TAG_MASK, Receive
from serverless_dist.testing.transports import connect
from serverless_dist.transport import Message
from tests.watched import (
    CONTEXT,
    HERE,
    THERE,
    Linked,
    message,
    receive,
)

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def test_a_synchronous_send_is_done_when_its_message_is_asked_for() -> None:
    here, there = map(Endpoint, connect(2))
    send = here.post_synchronous(message(7, HERE, THERE, "sync"))
    assert send.describe() == "for a receive of tag 7 by rank 1"
    there.poll()
    found = there.find(CONTEXT, HERE, 7)
    assert found is not None
    assert found.tag & TAG_MASK == 7
    here.poll()
    assert not send.is_done
    assert there.take(CONTEXT, HERE, 7) is found
    here.poll()
    assert send.is_done
    assert not here._unacknowledged


def test_a_receive_of_what_is_here_already_tells_the_sender_at_once() -> None:
    here, there = map(Endpoint, connect(2))
    send = here.post_synchronous(message(7, HERE, THERE))
    there.poll()
    assert there.expect((Receive(CONTEXT, HERE, 7),))
    here.wait(send)


def test_a_posted_receive_tells_the_sender_when_the_message_comes() -> None:
    here, there = map(Endpoint, connect(2))
    assert not there.expect((Receive(CONTEXT, ANY_SOURCE, ANY_TAG),))
    send = here.post_synchronous(message(7, HERE, THERE))
    there.poll()
    here.wait(send)


def test_synchronous_sends_are_told_apart_and_may_go_to_oneself() -> None:
    endpoint = Endpoint(connect(1)[0])
    sends = [endpoint.post_synchronous(message(t, HERE, HERE)) for t in (1, 1, 2)]
    assert receive(endpoint, HERE, 2) == ""
    assert [send.is_done for send in sends] == [False, False, True]
    receive(endpoint, HERE, 1)
    assert [send.is_done for send in sends] == [True, False, True]
    receive(endpoint, HERE, 1)
    assert sends[1].is_done


def test_an_acknowledgement_of_nothing_is_dropped(linked: Linked) -> None:
    endpoint, _, there = linked
    stray = Message(THERE, (HERE,), ACKNOWLEDGEMENTS, 12, (b"",))
    there.send([stray, message(1 | 3 << TAG_BITS, text="sync")])
    endpoint.poll()
    endpoint.poll()
    assert endpoint.waiting == 1
    assert receive(endpoint, THERE, 1) == "sync"
