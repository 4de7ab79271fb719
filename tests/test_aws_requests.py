"""What is asked of SQS, SNS and S3, and what is asked again."""

import base64
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from serverless_dist.cloud import Delivery, Entry
from serverless_dist.cloud.attempts import Patience, Refusal
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_queues import SnsTopic, SqsQueue
from serverless_dist.cloud.batches import QUEUE_MAX_BODY, TOPIC_MAX_BODY, text_size
from serverless_dist.cloud.limits import SNS_MAX_BYTES, SQS_MAX_BYTES
from serverless_dist.errors import UsageError

Arguments = dict[str, Any]
Answer = Arguments | Exception


class ScriptedService:
    """Records requests; answers from a script, then `{}` for ever."""

    name = "SQS"

    def __init__(self, *script: Answer | Callable[[Arguments], Answer]) -> None:
        self.requests: list[tuple[str, Arguments]] = []
        self.slept: list[float] = []
        self.patience = Patience(attempts=4, sleep=self.slept.append)
        self._script = list(script)
        self._lock = threading.Lock()

    def request(
        self, operation: str, resource: str, **arguments: object
    ) -> dict[str, Any]:
        assert resource
        with self._lock:
            self.requests.append((operation, arguments))
            step = self._script.pop(0) if self._script else {}
        answer = step(arguments) if callable(step) else step
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sent(self, field: str = "Entries") -> list[list[str]]:
        """The bodies of each request, decoded."""
        return [
            [decode(e.get("MessageBody") or e["Message"]) for e in arguments[field]]
            for _, arguments in self.requests
        ]


def decode(text: str) -> str:
    return base64.urlsafe_b64decode(text + "==").decode()


def failed(*ids: str, code: str = "InternalError", sender: bool = False) -> Answer:
    failures = [{"Id": i, "Code": code, "SenderFault": sender} for i in ids]
    return {"Successful": [], "Failed": failures}


def busy(code: str = "SlowDown") -> Refusal:
    return Refusal("not now", retryable=True, code=code)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


