"""The cloud of one machine: shared by processes, gone with its owner."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from serverless_dist.cloud import Blobs, Queue, Topic
from serverless_dist.cloud.local import LocalBlobs, LocalCloud
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.testing.clouds import BlobsSuite, QueueSuite, TopicSuite


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, mailboxes: int = 2, visibility: float = 30.0) -> LocalCloud:
    owner = LocalCloud.start(mailboxes, visibility=visibility)
    stack.callback(owner.close)
    client = LocalCloud.connect(owner.address)
    stack.callback(client.close)
    return client


class TestLocalQueue(QueueSuite):
    short = 0.25

    @pytest.fixture(autouse=True)
    def _stack(self, stack: ExitStack) -> None:
        self._exits = stack

    def make_queue(self, visibility: float = 30.0) -> Queue:
        return start(self._exits, visibility=visibility).mailboxes[1]


class TestLocalTopic(TopicSuite):
    @pytest.fixture(autouse=True)
    def _stack(self, stack: ExitStack) -> None:
        self._exits = stack

    def make_topic(self, mailboxes: int) -> tuple[Topic, Sequence[Queue]]:
        cloud = start(self._exits, mailboxes)
        return cloud.topic, cloud.mailboxes


class TestLocalBlobs(BlobsSuite):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self._path = tmp_path

    def make_blobs(self) -> Blobs:
        return LocalBlobs(self._path)


def test_the_owner_removes_what_it_made() -> None:
    cloud = LocalCloud.start(1)
    directory = cloud.address.directory
    assert directory.stat().st_mode & 0o077 == 0
    cloud.blobs.put("key", b"data")
    cloud.close()
    cloud.close()
    assert not directory.exists()


def test_a_long_poll_ends_when_the_broker_does(stack: ExitStack) -> None:
    code = """
import sys
from pathlib import Path
from serverless_dist.cloud.local import LocalAddress, LocalCloud
from serverless_dist.errors import CloudError
queue = LocalCloud.connect(LocalAddress(Path(sys.argv[1]), 1)).mailboxes[0]
print(queue.receive(1, 20.0)[0].body.decode(), flush=True)
try:
    while True:
        queue.receive(1, 20.0)
except CloudError as error:
    print(error)
"""
    cloud = LocalCloud.start(1)
    stack.callback(cloud.close)
    process = subprocess.Popen(
        [sys.executable, "-c", code, os.fspath(cloud.address.directory)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        cloud.mailboxes[0].send([b"ready"])
        assert process.stdout.readline() == "ready\n"
        cloud.close()
        assert "the broker at" in process.stdout.read()


def test_a_broker_that_is_not_there_is_a_cloud_error(stack: ExitStack) -> None:
    cloud = LocalCloud.start(1)
    client = LocalCloud.connect(cloud.address)
    cloud.close()
    with pytest.raises(CloudError, match="does not answer"):
        client.mailboxes[0].receive(1, 0.0)
    client.close()


def test_a_mailbox_that_is_not_there_is_a_usage_error(stack: ExitStack) -> None:
    client = start(stack)
    with pytest.raises(UsageError, match="the broker has no mailbox 7"):
        client._client.ask("send", 7, [b"x"])
    with pytest.raises(UsageError, match="knows no request"):
        client._client.ask("dance", 7)


def test_a_long_temporary_directory_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stack: ExitStack
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", os.fspath(deep))
    cloud = start(stack)
    cloud.mailboxes[0].send([b"x"])
    assert cloud.mailboxes[0].receive(1, 1.0)[0].body == b"x"


def test_a_full_disk_is_a_cloud_error(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(CloudError, match="cannot store key on this machine"):
            blobs.put("key", bytes(2_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "packet",
    [
        b"\xff\xff\xff\xff",
        b"\x03\0\0\0\xc1\xc1\xc1",
        b"\x01\0\0\0\x05",
        b"\x88\x13\0\0" + b"\x91" * 5_000,
    ],
    ids=["too long", "no msgpack", "no list", "too deep"],
)
def test_whoever_speaks_no_broker_is_hung_up_on(
    stack: ExitStack, packet: bytes
) -> None:
    cloud = LocalCloud.start(1)
    stack.callback(cloud.close)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(cloud.address.directory / "broker.socket"))
        connection.sendall(packet)
        assert connection.recv(1) == b""
    cloud.mailboxes[0].send([b"still here"])
    assert cloud.mailboxes[0].receive(1, 1.0)[0].body == b"still here"


@pytest.mark.parametrize(
    "request_",
    [[], ["send"], ["send", "x", [b"a"]], ["send", 0, 5], ["publish", [[b"a", ["x"]]]]],
    ids=str,
)
def test_a_malformed_request_is_answered(
    stack: ExitStack, request_: list[object]
) -> None:
    with pytest.raises(UsageError):
        start(stack)._client.ask(*request_)
