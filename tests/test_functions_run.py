"""Ranks as functions: whole jobs with real processes, real HTTP and real boto3."""

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import serverless_dist as sd
from serverless_dist import Communicator
from serverless_dist.cloud.deployment import RECORD_KEY
from serverless_dist.runtime import fleets, launch
from serverless_dist.runtime.versions import versions
from tests.fabric import Deployed, deployed, lines, shared, visit, world
from tests.fabric_ranks import wait_for_ever
from tests.lambda_clients import Lines

__all__ = ["lines", "shared", "world"]  # fixtures

CHANNELS = ("queue", "object", "hybrid")


@pytest.fixture(autouse=True)
def _nothing_is_left(world: Deployed) -> Iterator[None]:
    """Whether a job fails or not, it gives back its mailboxes and removes its blobs."""
    threads = threading.active_count()
    yield
    assert world.left() == []
    assert threading.active_count() == threads


def run(
    world: Deployed,
    function: object,
    *args: object,
    ranks: int = 2,
    channel: str = "queue",
    timeout: float = 60.0,
) -> launch.Results[object]:
    assert callable(function)
    return sd.run(
        function,
        *args,
        ranks=ranks,
        cloud="aws",
        channel=channel,
        timeout=timeout,
        config=world.config,
    )


@pytest.mark.parametrize("channel", CHANNELS)
def test_sixteen_ranks_talk_and_return_on_every_channel(
    world: Deployed, channel: str
) -> None:
    def add_up(comm: Communicator) -> tuple[int, int, bytes]:
        large = comm.bcast(bytes(300_000) if comm.rank == 0 else None)
        return comm.rank, comm.allreduce(comm.rank), large[-1:]

    results = run(world, add_up, ranks=16, channel=channel)
    assert results == [(rank, 120, b"\0") for rank in range(16)]
    report = results.report
    assert (report.ranks, report.cloud, report.channel) == (16, "aws", channel)
    assert len(report.phases) == 16


def test_an_empty_job_costs_at_most_six_requests_for_each_rank(world: Deployed) -> None:
    usage = run(world, lambda comm: None, ranks=16).report.usage
    assert sum(usage.billed.values()) <= 6 * 16
    assert usage.requests["lambda:Invoke"] == 16


def test_functions_start_functions_each_once(
    world: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleets, "choose_branching", lambda size: 2)
    before = world.logs().count(" begins")
    results = run(world, lambda comm: comm.allreduce(1), ranks=7)
    assert results == [7] * 7
    assert world.logs().count(" begins") - before == 7


