"""What `serverless-dist logs` finds, and how it cuts a part's lines out."""

import sys
import time
from collections.abc import Iterator

import pytest

from serverless_dist import run
from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.emulated import EmulatedFabric
from serverless_dist.comm import Communicator
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.runtime import logs
from serverless_dist.runtime.logs import LogLine, excerpt, read_logs
from tests.deployed import deployed, signed_in, tell

Capture = pytest.CaptureFixture[str]
JOB, OTHER = "ab" * 16, "cd" * 16


def begins(job: str = JOB, part: str = "rank 0") -> str:
    return f"[INFO]\t2026-11-24T16:12:28.113Z\ta001\tjob {job} {part} begins\n"


def ends(job: str = JOB, part: str = "rank 0") -> str:
    return begins(job, part).replace("begins", "ends")


def texts(*messages: str) -> list[tuple[str, str]]:
    lines = excerpt(enumerate(messages), JOB)
    return [(line.part, line.text) for line in lines]


class TestAnExcerpt:
    def test_is_what_lies_between_beginning_and_end(self) -> None:
        found = texts("START", begins(), "one\n", "two\nthree\n", ends(), "END")
        assert [text for _, text in found] == ["one", "two", "three"]

    def test_leaves_other_jobs_out(self) -> None:
        between = begins(OTHER), "theirs", ends(OTHER)
        assert texts(*between, begins(), "ours", ends(), *between) == [
            ("rank 0", "ours")
        ]

    def test_names_each_part_that_an_environment_has_been(self) -> None:
        first = begins(part="rank 3"), "a", ends(part="rank 3")
        second = begins(part="worker 12"), "b", ends(part="worker 12")
        assert texts(*first, *second) == [("rank 3", "a"), ("worker 12", "b")]

    def test_of_a_part_that_was_cut_off_ends_with_the_report_of_lambda(self) -> None:
        report = "REPORT RequestId: a001 Duration: 900000 ms Status: timeout"
        found = texts(begins(), "one", "END RequestId: a001", report, "later")
        assert [text for _, text in found] == ["one", "END RequestId: a001", report]

    def test_of_a_part_that_was_cut_off_ends_where_another_job_begins(self) -> None:
        assert texts(begins(), "one", begins(OTHER), "two") == [("rank 0", "one")]

    def test_says_so_if_a_part_was_started_twice(self) -> None:
        second = f"[WARNING]\tnow\ta002\tjob {JOB} rank 0 has been started before"
        assert texts(begins(), second, "later") == [
            ("rank 0", f"[WARNING] job {JOB} rank 0 has been started before")
        ]

    def test_keeps_the_level_of_what_was_logged(self) -> None:
        assert texts(begins(), "[ERROR]\tnow\ta001\tno\tluck") == [
            ("rank 0", "[ERROR] no\tluck")
        ]


@pytest.fixture(scope="module")
def fabric(moto_endpoint: str) -> Iterator[EmulatedFabric]:
    with deployed(moto_endpoint) as fabric:
        yield fabric


@pytest.fixture(scope="module")
def clients(fabric: EmulatedFabric) -> Iterator[AwsClients]:
    with signed_in(fabric) as clients:
        yield clients


def put(clients: AwsClients, group: str, stream: str, *events: tuple[int, str]) -> None:
    """Write a stream as Lambda does; times are in milliseconds from an hour ago."""
    hour = int(time.time() - 3_600) * 1_000
    where = {"logGroupName": group, "logStreamName": stream}
    call(clients.client("logs"), "create_log_stream", stream, **where)
    call(
        clients.client("logs"),
        "put_log_events",
        stream,
        logEvents=[{"timestamp": hour + at, "message": text} for at, text in events],
        **where,
    )


@pytest.fixture(scope="module")
def group(clients: AwsClients, fabric: EmulatedFabric) -> str:
    """The log group of the function, with what two environments have written."""
    name = FabricNames(fabric.deployment.name).log_group(1_769)
    logs = clients.client("logs")
    call(logs, "create_log_group", name, logGroupName=name)
    zero = (1, begins()), (2, "hello from 0"), (9, ends())
    one = (3, begins(part="rank 1")), (4, "hello from 1"), (8, ends(part="rank 1"))
    theirs = (20, begins(OTHER)), (21, "other"), (22, ends(OTHER))
    put(clients, name, "2026/11/24/[$LATEST]a", *zero, *theirs)
    put(clients, name, "2026/11/24/[$LATEST]b", *one)
    return name


@pytest.mark.usefixtures("group")
class TestTheLogsOfAJob:
    def test_are_the_lines_of_all_its_ranks_by_time(
        self, clients: AwsClients, fabric: EmulatedFabric
    ) -> None:
        lines = read_logs(clients, fabric.deployment, JOB)
        assert [(line.part, line.text) for line in lines] == [
            ("rank 0", "hello from 0"),
            ("rank 1", "hello from 1"),
        ]

    def test_are_read_some_streams_at_a_time(
        self,
        clients: AwsClients,
        fabric: EmulatedFabric,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        whole = read_logs(clients, fabric.deployment, JOB)
        monkeypatch.setattr(logs, "LOG_STREAMS", 1)
        assert read_logs(clients, fabric.deployment, JOB) == whole

    def test_may_be_those_of_one_rank(
        self, capsys: Capture, clients: AwsClients
    ) -> None:
        del clients
        assert tell(capsys, "logs", JOB, "--rank", "1") == (
            0,
            "rank 1: hello from 1\n",
            "",
        )

    @pytest.mark.parametrize("more", [(), ("--rank", "2")], ids=str)
    def test_of_which_there_are_none_are_a_mistake(
        self, capsys: Capture, clients: AwsClients, more: tuple[str, ...]
    ) -> None:
        del clients
        job = JOB if more else "0" * 32
        code, out, err = tell(capsys, "logs", job, *more)
        assert (code, out) == (2, "")
        assert f"has logged anything of job {job}" in err
        assert len(err.splitlines()) == 1

    def test_need_the_number_of_a_job(
        self, capsys: Capture, clients: AwsClients
    ) -> None:
        del clients
        code, _, err = tell(capsys, "logs", 'x" ERROR')
        assert code == 2
        assert "is no job: give the 32 digits" in err

    def test_need_a_deployment(self, capsys: Capture, clients: AwsClients) -> None:
        del clients
        code, _, err = tell(capsys, "logs", JOB, "--name", "nowhere")
        assert code == 2
        assert "there is no deployment nowhere in account" in err


def test_a_deployment_that_never_ran_has_no_logs(
    clients: AwsClients, fabric: EmulatedFabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FabricNames, "log_group", lambda self, memory: "/aws/none")
    with pytest.raises(UsageError, match=r"no function of .* has logged anything"):
        read_logs(clients, fabric.deployment, JOB)


def _greet(comm: Communicator) -> None:
    sys.stdout.write(f"good morning\nfrom {comm.rank}\n")


def test_what_real_functions_log_is_cut_out_by_rank(
    clients: AwsClients, fabric: EmulatedFabric
) -> None:
    del clients
    config = Config(fabric=fabric.deployment.name)
    job = run(_greet, ranks=2, cloud="aws", config=config).report.job
    found: list[LogLine] = []
    for path in fabric.logs.glob("*.log"):
        found += excerpt(enumerate(path.read_text().splitlines()), job)
    assert sorted((line.part, line.text) for line in found) == [
        (f"rank {rank}", text)
        for rank in (0, 1)
        for text in (f"from {rank}", "good morning")
    ]
