"""What a plan counts on, requests to memory, is what the real code does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serverless_dist import run
from serverless_dist.cloud import MemoryCloud, Meter, MeteredCloud
from serverless_dist.cloud.latency import US_EAST_1
from serverless_dist.cloud.prices import load_prices
from serverless_dist.comm import get_self
from serverless_dist.inference import GeneratedNetwork, Job, Partition, infer
from serverless_dist.inference.activity import challenge_shape, count_traffic
from serverless_dist.inference.maps import map_layers
from serverless_dist.inference.traffic import layer_traffic
from serverless_dist.plan.inference import Kernel, Search, Strategy, Via, plan_inference
from serverless_dist.plan.inference.exchanges import Call, exchange
from serverless_dist.plan.inference.memory import held
from serverless_dist.plan.options import Option
from serverless_dist.runtime.channels import open_channel
from serverless_dist.testing import HandClock
from serverless_dist.transport import Message
from serverless_dist.wire import JobKey

KEY = JobKey(bytes(16), b"secret")
# Ranks, messages of each, the dests of each message, and its bytes.
CALLS = [
    (2, 1, 1, 100),
    (2, 1, 1, 100_000),
    (2, 1, 1, 900_000),
    (8, 1, 7, 1),
    (8, 1, 7, 48_500),
    (8, 1, 7, 50_000),
    (8, 1, 7, 400_000),
    (20, 19, 1, 3_000),
    (20, 19, 1, 30_000),
    (62, 61, 1, 500),
    (62, 61, 1, 200_000),
    (300, 1, 299, 5_000),
    (300, 299, 1, 700),
]


def sent(via: Via, call: Call) -> Meter:
    """Send as one rank does, and return what a cloud would have counted."""
    clock, meter = HandClock(), Meter()
    cloud = MeteredCloud(MemoryCloud(call.ranks, clock=clock), meter)
    transport = open_channel(
        via, 0, call.ranks, cloud=cloud, key=KEY, sockets=Path(), meter=meter
    )
    body = (b"x" * (round(call.size) + 64),)  # and the head that a codec adds
    dests = list(range(1, call.ranks))
    share = len(dests) // round(call.messages)
    transport.send(
        [
            Message(0, tuple(dests[k * share : (k + 1) * share]), 2**60, 2**31, body)
            for k in range(round(call.messages))
        ]
    )
    return meter


@pytest.mark.parametrize("via", Via)
@pytest.mark.parametrize("numbers", CALLS, ids=lambda n: "-".join(map(str, n)))
def test_what_is_sent_takes_the_requests_that_the_channel_really_makes(
    via: Via, numbers: tuple[int, int, int, int]
) -> None:
    call = Call(*numbers)
    usage = sent(via, call).usage()
    tally = exchange(via, call, US_EAST_1).tally
    sending = ("sqs:SendMessageBatch", "sns:PublishBatch", "s3:PutObject")
    for kind in sending:
        predicted = tally.requests.get(kind, 0) / call.ranks
        assert predicted == pytest.approx(usage.requests.get(kind, 0), rel=0.02), kind
    for kind in (*sending, "sns:Delivery"):
        predicted = tally.billed.get(kind, 0) / call.ranks
        assert predicted == pytest.approx(usage.billed.get(kind, 0), rel=0.05), kind
    predicted = tally.sent / call.ranks
    assert predicted == pytest.approx(usage.bytes_sent, rel=0.06, abs=100)


@pytest.mark.parametrize("ranks", [2, 3, 13, 24])
def test_traffic_is_the_average_of_what_maps_make_of_it(ranks: int) -> None:
    network = GeneratedNetwork(1024, layers=8)
    owners = Partition.CONTIGUOUS.owners(1024, ranks)
    maps = [list(map_layers(network, owners, rank)) for rank in range(ranks)]
    for layer, traffic in enumerate(layer_traffic(network, ranks), 1):
        sendings = [each for one in maps for each in one[layer].sendings]
        messages = sum(kind.share * kind.messages for kind in traffic) * ranks
        assert messages == pytest.approx(len(sendings), rel=1e-3)
        dests = sum(k.share * k.messages * k.dests for k in traffic) * ranks
        assert dests == pytest.approx(sum(len(e.dests) for e in sendings), rel=1e-3)
        rows = sum(k.share * k.messages * k.rows for k in traffic) * ranks
        assert rows == pytest.approx(sum(e.rows.size for e in sendings), rel=1e-3)


def test_the_traffic_that_comes_with_the_package_is_what_would_be_counted() -> None:
    shape = challenge_shape(1024, 120, 10_000)
    for ranks in (2, 20, 62, 1_000):
        assert tuple(shape.traffic(ranks)) == tuple(count_traffic(1024, ranks))


@pytest.mark.parametrize("neurons", [1024, 4096])
def test_the_activity_that_comes_with_the_package_is_that_of_its_inputs(
    neurons: int,
) -> None:
    answer = infer(get_self(), Job(neurons, layers=24, samples=1_000))
    assert answer.categories is not None
    live = answer.categories.size / 1_000
    shape = challenge_shape(neurons, 24, 1_000)
    assert shape.behind(23).live == pytest.approx(live, abs=0.01)


@pytest.mark.parametrize(
    ("ranks", "channel"), [(2, "queue"), (3, "queue"), (3, "object")]
)
def test_a_run_makes_the_requests_that_its_plan_says(ranks: int, channel: str) -> None:
    job = Job(1024, layers=12, samples=2_000)
    report = run(infer, job, ranks=ranks, channel=channel).report
    search = Search(
        strategies=(Strategy.ROWS,),
        channels=(Via(channel),),
        ranks=(ranks,),
        memory_mb=(1_769,),
    )
    shape = challenge_shape(1024, 12, 2_000)
    plan = plan_inference(shape, load_prices("us-east-1"), search=search)
    (option,) = (each for each in plan.options if each.choices["batch"] == 2_000)
    claims = ranks  # puts, which processes of this machine do without
    for kind, less in (
        ("sns:PublishBatch", 0),
        ("sqs:SendMessageBatch", 0),
        ("s3:PutObject", claims),
    ):
        predicted = option.requests.get(kind, 0) - less
        assert predicted == pytest.approx(report.usage.requests.get(kind, 0), rel=0.1)


MEASURE = """
import sys
from serverless_dist.comm import get_self
from serverless_dist.inference import Job, infer
def peak():
    lines = open("/proc/self/status").read().splitlines()
    (found,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(found) / 1024
before = peak()
infer(get_self(), Job(*map(int, sys.argv[1:])))
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("sizes", [(4096, 3, 4_000), (16384, 24, 10)])
def test_a_function_holds_what_an_inference_really_takes(
    sizes: tuple[int, int, int],
) -> None:
    neurons, layers, samples = sizes
    command = [sys.executable, "-c", MEASURE, *map(str, sizes)]
    took = float(subprocess.check_output(command, text=True))
    holds = held(
        challenge_shape(*sizes),
        Kernel(base_mb=0),
        rows=neurons,
        layers=layers,
        samples=samples,
        batch=samples,
    )
    assert holds.total == pytest.approx(took, rel=0.2)


def test_packed_sizes_grow_with_rows_and_samples() -> None:
    activity = challenge_shape(4096, 120, 10_000).behind(0)
    by_rows = [activity.packed(rows, 1_000) for rows in (1, 16, 100, 128, 1_000, 4_096)]
    by_samples = [activity.packed(128, samples) for samples in (1, 10, 1_000)]
    assert by_rows == sorted(by_rows)
    assert by_samples == sorted(by_samples)
    assert np.isfinite(by_rows).all()


def planned(strategy: Strategy, via: Via, ranks: int, samples: int) -> list[Option]:
    search = Search((strategy,), (via,), (ranks,), (1_769,))
    shape = challenge_shape(1024, 120, samples)
    return list(plan_inference(shape, load_prices("us-east-1"), search=search).options)


@pytest.mark.parametrize("groups", [2, 3, 8])
def test_groups_make_the_requests_of_one_each(groups: int) -> None:
    (alone, _) = planned(Strategy.ROWS, Via.OBJECT, 4, 1_000)
    together = next(
        each
        for each in planned(
            Strategy.ROWS_SAMPLES, Via.OBJECT, 4 * groups, 1_000 * groups
        )
        if each.choices["groups"] == groups
    )
    kind = "s3:PutObject"
    assert together.requests[kind] == groups * alone.requests[kind]


@pytest.mark.parametrize("stages", [2, 8])
def test_each_stage_but_the_last_hands_every_batch_on_once(stages: int) -> None:
    for each in planned(Strategy.LAYERS, Via.OBJECT, stages, 1_600):
        batches = -(-1_600 // int(each.choices["batch"]))
        claims = stages
        assert each.requests["s3:PutObject"] == (stages - 1) * batches + claims
