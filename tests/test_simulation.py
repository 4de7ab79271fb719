"""Ranks in virtual time: real results, published times, the same for the same seed."""

import json
import os
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import serverless_dist as sd
from serverless_dist import MPI, Communicator, Config, simulate
from serverless_dist.cloud.latency import US_EAST_1
from serverless_dist.runtime.simulated.calls import SimulationWarning

CHANNELS = pytest.mark.parametrize("channel", ["queue", "object", "hybrid"])
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3], ids="seed{}".format)
SIZES = pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 24, 33])


def given(function: Any, *args: object, **options: Any) -> sd.Results[Any]:
    return simulate(function, *args, compute="given", **options)


def many_calls(comm: Communicator) -> tuple[object, ...]:
    whole = np.empty(100)
    comm.Allreduce(np.full(100, float(comm.rank)), whole)
    request = comm.Iallreduce(MPI.IN_PLACE, whole)
    request.Wait()
    around = comm.sendrecv(comm.rank, (comm.rank + 1) % comm.size)
    return (
        comm.allgather(comm.rank),
        comm.bcast("text", root=comm.size - 1),
        comm.alltoall(list(range(comm.size))),
        float(whole[0]),
        around,
    )


@CHANNELS
@SIZES
def test_ranks_return_what_they_would_elsewhere(channel: str, size: int) -> None:
    results = given(many_calls, ranks=size, channel=channel)
    whole = float(sum(range(size)) * size)
    for rank, result in enumerate(results):
        ranks, text, parts, number, around = result
        assert ranks == list(range(size))
        assert text == "text"
        assert parts == [rank] * size
        assert number == whole
        assert around == (rank - 1) % size


SCRIPT = """
import json, sys
import serverless_dist as sd
from tests.test_simulation import many_calls
seed, channel = int(sys.argv[1]), sys.argv[2]
results = sd.simulate(many_calls, ranks=9, channel=channel, seed=seed,
                      compute="given", trace=True)
print(json.dumps(results.report.to_dict()))
"""


def report_of(seed: int, channel: str, hash_seed: int) -> str:
    """Return the report that a new interpreter makes."""
    environ = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", SCRIPT, str(seed), channel]
    here = Path(__file__).parent.parent
    return subprocess.run(
        command, env=environ, cwd=here, check=True, capture_output=True, text=True
    ).stdout


@CHANNELS
def test_the_same_seed_gives_the_same_run_bit_for_bit(channel: str) -> None:
    first, second = report_of(7, channel, 1), report_of(7, channel, 2)
    assert first == second
    assert json.loads(first) != json.loads(report_of(8, channel, 1))


@SEEDS
def test_a_round_trip_takes_what_the_profile_says(seed: int) -> None:
    def ping(comm: Communicator) -> float:
        began = MPI.Wtime()
        for _ in range(50):
            if comm.rank == 0:
                comm.send(None, 1)
                comm.recv(source=1)
            else:
                comm.recv(source=0)
                comm.send(None, 0)
        return (MPI.Wtime() - began) / 100

    (one_way, _) = given(ping, ranks=2, seed=seed, warm=True)
    profile = US_EAST_1
    expected = (
        profile.sqs_send.mean + profile.sqs_receive.mean + 2 * profile.request_cpu
    )
    assert one_way == pytest.approx(expected, rel=0.25)


def test_cold_starts_take_longer_and_are_billed() -> None:
    def rest(comm: Communicator) -> None:
        comm.barrier()

    cold, warm = (given(rest, ranks=8, warm=warm).report for warm in (False, True))
    assert cold.seconds > warm.seconds + 0.3
    assert min(p.boot for p in cold.phases) > max(p.boot for p in warm.phases) + 0.2
    assert cold.dollars["lambda"] > warm.dollars["lambda"]


