"""Tasks on clouds: the emulated one, a chaotic one, and ones that refuse."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.awsrequest import AWSResponse

import serverless_dist as sd
from serverless_dist.cloud.attempts import Patience
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.chaotic import Chaos, ChaoticCloud
from serverless_dist.cloud.emulated import EmulatedCloud
from serverless_dist.cloud.local import LocalCloud
from serverless_dist.cloud.processes import ProcessFunctions
from serverless_dist.config import Config
from serverless_dist.tasks import crews, driver, sites
from serverless_dist.tasks.sites import CloudSite

Setter = pytest.MonkeyPatch


@sd.remote
def identity(x: Any) -> Any:
    return x


@sd.remote
def no_op() -> None:
    return None


@sd.remote
def append(path: Path, line: str) -> str:
    with path.open("a") as file:
        file.write(f"{line}\n")
    return line


class _Counter:
    def __init__(self) -> None:
        self.counts = np.zeros(20_000)  # more than goes along in a message

    def count(self) -> tuple[float, int]:
        self.counts += 1
        return float(self.counts[-1]), os.getpid()


Counter: Any = sd.remote(_Counter)


@pytest.fixture(scope="module")
def emulated(moto_endpoint: str) -> Config:
    return Config(endpoint=moto_endpoint)


@pytest.fixture(scope="class")
def session(emulated: Config) -> Iterator[sd.Session]:
    with sd.init("emulated", workers=2, config=emulated) as session:
        yield session


def objects(session: sd.Session) -> list[str]:
    site = session._driver._site
    assert isinstance(site, CloudSite)
    return [key for key in site._blobs.list("") if "/claims/" not in key]


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        os.sched_yield()


@pytest.mark.usefixtures("session")
class TestOnTheEmulatedCloud:
    def test_tasks_have_results_and_errors(self) -> None:
        refs = [identity.remote(number) for number in range(20)]
        assert sd.get(refs) == list(range(20))
        with pytest.raises(ZeroDivisionError):
            sd.get(sd.remote(lambda: 1 // 0).remote())
        assert list(sd.map(abs, range(-50, 0))) == list(range(50, 0, -1))

    def test_a_stream_is_read_as_it_comes(self) -> None:
        @sd.remote
        def yields(count: int) -> Iterator[int]:
            yield from range(count)

        assert [sd.get(ref) for ref in yields.remote(5)] == list(range(5))

    def test_an_actor_keeps_its_state(self) -> None:
        counter = Counter.remote()
        counts = sd.get([counter.count.remote() for _ in range(5)])
        assert [count for count, _ in counts] == [1, 2, 3, 4, 5]

    def test_ranks_talk_to_each_other(self) -> None:
        @sd.ranks(2, channel="queue")
        def total(comm: sd.Communicator, x: int) -> int:
            result: int = comm.allreduce(x + comm.rank)
            return result

        assert sd.get(total.remote(10)) == [21, 21]

    def test_large_arguments_and_results_go_by_the_object_store(
        self, session: sd.Session
    ) -> None:
        array = np.arange(50_000.0)
        sd.get([identity.remote(0), no_op.remote()])
        code = set(objects(session))  # of functions, which stays
        ref = identity.remote(array)
        kept = sd.put(array)
        inside = identity.remote([kept, array])
        np.testing.assert_array_equal(sd.get(ref), array)
        np.testing.assert_array_equal(sd.get(sd.get(inside)[0]), array)
        assert set(objects(session)) > code
        del ref, kept, inside
        no_op.remote()  # what is not urgent goes along
        until(lambda: set(objects(session)) <= code)

    def test_a_killed_worker_is_replaced(self, tmp_path: Path) -> None:
        @sd.remote(retries=1)
        def dies_once(mark: Path) -> str:
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return "done"

        assert sd.get(dies_once.remote(tmp_path / "mark")) == "done"

    def test_a_killed_actor_is_gone_and_its_slot_is_free(self) -> None:
        counter = Counter.remote()
        sd.get(counter.count.remote())
        sd.kill(counter)
        with pytest.raises(sd.ActorDiedError):
            sd.get(counter.count.remote())
        assert sd.get(Counter.remote().count.remote())[0] == 1

    def test_a_task_that_runs_can_be_cancelled(self, tmp_path: Path) -> None:
        @sd.remote
        def goes_on(mark: Path) -> None:
            mark.touch()
            signal.pause()

        ref = goes_on.remote(tmp_path / "mark")
        until((tmp_path / "mark").exists)
        sd.cancel(ref)
        with pytest.raises(sd.TaskCancelledError):
            sd.get(ref)

    def test_a_task_that_takes_too_long_is_stopped(self) -> None:
        @sd.remote(timeout=0.1)
        def waits() -> None:
            signal.sigwait({signal.SIGUSR1})

        @sd.remote(timeout=0.1, retries=0)
        def pauses() -> None:
            signal.pause()

        with pytest.raises(sd.TaskTimeoutError, match=r"pauses.*0\.1 s"):
            sd.get(pauses.remote())
        with pytest.raises(sd.TaskTimeoutError, match=r"waits.*0\.1 s"):
            sd.get(waits.remote())


@pytest.mark.parametrize(("together", "tasks", "most"), [(1, 40, 5.0), (1_000, 1, 1.0)])
def test_a_task_takes_few_requests_and_nothing_is_left(
    emulated: Config, together: int, tasks: int, most: float
) -> None:
    workers = min(2, together)
    with sd.init("emulated", workers=workers, config=emulated) as session:
        for _ in range(tasks):
            sd.get([no_op.remote() for _ in range(together)])
        session_names = session._driver._site._opened.address  # type: ignore[attr-defined]
    requests = sum(session.usage.billed.values()) / (together * tasks)
    assert requests <= most
    clients = AwsClients(None, emulated.endpoint)
    urls = clients.sqs._client.list_queues().get("QueueUrls", [])
    assert not [url for url in urls if url.startswith(session_names.queue_url_prefix)]
    buckets = clients.s3._client.list_buckets()["Buckets"]
    assert session_names.bucket not in [bucket["Name"] for bucket in buckets]
    clients.close()


# Workers that live for a second, or for a task.


def count_until_moved(counter: Any, moves: int) -> list[float]:
    """Call an actor until it has lived in `moves` + 1 processes; return its counts."""
    counts, pids = [], set[int]()
    while len(pids) <= moves:
        count, pid = sd.get(counter.count.remote())
        counts.append(count)
        pids.add(pid)
    return counts


@pytest.mark.parametrize("cloud", ["local", "emulated"])
def test_an_actor_outlives_its_workers(cloud: str, emulated: Config) -> None:
    seconds = {"local": 1.0, "emulated": 4.0}[cloud]
    config = Config(endpoint=emulated.endpoint, worker_seconds=seconds)
    with sd.init(cloud, workers=1, config=config):
        counts = count_until_moved(Counter.remote(), {"local": 2, "emulated": 1}[cloud])
    assert counts == list(range(1, len(counts) + 1))


def test_no_task_is_lost_when_workers_retire(tmp_path: Path) -> None:
    log = tmp_path / "log"
    config = Config(worker_seconds=0.6)
    with sd.init("local", workers=2, config=config):
        pids: set[int] = set()
        lines: list[str] = []
        function = append.options(retries=0)
        while len(pids) < 5:
            pids |= set(sd.get([sd.remote(os.getpid).remote() for _ in range(4)]))
            lines += [f"{len(lines)}-{number}" for number in range(20)]
            sd.get([function.remote(log, line) for line in lines[-20:]])
    assert sorted(log.read_text().split()) == sorted(lines)


@pytest.mark.parametrize(("cloud", "tasks"), [("local", 4), ("emulated", 2)])
def test_each_task_can_be_an_invocation_of_its_own(
    cloud: str, tasks: int, emulated: Config
) -> None:
    config = Config(endpoint=emulated.endpoint, invocation="task")
    pid = sd.remote(os.getpid)
    with sd.init(cloud, workers=2, config=config):
        pids = sd.get([pid.remote() for _ in range(tasks)])
        assert len(set(pids)) == tasks
        counter = Counter.remote()
        assert [sd.get(counter.count.remote())[0] for _ in range(3)] == [1, 2, 3]


# A cloud at its worst.


class AddressedChaos(ChaoticCloud):
    def __init__(self, cloud: LocalCloud, seed: int) -> None:
        chaos = Chaos(duplicate=0.3, delay=0.2, redeliver=0.3, fail=0.2)
        super().__init__(cloud, seed=seed, chaos=chaos)
        self.address = cloud.address


def open_local(name: str, workers: int, config: Config) -> CloudSite:
    return CloudSite("local", workers, config)


@pytest.mark.parametrize("seed", [1, 2])
def test_tasks_run_once_whatever_the_cloud_does(
    seed: int, tmp_path: Path, monkeypatch: Setter
) -> None:
    def open_chaotic(
        name: str, mailboxes: int, config: Config, *, least: int
    ) -> AddressedChaos:
        return AddressedChaos(LocalCloud.start(mailboxes), seed)

    monkeypatch.setattr(sites, "open_cloud", open_chaotic)
    monkeypatch.setattr(driver, "open_site", open_local)
    log = tmp_path / "log"
    with sd.init("local", workers=2):
        function = append.options(retries=0)
        refs = [function.remote(log, str(number)) for number in range(60)]
        assert sd.get(refs) == [str(number) for number in range(60)]
        for number in range(60, 80):
            sd.get(function.remote(log, str(number)))
        counter = Counter.remote()
        counts = sd.get([counter.count.remote() for _ in range(20)])
        assert [count for count, _ in counts] == list(range(1, 21))
    assert sorted(log.read_text().split(), key=int) == [str(n) for n in range(80)]


# A cloud that refuses.


class RefusingFunctions(ProcessFunctions):
    """Refuses so many invocations before it runs one."""

    refusals = 0

    def invoke(self, payload: bytes) -> None:
        kind = type(self)
        if kind.refusals > 0:
            kind.refusals -= 1
            msg = "Lambda Invoke: 429 TooManyRequestsException"
            raise sd.CloudError(msg, retryable=True)
        super().invoke(payload)


@pytest.mark.parametrize("refusals", [1, 2])
def test_invocations_that_are_refused_a_few_times_are_tried_again(
    refusals: int, monkeypatch: Setter
) -> None:
    monkeypatch.setattr(RefusingFunctions, "refusals", refusals)
    monkeypatch.setattr(crews, "ProcessFunctions", RefusingFunctions)
    with sd.init("local", workers=1):
        assert sd.get(identity.options(retries=0).remote(1)) == 1
    assert not RefusingFunctions.refusals


def test_invocations_that_are_always_refused_are_an_error_of_all_tasks(
    monkeypatch: Setter,
) -> None:
    monkeypatch.setattr(RefusingFunctions, "refusals", 1_000_000)
    monkeypatch.setattr(crews, "ProcessFunctions", RefusingFunctions)
    with sd.init("local", workers=2):
        refs = [identity.remote(1), Counter.remote().count.remote()]
        for ref in refs:
            with pytest.raises(sd.TaskError, match="429 TooManyRequestsException"):
                sd.get(ref)


class RefusingCloud(EmulatedCloud):
    """Answers so many requests to its topic and queues with a status that is none."""

    def __init__(self, mailboxes: int, endpoint: str | None, status: int) -> None:
        super().__init__(mailboxes, endpoint=endpoint)
        self.status, self.left = status, 0
        patience = Patience(attempts=2, sleep=lambda seconds: None)
        for service in (self._clients.sns, self._clients.sqs):
            service.patience = patience
            service._client.meta.events.register("before-send", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse | None:
        is_send = b"Publish" in _bytes(request.body) or b"SendMessage" in _bytes(
            request.headers.get("X-Amz-Target", b"")
        )
        if not is_send or self.left <= 0:
            return None
        self.left -= 1
        raw = _Raw()
        headers: Any = {}
        return AWSResponse(request.url, self.status, headers, raw)


class _Raw:
    """The body of an answer: nothing."""

    def stream(self) -> Iterator[bytes]:
        yield b""


def _bytes(text: str | bytes | None) -> bytes:
    return text.encode() if isinstance(text, str) else text or b""


@pytest.fixture(params=[429, 500])
def refusing(
    request: pytest.FixtureRequest, emulated: Config, monkeypatch: Setter
) -> Iterator[RefusingCloud]:
    made: list[RefusingCloud] = []

    def open_refusing(
        name: str, mailboxes: int, config: Config, *, least: int
    ) -> RefusingCloud:
        made.append(RefusingCloud(mailboxes, emulated.endpoint, request.param))
        return made[0]

    monkeypatch.setattr(sites, "open_cloud", open_refusing)
    with sd.init("emulated", workers=1, config=emulated):
        yield made[0]
        made[0].left = 0


def test_messages_that_are_refused_are_sent_again_or_the_session_fails(
    refusing: RefusingCloud,
) -> None:
    assert sd.get(identity.remote(1)) == 1
    refusing.left = 3
    assert sd.get(identity.remote(2)) == 2
    assert not refusing.left
    refusing.left = 1_000_000
    with pytest.raises(sd.CloudError, match=f"{refusing.status}"):
        sd.get([identity.remote(3), identity.remote(4)])
    with pytest.raises(sd.CloudError, match=f"{refusing.status}"):
        identity.remote(5)