class TestSqsQueue:
    def test_only_the_failed_entries_are_sent_again(
        self, pool: ThreadPoolExecutor
    ) -> None:
        service = ScriptedService(failed("1", "3"), failed("3"))
        SqsQueue(service, "http://x/lab-0", pool).send([b"a", b"b", b"c", b"d"])
        assert service.sent() == [["a", "b", "c", "d"], ["b", "d"], ["d"]]
        assert len(service.slept) == 2

    def test_an_entry_that_is_our_fault_is_not_sent_again(
        self, pool: ThreadPoolExecutor
    ) -> None:
        service = ScriptedService(
            failed("0", code="InvalidMessageContents", sender=True)
        )
        with pytest.raises(Refusal, match=r"1 of 2 .*lab-0: InvalidMessage") as caught:
            SqsQueue(service, "http://x/lab-0", pool).send([b"a", b"b"])
        assert not caught.value.retryable
        assert len(service.requests) == 1

    def test_our_fault_is_told_before_theirs(self, pool: ThreadPoolExecutor) -> None:
        theirs, ours = failed("0"), failed("1", code="Bad", sender=True)
        assert isinstance(theirs, dict)
        assert isinstance(ours, dict)
        both = {"Failed": theirs["Failed"] + ours["Failed"]}
        with pytest.raises(Refusal, match="Bad"):
            SqsQueue(ScriptedService(both), "http://x/lab-0", pool).send([b"a", b"b"])

    def test_failing_entries_are_given_up_in_the_end(
        self, pool: ThreadPoolExecutor
    ) -> None:
        service = ScriptedService(*[failed("0")] * 9)
        with pytest.raises(Refusal, match="InternalError") as caught:
            SqsQueue(service, "http://x/lab-0", pool).send([b"a"])
        assert caught.value.retryable
        assert len(service.requests) == 4
        for wait, most in zip(service.slept, (0.1, 0.2, 0.4), strict=True):
            assert 0 <= wait <= most

    def test_throttling_is_survived(self, pool: ThreadPoolExecutor) -> None:
        service = ScriptedService(busy(), busy("RequestThrottled"), {"Messages": []})
        assert SqsQueue(service, "http://x/lab-0", pool).receive(10, 0.0) == []
        service = ScriptedService(busy(), failed("0"), busy("KmsThrottled"))
        SqsQueue(service, "http://x/lab-0", pool).send([b"a", b"b"])
        assert service.sent() == [["a", "b"], ["a", "b"], ["a"], ["a"]]

    def test_other_refusals_are_not_repeated(self, pool: ThreadPoolExecutor) -> None:
        service = ScriptedService(Refusal("no", retryable=False, code="AccessDenied"))
        with pytest.raises(Refusal, match="no"):
            SqsQueue(service, "http://x/lab-0", pool).receive(1, 0.0)
        assert len(service.requests) == 1

    def test_all_batches_have_ended_when_the_first_failure_is_raised(
        self, pool: ThreadPoolExecutor
    ) -> None:
        failing, ended = threading.Event(), threading.Event()

        def fail(arguments: Arguments) -> Answer:
            failing.set()
            return failed(arguments["Entries"][0]["Id"], code="Bad", sender=True)

        def end_later(arguments: Arguments) -> Answer:
            del arguments
            assert failing.wait(10)
            ended.wait(0.05)  # time enough to return too early
            ended.set()
            return {}

        service = ScriptedService(fail, end_later)
        with pytest.raises(Refusal, match="Bad"):
            SqsQueue(service, "http://x/lab-0", pool).send([b"x"] * 20)
        assert ended.is_set()

    def test_batches_keep_to_both_limits(self, pool: ThreadPoolExecutor) -> None:
        service = ScriptedService()
        queue = SqsQueue(service, "http://x/lab-0", pool)
        sizes = [QUEUE_MAX_BODY, 1, *[100_000] * 9, *[1] * 21]
        queue.send([bytes(size) for size in sizes])
        batches = [arguments["Entries"] for _, arguments in service.requests]
        assert sum(map(len, batches)) == len(sizes)
        for batch in batches:
            assert len(batch) <= 10
            assert sum(len(entry["MessageBody"]) for entry in batch) <= SQS_MAX_BYTES

    def test_nothing_is_asked_for_nothing(self, pool: ThreadPoolExecutor) -> None:
        service = ScriptedService()
        queue = SqsQueue(service, "http://x/lab-0", pool)
        queue.send([])
        queue.delete([])
        SnsTopic(service, ["a:b"], range(1), pool).publish([])
        S3Blobs(service, "lab", pool).delete([])
        assert service.requests == []

    @pytest.mark.parametrize(
        ("wait", "seconds"), [(0, 0), (1e-9, 1), (0.5, 1), (1, 1), (19.2, 20), (20, 20)]
    )
    def test_a_receive_is_one_long_poll_of_whole_seconds(
        self, pool: ThreadPoolExecutor, wait: float, seconds: int
    ) -> None:
        service = ScriptedService(
            {"Messages": [{"Body": "aGk", "ReceiptHandle": "r1"}]}
        )
        queue = SqsQueue(service, "http://x/lab-0", pool)
        assert queue.receive(7, wait) == [Delivery(b"hi", "r1")]
        assert service.requests == [
            (
                "receive_message",
                {
                    "QueueUrl": "http://x/lab-0",
                    "MaxNumberOfMessages": 7,
                    "WaitTimeSeconds": seconds,
                },
            )
        ]

    def test_impossible_receives_ask_nothing(self, pool: ThreadPoolExecutor) -> None:
        service = ScriptedService()
        queue = SqsQueue(service, "http://x/lab-0", pool)
        for limit, wait in (
            (0, 1.0),
            (11, 1.0),
            (1, -1.0),
            (1, 20.1),
            (1, float("nan")),
        ):
            with pytest.raises(UsageError):
                queue.receive(limit, wait)
        assert service.requests == []

    def test_receipts_of_what_is_gone_are_no_failure(
        self, pool: ThreadPoolExecutor
    ) -> None:
        service = ScriptedService(
            failed("0", code="ReceiptHandleIsInvalid", sender=True), failed("1")
        )
        SqsQueue(service, "http://x/lab-0", pool).delete(["r"] * 11)
        assert len(service.requests) == 3