def test_what_ranks_compute_is_given_or_measured() -> None:
    def work(comm: Communicator) -> float:
        began = MPI.Wtime()
        sd.compute_for(1.5)
        sum(range(300_000))
        return MPI.Wtime() - began

    assert given(work, ranks=1) == [pytest.approx(1.5)]
    (measured,) = simulate(work, ranks=1, compute="measured")
    assert measured > 1.5
    half = Config(memory_mb=1_769 // 2)
    (longer,) = given(work, ranks=1, config=half)
    assert longer == pytest.approx(3.0, rel=1e-3)


def test_to_look_changes_nothing() -> None:
    plain, traced = (
        given(many_calls, ranks=9, trace=trace).report for trace in (False, True)
    )
    assert (plain.seconds, plain.usage) == (traced.seconds, traced.usage)
    assert not plain.timelines
    assert len(traced.timelines) == 9


def test_the_report_is_that_of_any_run() -> None:
    report = given(many_calls, ranks=4, seed=5, trace=True).report
    assert (report.cloud, report.ranks, report.channel) == ("simulated", 4, "queue")
    assert report.simulation == {
        "profile": "us-east-1",
        "seed": 5,
        "compute": "given",
        "throttled": {},
    }
    assert sd.Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert len(report.timelines) == 4
    assert report.usage.requests["lambda:Invoke"] == 4
    for phases, spans in zip(report.phases, report.timelines.values(), strict=True):
        assert sum(stop - start for _, start, stop in spans) == pytest.approx(
            phases.total, rel=0.05
        )


@CHANNELS
def test_simulated_requests_are_those_of_a_real_run(channel: str) -> None:
    def steps(comm: Communicator) -> None:
        for _ in range(3):
            comm.allgather(bytes(2_000))

    real = sd.run(steps, ranks=4, channel=channel).report.usage
    simulated = given(steps, ranks=4, channel=channel).report.usage
    kinds = ["sns:PublishBatch", "sns:Delivery"]
    assert [real.billed.get(k) for k in kinds] == [
        simulated.billed.get(k) for k in kinds
    ]
    # Beyond those, a function claims its place and the driver leases mailboxes.
    least = real.requests.get("s3:PutObject", 0)
    assert least <= simulated.requests["s3:PutObject"] <= least + 4 + 3


def test_a_deadlock_is_named_at_once_with_what_each_rank_waits_for() -> None:
    def stick(comm: Communicator) -> None:
        if comm.rank < 2:
            comm.recv(source=1 - comm.rank, tag=7)

    with pytest.raises(sd.ProtocolError) as caught:
        given(stick, ranks=3)
    text = str(caught.value)
    assert text.startswith("2 of 3 ranks are stuck, and nothing is under way: ")
    assert "rank 0 waits for tag 7 from rank 1" in text
    assert "rank 1 waits for tag 7 from rank 0" in text


@CHANNELS
def test_ranks_that_poll_or_compute_are_not_stuck(channel: str) -> None:
    def poll(comm: Communicator) -> object:
        if comm.rank == 0:
            sd.compute_for(30.0)
            comm.send("late", 1)
            return None
        if comm.rank == 1:
            return comm.recv(source=0)
        while not comm.iprobe(source=1):
            if MPI.Wtime() > 10:
                break
        return "polled"

    assert given(poll, ranks=3, channel=channel) == [None, "late", "polled"]


@CHANNELS
def test_ranks_that_fold_while_they_wait_are_not_stuck(channel: str) -> None:
    def slow_sum(a: float, b: float) -> float:
        sd.compute_for(60.0)
        return a + b

    def fold(comm: Communicator) -> object:
        return comm.allreduce(1.0, op=slow_sum)

    def fold_later(comm: Communicator) -> float:
        def add(a: memoryview, b: memoryview, kind: MPI.Datatype) -> None:
            sd.compute_for(60.0)
            into = np.frombuffer(b, float)
            into += np.frombuffer(a, float)

        op = MPI.Op.Create(add, commute=True)
        whole = np.empty(1)
        comm.Iallreduce(np.ones(1), whole, op=op).Wait()
        return float(whole[0])

    assert given(fold, ranks=3, channel=channel) == [3.0] * 3
    assert given(fold_later, ranks=3, channel=channel) == [3.0] * 3


def test_one_simulation_at_a_time_and_other_threads_have_real_time() -> None:
    def rank(comm: Communicator) -> list[object]:
        seen: list[object] = []

        def look() -> None:
            began = time.monotonic()
            time.sleep(0.01)
            seen.append(time.monotonic() - began < 50)
            try:
                given(many_calls, ranks=1)
            except sd.UsageError as error:
                seen.append(str(error))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return seen

    message = "another simulation is under way in this process: wait for its end"
    assert given(rank, ranks=1) == [[True, message]]
    assert isinstance(time.sleep, type(len))


def test_a_thread_of_a_rank_that_communicates_ends_the_run() -> None:
    def rank(comm: Communicator) -> None:
        def talk() -> None:
            with suppress(sd.UsageError):
                comm.send("text", 1 - comm.rank)

        thread = threading.Thread(target=talk)
        thread.start()
        thread.join()
        comm.barrier()

    with pytest.raises(sd.UsageError, match="simulated in one thread"):
        given(rank, ranks=2)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_nobody_computes_for_less_than_nothing(seconds: float) -> None:
    with pytest.raises(sd.UsageError, match="give a number from 0 on"):
        sd.compute_for(seconds)


def test_an_exception_of_a_rank_is_the_error_of_the_run() -> None:
    def fail(comm: Communicator) -> None:
        if comm.rank == 3:
            msg = "three"
            raise KeyError(msg)
        comm.barrier()

    with pytest.raises(sd.RankError, match="rank 3") as caught:
        given(fail, ranks=5)
    assert isinstance(caught.value.__cause__, KeyError)


def test_abort_ends_all_ranks_and_not_this_process() -> None:
    def leave(comm: Communicator) -> None:
        if comm.rank == 1:
            comm.Abort(9)
        comm.barrier()

    with pytest.raises(sd.RankError, match=r"Abort\(9\)"):
        given(leave, ranks=3)


def test_the_timeout_is_virtual() -> None:
    def long(comm: Communicator) -> None:
        sd.compute_for(1_000.0)

    with pytest.raises(sd.DeadlineError):
        given(long, ranks=2, timeout=60.0)


def test_each_rank_has_a_world_of_its_own() -> None:
    def look(comm: Communicator) -> tuple[int, int]:
        comm.barrier()
        return MPI.COMM_WORLD.rank, MPI.COMM_SELF.size

    assert given(look, ranks=5) == [(rank, 1) for rank in range(5)]
    assert MPI.COMM_WORLD.size == 1


def test_the_machines_clock_is_the_virtual_one_and_each_use_is_named_once() -> None:
    def doze(comm: Communicator) -> float:
        began = time.monotonic()
        for _ in range(2):
            time.sleep(100.0)
        return time.monotonic() - began

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert given(doze, ranks=2) == pytest.approx([200.0, 200.0])
    texts = [str(w.message) for w in caught if w.category is SimulationWarning]
    assert [text.split(" calls ")[1].split(",")[0] for text in texts] == [
        "time.monotonic",
        "time.sleep",
        "time.monotonic",
    ]
    assert all("MPI.Wtime" in text for text in texts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranks": 0}, "cannot run 0 ranks"),
        ({"channel": "direct"}, "queue, object or hybrid on simulated"),
        ({"profile": "mars"}, "there is no profile 'mars'"),
        ({"compute": "guessed"}, "compute is 'guessed': use one of measured, given"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"config": Config(region="mars")}, "'mars' is no region"),
        ({"ranks": 10_001}, "cannot simulate 10,001 ranks"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(sd.UsageError, match=message):
        simulate(many_calls, **options)


def test_many_ranks_take_one_place_each() -> None:
    def count(comm: Communicator) -> object:
        return comm.allreduce(1)

    assert given(count, ranks=300, channel="hybrid") == [300] * 300
