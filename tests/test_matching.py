"""Matching against the dumbest model: a list that is searched from its start."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from serverless_dist.comm import ANY_SOURCE, ANY_TAG
from serverless_dist.comm.engine.matching import Matching
from serverless_dist.transport import Message

SMALL = st.integers(0, 2)
ADDS = st.tuples(st.just("add"), SMALL, SMALL, SMALL)
TAKES = st.tuples(
    st.just("take"),
    SMALL,
    st.sampled_from([ANY_SOURCE, 0, 1, 2]),
    st.sampled_from([ANY_TAG, 0, 1, 2]),
)


def message(context: int, source: int, tag: int, number: int = 0) -> Message:
    return Message(source, (9,), context, tag, (str(number).encode(),))


class ListMatching:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    def take(self, context: int, source: int, tag: int) -> Message | None:
        for index, held in enumerate(self.messages):
            is_source = source in (ANY_SOURCE, held.source)
            if held.context == context and is_source and tag in (ANY_TAG, held.tag):
                return self.messages.pop(index)
        return None


@given(st.lists(st.one_of(ADDS, ADDS, TAKES), max_size=60))
def test_any_sequence_of_calls_matches_as_a_list_would(
    calls: list[tuple[Any, ...]],
) -> None:
    matching, model = Matching(), ListMatching()
    for number, (call, context, source, tag) in enumerate(calls):
        if call == "add":
            arrived = message(context, source, tag, number)
            matching.add(arrived)
            model.messages.append(arrived)
        else:
            expected = model.take(context, source, tag)
            assert matching.take(context, source, tag) is expected
        assert len(matching) == len(model.messages)


def test_messages_of_one_source_and_tag_do_not_overtake() -> None:
    matching = Matching()
    sent = [message(0, 1, 7, number) for number in range(5)]
    for each in sent:
        matching.add(each)
    taken = [
        matching.take(0, 1, 7),
        matching.take(0, ANY_SOURCE, 7),
        matching.take(0, 1, ANY_TAG),
        matching.take(0, ANY_SOURCE, ANY_TAG),
        matching.take(0, 1, 7),
    ]
    assert taken == sent


def test_any_source_gets_the_first_to_arrive() -> None:
    matching = Matching()
    for source in (3, 1, 2):
        matching.add(message(0, source, source))
    taken = [matching.take(0, ANY_SOURCE, ANY_TAG) for _ in range(4)]
    assert [each and each.source for each in taken] == [3, 1, 2, None]


def test_contexts_are_apart() -> None:
    matching = Matching()
    matching.add(message(1, 0, 7))
    assert matching.take(0, ANY_SOURCE, ANY_TAG) is None
    assert matching.take(1, ANY_SOURCE, ANY_TAG) is not None


def test_nothing_is_kept_of_what_was_taken() -> None:
    matching = Matching()
    for tag in range(100):
        matching.add(message(0, 1, tag))
    for tag in reversed(range(100)):
        matching.take(0, 1, tag)
    assert len(matching) == 0
    assert not matching._messages


def test_repr_is_a_status_line() -> None:
    matching = Matching()
    matching.add(message(0, 1, 2))
    assert repr(matching) == "<Matching 1 messages, 0 receives waiting>"


def test_a_hundred_thousand_unexpected_messages_are_taken_in_any_order() -> None:
    """By a search through them this would take minutes, and the time limit ends it."""
    matching = Matching()
    count = 100_000
    for number in range(count):
        matching.add(message(0, number % 1000, number // 1000, number))
    for source in reversed(range(500)):
        for tag in range(count // 1000):
            assert matching.take(0, source, tag)
    for tag in reversed(range(count // 1000)):
        for _ in range(500):
            assert matching.take(0, ANY_SOURCE, tag)
    assert len(matching) == 0
