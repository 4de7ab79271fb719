"""What a rank remembers of when it did what."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest

from serverless_dist.comm import Phase, Span, Spans, TracingStopwatch
from serverless_dist.comm.engine.traffic import Traffic
from serverless_dist.testing import HandClock
from serverless_dist.transport import Message


def totals(spans: Sequence[Span]) -> dict[Phase, float]:
    seconds = dict.fromkeys(Phase, 0.0)
    for phase, start, stop in spans:
        seconds[phase] += stop - start
    return seconds


def random_spans(count: int, seed: int) -> list[Span]:
    """Spans one after the other, with gaps, short and long ones mixed."""
    random = Random(seed)
    spans, now = [], 0.0
    for _ in range(count):
        now += random.choice((0.0, random.expovariate(1e4)))
        length = random.lognormvariate(-8, 3)
        spans.append((random.choice(list(Phase)), now, now + length))
        now += length
    return spans


class TestSpans:
    def test_what_encloses_others_gets_the_time_about_them(self) -> None:
        spans = Spans()
        spans.fill(Phase.SEND, 2.0, 3.0)
        spans.fill(Phase.SEND, 5.0, 6.0)
        spans.fill(Phase.WAIT, 1.0, 7.0)
        spans.fill(Phase.COMPUTE, 0.0, 9.0)
        wanted = ["compute", "wait", "send", "wait", "send", "wait", "compute"]
        assert [phase for phase, _, _ in spans.taken()] == wanted
        ends = [stop for _, _, stop in spans.taken()]
        assert [start for _, start, _ in spans.taken()] == [0.0, *ends[:-1]]
        assert ends == [1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 9.0]

    def test_of_two_threads_that_overlap_the_first_told_stays(self) -> None:
        spans = Spans()
        spans.fill(Phase.WAIT, 1.0, 4.0)
        spans.fill(Phase.LOAD, 0.0, 2.0)  # told late, ended before
        spans.fill(Phase.SEND, 3.0, 5.0)
        assert list(spans.taken()) == [
            (Phase.LOAD, 0.0, 1.0),
            (Phase.WAIT, 1.0, 4.0),
            (Phase.SEND, 4.0, 5.0),
        ]

    def test_no_time_is_no_span(self) -> None:
        spans = Spans()
        spans.fill(Phase.SEND, 1.0, 1.0)
        assert not spans.taken()

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("count", [11, 19, 20, 21, 22, 400, 5_000])
    def test_few_come_out_and_each_phase_keeps_its_seconds(
        self, count: int, seed: int
    ) -> None:
        given = random_spans(count, seed)
        spans = Spans(20)
        for span in given:
            spans.fill(*span)
        taken = list(spans.taken())
        assert len(taken) <= 20
        assert totals(taken) == pytest.approx(totals(given))
        if count <= 20:
            assert taken == given

    @pytest.mark.parametrize("seed", range(5))
    def test_they_stay_in_order_without_overlaps(self, seed: int) -> None:
        spans = Spans(50)
        for span in random_spans(3_000, seed):
            spans.fill(*span)
        taken = spans.taken()
        for (_, _, stop), (_, start, _) in pairwise(taken):
            assert start >= stop - 1e-9

    def test_what_is_long_keeps_its_place(self) -> None:
        spans = Spans(100)
        for turn in range(1_000):
            spans.fill(Phase.SEND, turn * 1e-4, turn * 1e-4 + 1e-5)
        spans.fill(Phase.COMPUTE, 1.0, 3.0)
        for turn in range(1_000):
            spans.fill(Phase.WAIT, 3 + turn * 1e-4, 3 + turn * 1e-4 + 1e-5)
        assert (Phase.COMPUTE, 1.0, 3.0) in list(spans.taken())


class TestTracingStopwatch:
    def test_keeps_what_it_adds_up(self) -> None:
        clock, spans = HandClock(10.0), Spans()
        watch = TracingStopwatch(clock.now, spans)
        with watch.loading():
            clock.advance(1.0)
            waiting = watch.start()
            clock.advance(2.0)
            sending = watch.start()
            clock.advance(4.0)
            watch.sent(sending)
            clock.advance(8.0)
            watch.waited(waiting)
            with watch.loading():
                clock.advance(16.0)
        times = watch.times
        assert (times.load, times.wait, times.send) == (17.0, 10.0, 4.0)
        assert list(spans.taken()) == [
            (Phase.LOAD, 10.0, 11.0),
            (Phase.WAIT, 11.0, 13.0),
            (Phase.SEND, 13.0, 17.0),
            (Phase.WAIT, 17.0, 25.0),
            (Phase.LOAD, 25.0, 41.0),
        ]


class TestTraffic:
    def test_counts_each_dest_of_a_multicast(self) -> None:
        traffic = Traffic()
        wide = memoryview(bytearray(16)).cast("H")
        traffic.count([Message(0, (3, 1), 0, 0, (b"abc", bytearray(2)))])
        traffic.count([Message(0, (3,), 0, 0, (wide,)), Message(0, (3,), 0, 0, ())])
        assert traffic.pairs() == [(1, 1, 5), (3, 3, 21)]
        assert repr(traffic) == "<Traffic: 4 messages to 2 ranks>"