def test_what_ranks_print_reaches_the_caller(
    world: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    def speak(comm: Communicator) -> None:
        print(f"rank {comm.rank} says å", "\n" * comm.rank)  # noqa: T201
        sys.stderr.write(f"rank {comm.rank} complains\n")

    run(world, speak, ranks=3)
    out, err = capsys.readouterr()
    assert sorted(out.split("\n")) == sorted(
        [*(f"rank {rank} says å {''}" for rank in range(3)), *[""] * 4]
    )
    assert sorted(err.splitlines()) == [f"rank {rank} complains" for rank in range(3)]


def test_an_exception_has_its_traceback_and_its_cause(
    world: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(comm: Communicator) -> None:
        if comm.rank == 1:
            print("last words")  # noqa: T201
            raise KeyError("oops")  # noqa: EM101
        comm.recv(source=1)

    for channel in CHANNELS:
        with pytest.raises(sd.RankError) as caught:
            run(world, fail, channel=channel)
        assert caught.value.rank == 1
        assert "rank 1 raised KeyError: 'oops'" in str(caught.value)
        assert "in fail" in caught.value.traceback
        assert "rank.py" not in caught.value.traceback
        assert repr(caught.value.__cause__) == "KeyError('oops')"
        assert "last words" in capsys.readouterr().out
        # Nobody who has stopped takes what comes to the same mailboxes.
        again = run(world, lambda comm: comm.allreduce(1), channel=channel, timeout=25)
        assert again == [2, 2]


def test_a_rank_that_leaves_with_a_failure_is_named(world: Deployed) -> None:
    with pytest.raises(sd.RankError, match=r"rank . exited with code 3"):
        run(world, lambda comm: sys.exit(3))
    assert run(world, lambda comm: sys.exit(0)) == [None, None]


def test_abort_ends_all_and_shows_what_was_printed(
    world: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    def abort(comm: Communicator) -> None:
        if comm.rank == 1:
            print("goodbye")  # noqa: T201
            comm.Abort(7)
        comm.recv(source=1)

    with pytest.raises(sd.RankError, match=r"rank 1 called Abort\(7\)") as caught:
        run(world, abort)
    assert repr(caught.value.__cause__) == "SystemExit(7)"
    assert capsys.readouterr().out == "goodbye\n"


@pytest.mark.parametrize(
    ("end", "how"),
    [("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), 9)", "signal: killed")],
)
def test_a_rank_that_dies_is_named_by_lambdas_record_of_it(
    world: Deployed, end: str, how: str
) -> None:
    def die(comm: Communicator) -> None:
        comm.barrier()
        if comm.rank == 1:
            sd.report_progress(1, 2)  # the record must not be taken for a repetition
            eval(end, {"os": os})
        comm.recv(source=1)

    with pytest.raises(sd.RankDiedError, match="rank 1 ended before it returned") as e:
        sd.run(
            die,
            ranks=2,
            cloud="aws",
            timeout=60,
            config=world.config,
            on_progress=lambda done, total: None,
        )
    assert how in str(e.value)
    assert run(world, lambda comm: comm.allreduce(1)) == [2, 2]


def test_results_that_cannot_be_pickled_are_named(world: Deployed) -> None:
    with pytest.raises(sd.RankError, match="the returned lock cannot be pickled"):
        run(world, lambda comm: threading.Lock(), ranks=1)


def test_large_code_is_loaded_once_for_two_jobs_and_large_results_arrive(
    world: Deployed,
) -> None:
    argument = os.urandom(200_000)

    def give(comm: Communicator, argument: bytes) -> bytes:
        return argument * 10

    first = run(world, give, argument, ranks=1)
    second = run(world, give, argument, ranks=1)
    assert first == second == [argument * 10]
    gets = [r.report.usage.requests["s3:GetObject"] for r in (first, second)]
    assert gets[1] == gets[0] - 1


def test_two_jobs_side_by_side_do_not_disturb_each_other(world: Deployed) -> None:
    def add_up(comm: Communicator, mine: int) -> list[int]:
        return [comm.allreduce(mine) for _ in range(5)]

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(run, world, add_up, n, ranks=3) for n in (1, 100)]
        assert [f.result() for f in futures] == [[[n * 3] * 5] * 3 for n in (1, 100)]
        pool.submit(int).result()


def test_a_job_that_is_cancelled_ends_its_ranks(world: Deployed, lines: Lines) -> None:
    cancelled = threading.Event()

    def cancel() -> None:
        assert [lines.read(), lines.read()] == ["begun", "begun"]
        cancelled.set()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(sd.TaskCancelledError):
        sd.run(
            wait_for_ever,
            lines.path,
            ranks=2,
            cloud="aws",
            config=world.config,
            cancelled=cancelled,
        )
    assert [lines.read(), lines.read()] == ["ended", "ended"]
    thread.join()


@pytest.mark.parametrize("cloud", ["aws", "emulated"])
def test_the_direct_channel_is_refused_before_anything_starts(cloud: str) -> None:
    with pytest.raises(sd.UsageError, match=f"queue, object or hybrid on {cloud}"):
        sd.run(lambda comm: None, cloud=cloud, channel="direct")


def test_more_ranks_than_mailboxes_are_refused(world: Deployed) -> None:
    with pytest.raises(sd.UsageError, match="has 64 mailboxes; 64 ranks or workers"):
        run(world, lambda comm: None, ranks=64)


def test_a_missing_deployment_is_a_usage_error(world: Deployed) -> None:
    with pytest.raises(sd.UsageError, match="there is no deployment nowhere"):
        sd.run(lambda comm: None, cloud="aws", config=sd.Config(fabric="nowhere"))
    record = world.bucket.get(RECORD_KEY)
    assert record is not None
    world.bucket.put(RECORD_KEY, b"{")
    try:
        with pytest.raises(sd.UsageError, match="run serverless-dist deploy again"):
            run(world, lambda comm: None)
    finally:
        world.bucket.put(RECORD_KEY, record)


def test_versions_that_differ_are_named_by_the_driver_and_by_a_rank(
    world: Deployed, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = versions()
    lie = {**true, "cloudpickle": "0.0.1"}
    with monkeypatch.context() as patch:
        patch.setattr(launch, "versions", lambda: lie)
        with pytest.raises(sd.RankError, match=r"cloudpickle 0\.0\.1.* its function"):
            run(world, lambda comm: None, ranks=1)
    with deployed(2, moto_endpoint, versions=lie) as other:
        visit(other, monkeypatch)
        with pytest.raises(sd.UsageError, match=r"cloudpickle.* 0\.0\.1"):
            run(other, lambda comm: None, ranks=1)
