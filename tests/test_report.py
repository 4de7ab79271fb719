"""The report of a run: what it counts, what it costs, how it is written and read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import serverless_dist as sd
from serverless_dist import Communicator, Config, Report, UsageError
from serverless_dist.cloud import Chaos, ChaoticCloud, MemoryCloud, Usage
from serverless_dist.cloud.price_files import cached_prices, price_file
from serverless_dist.comm import Endpoint, Phase
from serverless_dist.errors import DataFileError
from serverless_dist.runtime.bill import prices_near
from serverless_dist.runtime.channels import CHANNELS
from serverless_dist.runtime.control import Outcome, Phases
from serverless_dist.runtime.job import Job
from serverless_dist.runtime.trail import Trail
from serverless_dist.testing import HandClock
from serverless_dist.transport import Message
from serverless_dist.transport.queues import QueueTransport
from serverless_dist.wire import JobKey
from tests.reports import made_up

# What AWS's pages say for us-east-1, in dollars for a million; read 2026-11.
#   sns/pricing: "Standard topics: API requests $0.50 per million", a request being
#     64 KB of what is published; deliveries to SQS are free.
#   sqs/pricing: "$0.40 per million" after the free ones, a request being 64 KB.
#   s3/pricing: "PUT, COPY, POST, LIST requests: $0.005 per 1,000", "GET, SELECT:
#     $0.0004 per 1,000", DELETE free.
#   lambda/pricing: "$0.20 per 1M requests", "$0.0000166667 for every GB-second" on x86.
MILLION = {
    "sns:PublishBatch": 0.50,
    "sns:Delivery": 0.0,
    "sqs:SendMessageBatch": 0.40,
    "sqs:ReceiveMessage": 0.40,
    "sqs:DeleteMessageBatch": 0.40,
    "s3:PutObject": 5.0,
    "s3:ListObjectsV2": 5.0,
    "s3:GetObject": 0.40,
    "s3:DeleteObjects": 0.0,
    "lambda:Invoke": 0.20,
}
GB_SECOND = 0.0000166667
SERVICES = ("sns", "sqs", "s3", "lambda")
SMALL = Config(region="us-east-1", memory_mb=512)


@pytest.fixture(autouse=True)
def no_refreshed_prices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def converse(comm: Communicator) -> None:
    """Send small and large, to one and to several."""
    with sd.loading():
        data = np.arange(50_000)
    comm.bcast(data if comm.rank == 0 else None)
    comm.allreduce(comm.rank)
    comm.send(b"x" * 100, (comm.rank + 1) % comm.size)
    comm.recv()


def recomputed(written: Mapping[str, Any]) -> dict[str, float]:
    """The dollars that follow from the counts of a report, by the prices above."""
    spent = dict.fromkeys(SERVICES, 0.0)
    for item, count in written["billed"].items():
        spent[item.split(":")[0]] += count * MILLION[item] / 1e6
    seconds = sum(
        sum(value for name, value in phases.items() if name != "rank")
        for phases in written["phases"]
    )
    spent["lambda"] += seconds * written["memory_mb"] / 1024 * GB_SECOND
    return {**spent, "total": sum(spent.values())}


@pytest.mark.parametrize("channel", CHANNELS)
def test_dollars_follow_from_the_counts_and_the_published_prices(channel: str) -> None:
    report = sd.run(converse, ranks=3, channel=channel, config=SMALL).report
    written = json.loads(json.dumps(report.to_dict()))
    assert written["dollars"] == pytest.approx(recomputed(written))
    lines = written["lines"]
    assert sum(line["dollars"] for line in lines) == pytest.approx(
        written["dollars"]["total"]
    )
    for line in lines:
        price = MILLION.get(line["item"], GB_SECOND * 1e6) / 1e6
        assert line["dollars"] == pytest.approx(line["count"] * price)
    counted = {line["item"]: line["count"] for line in lines}
    assert counted.pop("lambda:GB-second") == pytest.approx(written["gb_seconds"])
    assert counted == written["billed"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_traffic_is_what_was_sent_whatever_carries_it(channel: str) -> None:
    def hand_round(comm: Communicator) -> None:
        comm.Send(np.zeros(100 * (comm.rank + 1)), (comm.rank + 1) % comm.size)
        comm.Recv(np.zeros(300))

    traffic = sd.run(hand_round, ranks=3, channel=channel).report.traffic
    assert list(traffic) == [(0, 1, 1, 800), (1, 2, 1, 1_600), (2, 0, 1, 2_400)]


def test_a_multicast_counts_once_for_each_dest_and_own_messages_do_not() -> None:
    def announce(comm: Communicator) -> None:
        comm.Bcast(np.zeros(10))
        comm.sendrecv(b"to myself", comm.rank)

    traffic = sd.run(announce, ranks=3, channel="queue").report.traffic
    assert list(traffic) == [(0, 1, 1, 80), (0, 2, 1, 80)]


def test_loading_is_told_apart_from_computing_and_from_waiting() -> None:
    def load(comm: Communicator) -> float:
        with sd.loading():
            if comm.rank:
                comm.recv()
            else:
                np.linalg.svd(np.random.default_rng(0).random((120, 120)))
                comm.send(None, 1)
            return comm.times.load

    results = sd.run(load, ranks=2, channel="direct")
    first, second = results.report.phases
    assert first.load > results[0] > 0  # inside, the unpickling of the code alone
    assert second.wait > 0


def test_loading_does_no_harm_where_there_is_no_run() -> None:
    with sd.loading():
        pass


def test_a_report_is_read_back_as_it_was_written() -> None:
    config = Config(region="xx-nowhere-1")
    report = sd.run(converse, ranks=2, config=config, trace=True).report
    assert (report.region, report.priced_in) == ("xx-nowhere-1", "us-east-1")
    written = json.dumps(report.to_dict())
    again = Report.from_dict(json.loads(written))
    assert again == report
    assert json.dumps(again.to_dict()) == written
    assert json.loads(written)["kind"] == "run"
    assert Report.from_dict(json.loads(json.dumps(MADE_UP.to_dict()))) == MADE_UP


def test_prices_of_what_was_not_used_are_read_back_as_well() -> None:
    def send(comm: Communicator) -> None:
        if comm.rank == 0:
            comm.send(b"x", 1)
        else:
            comm.recv()

    report = sd.run(send, ranks=2, channel="queue").report
    assert len(report.lines) < len(report.prices)
    assert Report.from_dict(report.to_dict()).prices == report.prices


def test_a_spoiled_file_of_prices_is_told_and_not_replaced_by_others() -> None:
    path = price_file(cached_prices(), "eu-west-1")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(DataFileError, match="is no file of prices"):
        prices_near("eu-west-1")
    path.unlink()
    assert prices_near("eu-west-1").region == "us-east-1"


def spoiled(report: Report, *place: str | int, value: object) -> dict[str, Any]:
    values: Any = json.loads(json.dumps(report.to_dict()))
    whole = values
    for step in place[:-1]:
        values = values[step]
    if value is None:
        del values[place[-1]]
    else:
        values[place[-1]] = value
    return dict(whole)


MADE_UP = made_up(
    job="abc",
    ranks=2,
    cloud="aws",
    seconds=1.5,
    usage=Usage({"sqs:ReceiveMessage": 3}, {"sqs:ReceiveMessage": 4}),
    memory_mb=1_024,
    phases=[Phases(1, 2, 3, 4, 5), Phases(0, 0, 0, 0)],
    dropped={"duplicate": 2},
    traffic=[(0, 1, 2, 30)],
    simulation={"profile": "mine", "seed": 2**70, "compute": "given", "throttled": {}},
)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("kind",), "plan", "of the kind 'plan'"),
        (("seconds",), None, "it has no 'seconds'"),
        (("seconds",), "long", "'long' is no number"),
        (("seconds",), True, "True is no number"),
        (("seconds",), float("nan"), "a number in it is nan"),
        (("seconds",), -1, "a number in it is -1"),
        (("ranks",), 1.5, "a count in it is 1.5"),
        (("ranks",), 3, "phases of 2 of 3 ranks"),
        (("job",), 5, "job: 5 is no text"),
        (("ranks",), 2**60, f"a count in it is {2**60}"),
        (("seconds",), 10**400, "a number in it is 1000"),
        (("requests",), [], "[] is no object with fields"),
        (("dollars",), {"total": "x"}, "'x' is no number"),
        (("dollars", "total"), 7, "it says $7, but its counts and prices make $0.0002"),
        (("prices",), None, "it has no 'prices'"),
        (("prices", "lambda:GB-second"), None, "no price for lambda:GB-second"),
        (("billed",), {"tea:Cup": 0}, "no price for tea:Cup"),
        (("simulation",), "x", "'x' is no object with fields"),
        (("simulation", "seed"), "x", "'x' is no number"),
        (("simulation", "throttled"), 3, "3 is no object with fields"),
        (("billed", "sqs:ReceiveMessage"), -2, "a number in it is -2"),
        (("billed", "s3:SelectObject"), 1, "no price for s3:SelectObject"),
        (("phases", 0, "load"), None, "it has no 'load'"),
        (("phases", 1, "rank"), 0, "the phases of rank 1 are said to be those of 0"),
        (("traffic",), 5, "5 is no list"),
        (("traffic", 0), [0, 1], "[0, 1] is no source, dest, messages and bytes"),
        (("traffic", 0, 1), 2, "it names rank 2"),
        (("timeline",), [{"rank": 5, "spans": []}], "it names rank 5"),
        (("timeline",), [{"rank": 0, "spans": [["nap", 0, 1]]}], "'nap' is not a"),
        (("timeline",), [{"rank": 0, "spans": [["wait"]]}], "['wait'] is no phase,"),
    ],
    ids=str,
)
def test_what_is_no_report_is_refused_in_a_sentence(
    place: tuple[str | int, ...], value: object, message: str
) -> None:
    values = spoiled(MADE_UP, *place, value=value)
    with pytest.raises(UsageError, match="this is no report of a run") as caught:
        Report.from_dict(values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_printed_report_is_a_few_lines_to_read() -> None:
    text = str(MADE_UP)
    assert (
        text.splitlines()[0]
        == "2 ranks, queue channel, simulated, us-east-1: 1.50 s, $0.000252"
    )
    assert "requests: 3 sqs" in text
    assert "2 messages dropped" in text
    assert "boot 0.50 s, load 2.50 s, compute 1.00 s" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "Usage(" not in text


def test_a_trail_has_what_was_dropped_and_the_driver_adds_it_up() -> None:
    clock = HandClock()
    chaos = Chaos(duplicate=1.0, delay=0.0, redeliver=0.0, fail=0.0)
    cloud = ChaoticCloud(MemoryCloud(2, clock=clock), seed=1, chaos=chaos)
    key = JobKey(bytes(16), bytes(32))
    here, there = (QueueTransport(rank, 2, cloud, key) for rank in range(2))
    here.send([Message(0, (1,), 0, 0, (b"twice",))])
    while there.receive(0.0):
        pass
    trail = Trail(1, 0.0, is_traced=False)
    trail.begin(0.0, Endpoint(there), there)
    job = Job(2, started=0.0, timeout=1.0)
    for rank in range(2):
        job.feed(Outcome(rank, (), None, Phases(0, 0, 0, 0)), 0.0)
        job.feed(trail.farewell(Usage()), 0.0)
    assert job.dropped == {"duplicate": 1}
    assert trail.traced() == []


def test_only_who_asks_gets_a_timeline_and_it_adds_up_to_the_phases() -> None:
    assert sd.run(converse, ranks=2).report.timelines == {}
    report = sd.run(converse, ranks=2, trace=True).report
    assert list(report.timelines) == [0, 1]
    for rank, spans in report.timelines.items():
        seconds: dict[str, float] = dict.fromkeys([phase.value for phase in Phase], 0.0)
        for phase, start, stop in spans:
            assert 0 <= start <= stop <= report.seconds
            seconds[phase] += stop - start
        for name, spent in seconds.items():
            # A reading of the clock lies between what is added up and what is kept.
            assert spent == pytest.approx(getattr(report.phases[rank], name), abs=0.02)


def test_a_traced_run_counts_what_the_timeline_costs() -> None:
    plain, traced = (
        sd.run(lambda comm: comm.barrier(), ranks=2, trace=trace).report.usage
        for trace in (False, True)
    )
    name = "sqs:SendMessageBatch"
    assert traced.requests[name] == plain.requests[name] + 2