class TestSnsTopic:
    def test_targets_are_one_attribute(self, pool: ThreadPoolExecutor) -> None:
        service = ScriptedService()
        topic = SnsTopic(service, ["arn:lab-data-0"], range(4), pool)
        topic.publish([Entry(b"hi", (0, 3)), Entry(b"ho", (1,))])
        ((operation, arguments),) = service.requests
        assert operation == "publish_batch"
        assert arguments["TopicArn"] == "arn:lab-data-0"
        assert [
            entry["MessageAttributes"]["target"]
            for entry in arguments["PublishBatchRequestEntries"]
        ] == [
            {"DataType": "String.Array", "StringValue": '["0","3"]'},
            {"DataType": "String.Array", "StringValue": '["1"]'},
        ]

    def test_failed_entries_are_published_again(self, pool: ThreadPoolExecutor) -> None:
        # SNS calls throttling the sender's fault; it passes all the same.
        service = ScriptedService(failed("1", code="Throttled", sender=True))
        topic = SnsTopic(service, ["arn:lab-data-0"], range(1), pool)
        topic.publish([Entry(b"a", (0,)), Entry(b"b", (0,))])
        assert service.sent("PublishBatchRequestEntries") == [["a", "b"], ["b"]]

    def test_batches_count_the_attributes(self, pool: ThreadPoolExecutor) -> None:
        service = ScriptedService()
        topic = SnsTopic(service, ["arn:lab-data-0"], range(200), pool)
        everyone = tuple(range(200))
        half = (SNS_MAX_BYTES // 2 - 1_000) // 4 * 3
        assert 2 * text_size(half) < SNS_MAX_BYTES
        topic.publish([Entry(bytes(half), everyone)] * 2)
        topic.publish([Entry(bytes(half), (1,))] * 2)
        topic.publish([Entry(bytes(TOPIC_MAX_BODY), everyone)])
        batches = [a["PublishBatchRequestEntries"] for _, a in service.requests]
        assert [len(batch) for batch in batches] == [1, 1, 2, 1]
        for batch in batches:
            size = sum(
                len(entry["Message"])
                + len("targetString.Array")
                + len(entry["MessageAttributes"]["target"]["StringValue"])
                for entry in batch
            )
            assert size <= SNS_MAX_BYTES


class TestS3Blobs:
    def test_a_listing_is_followed_to_its_last_page(
        self, pool: ThreadPoolExecutor
    ) -> None:
        service = ScriptedService(
            {
                "Contents": [{"Key": "p/b"}, {"Key": "p/c"}],
                "IsTruncated": True,
                "NextContinuationToken": "t1",
            },
            {"IsTruncated": True, "NextContinuationToken": "t2"},
            {"Contents": [{"Key": "p/a"}], "IsTruncated": False},
        )
        blobs = S3Blobs(service, "lab", pool, prefix="p/")
        assert blobs.list("x") == ["a", "b", "c"]
        assert [a.get("ContinuationToken") for _, a in service.requests] == [
            None,
            "t1",
            "t2",
        ]
        assert {a["Prefix"] for _, a in service.requests} == {"p/x"}

    def test_2500_keys_are_deleted_in_three_requests(
        self, pool: ThreadPoolExecutor
    ) -> None:
        service = ScriptedService()
        keys = [str(number) for number in range(2_500)]
        S3Blobs(service, "lab", pool, prefix="p/").delete(keys)
        objects = [a["Delete"]["Objects"] for _, a in service.requests]
        assert sorted(map(len, objects)) == [500, 1_000, 1_000]
        assert {o["Key"] for batch in objects for o in batch} == {
            "p/" + k for k in keys
        }

    def test_keys_that_could_not_be_deleted_are_tried_again(
        self, pool: ThreadPoolExecutor
    ) -> None:
        slow = {"Errors": [{"Key": "p/b", "Code": "SlowDown", "Message": "slow"}]}
        service = ScriptedService(slow)
        S3Blobs(service, "lab", pool, prefix="p/").delete(["a", "b", "c", "b"])
        objects = [a["Delete"]["Objects"] for _, a in service.requests]
        assert objects == [
            [{"Key": "p/a"}, {"Key": "p/b"}, {"Key": "p/c"}],
            [{"Key": "p/b"}],
        ]

    def test_a_key_that_may_not_be_deleted_is_named(
        self, pool: ThreadPoolExecutor
    ) -> None:
        denied = {"Errors": [{"Key": "b", "Code": "AccessDenied", "Message": "no"}]}
        with pytest.raises(Refusal, match=r"1 of 2 .*AccessDenied: no \(key b\)"):
            S3Blobs(ScriptedService(denied), "lab", pool).delete(["a", "b"])

    def test_a_conflict_of_conditional_puts_is_tried_again(
        self, pool: ThreadPoolExecutor
    ) -> None:
        service = ScriptedService(busy("ConditionalRequestConflict"))
        assert S3Blobs(service, "lab", pool).put("k", b"data", if_absent=True) is True
        assert [a["IfNoneMatch"] for _, a in service.requests] == ["*", "*"]

    def test_a_put_whose_answer_was_lost_knows_its_own_data(
        self, pool: ThreadPoolExecutor
    ) -> None:
        there = Refusal("there", retryable=False, code="PreconditionFailed", attempts=2)
        mine = ScriptedService(there, {"Body": b"mine"})
        assert S3Blobs(mine, "lab", pool).put("k", b"mine", if_absent=True) is True
        there = Refusal("there", retryable=False, code="PreconditionFailed", attempts=2)
        other = ScriptedService(there, {"Body": b"other"})
        assert S3Blobs(other, "lab", pool).put("k", b"mine", if_absent=True) is False

    def test_a_put_at_the_first_attempt_does_not_look(
        self, pool: ThreadPoolExecutor
    ) -> None:
        there = Refusal("there", retryable=False, code="PreconditionFailed")
        service = ScriptedService(there)
        assert S3Blobs(service, "lab", pool).put("k", b"mine", if_absent=True) is False
        assert len(service.requests) == 1

    def test_a_swap_replaces_the_very_version_that_it_has_compared(
        self, pool: ThreadPoolExecutor
    ) -> None:
        found = {"Body": b"old", "ETag": '"tag"'}
        service = ScriptedService(found, busy("ConditionalRequestConflict"))
        assert S3Blobs(service, "lab", pool).swap("k", b"old", b"new") is True
        assert [name for name, _ in service.requests] == [
            "get_object",
            "put_object",
            "put_object",
        ]
        assert [a["IfMatch"] for _, a in service.requests[1:]] == ['"tag"'] * 2

    def test_a_swap_sends_no_put_in_vain(self, pool: ThreadPoolExecutor) -> None:
        service = ScriptedService({"Body": b"other", "ETag": '"tag"'})
        assert S3Blobs(service, "lab", pool).swap("k", b"old", b"new") is False
        assert len(service.requests) == 1

    @pytest.mark.parametrize("code", ["NoSuchKey", "PreconditionFailed"])
    def test_a_swap_that_comes_late_replaces_nothing(
        self, pool: ThreadPoolExecutor, code: str
    ) -> None:
        found = {"Body": b"old", "ETag": '"tag"'}
        service = ScriptedService(found, Refusal("no", retryable=False, code=code))
        assert S3Blobs(service, "lab", pool).swap("k", b"old", b"new") is False
        assert len(service.requests) == 2

    @pytest.mark.parametrize("now", [b"new", b"other"])
    def test_a_swap_whose_answer_was_lost_knows_its_own_data(
        self, pool: ThreadPoolExecutor, now: bytes
    ) -> None:
        found = {"Body": b"old", "ETag": '"tag"'}
        lost = Refusal("no", retryable=False, code="PreconditionFailed", attempts=2)
        service = ScriptedService(found, lost, {"Body": now})
        swapped = S3Blobs(service, "lab", pool).swap("k", b"old", b"new")
        assert swapped is (now == b"new")

    def test_a_swap_that_is_refused_raises(self, pool: ThreadPoolExecutor) -> None:
        denied = Refusal("no", retryable=False, code="AccessDenied")
        with pytest.raises(Refusal):
            S3Blobs(ScriptedService(denied), "lab", pool).swap("k", b"old", b"new")

    def test_attempts_are_counted_over_repetitions(
        self, pool: ThreadPoolExecutor
    ) -> None:
        there = Refusal("there", retryable=False, code="PreconditionFailed")
        service = ScriptedService(busy(), there, {"Body": b"mine"})
        assert S3Blobs(service, "lab", pool).put("k", b"mine", if_absent=True) is True
