"""Measuring a cloud from inside: on emulators, with few samples."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

import pytest

from serverless_dist import Config
from serverless_dist.cloud.latency import US_EAST_1, Latency, load_profile
from serverless_dist.cloud.memory import MemoryCloud
from serverless_dist.cloud.prices import US_EAST_1 as PRICES
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.runtime import calibrate as calibrate_module
from serverless_dist.runtime.calibrate import calibrate, cost, expected
from serverless_dist.runtime.calibration import fields_of
from serverless_dist.runtime.measurements import (
    Findings,
    Match,
    Rally,
    Samples,
    one_way,
    time_blobs,
)
from tests.deployed import tell
from tests.fabric import Deployed, deployed, visit

Capture = pytest.CaptureFixture[str]
MEASURED = {
    "s3_get",
    "s3_put",
    "s3_list",
    "s3_delete",
    "sqs_send",
    "sqs_receive",
    "sqs_delete",
    "sns_publish",
    "sns_hop",
    "stream_rate",
    "request_cpu",
}


@pytest.fixture(scope="module")
def shared(moto_endpoint: str) -> Iterator[Deployed]:
    with deployed(8, moto_endpoint) as world:
        yield world


@pytest.fixture(autouse=True)
def _small_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate_module, "STREAM_BYTES", 1 << 20)


@pytest.fixture
def world(shared: Deployed, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    visit(shared, monkeypatch)
    monkeypatch.setenv("SERVERLESS_DIST_FABRIC", shared.config.fabric)
    return shared


def test_an_emulated_cloud_is_measured_end_to_end(
    moto_endpoint: str,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SERVERLESS_DIST_ENDPOINT", moto_endpoint)
    file = tmp_path / "profile.json"
    given = ("--cloud", "emulated", "--samples", "3", "--output", str(file))
    code, out, err = tell(capsys, "calibrate", *given)
    assert (code, err) == (0, "")
    for part in ("published p50", "sns_hop", f"Written: {file}", "emulators"):
        assert part in out
    values = json.loads(file.read_text())
    assert set(values) == {"about", "name", *MEASURED}
    assert values["about"]["samples"]["s3_put"] == 2 * 3
    profile = load_profile(str(file))
    assert profile.name.startswith("emulated, measured 20")
    assert profile.s3_get == Latency(**values["s3_get"])
    assert profile.s3_get.typical > 0
    assert profile.stream_rate == values["stream_rate"] > 0
    assert profile.lambda_init == US_EAST_1.lambda_init  # it is not measured


def test_a_deployment_is_measured_and_left_as_it_was(
    world: Deployed, capsys: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "profile.json"
    given = ("--samples", "3", "--output", str(file), "--region", "us-east-1")
    code, out, err = tell(capsys, "calibrate", *given)
    assert (code, err) == (0, "")
    assert "This costs about $0.0" in out
    assert "It cost $0.0" in out
    assert "at the prices of us-east-1" in out
    values = json.loads(file.read_text())
    assert set(values) == {"about", "name", "lambda_accept", *MEASURED}
    assert load_profile(str(file)).lambda_accept.typical > 0
    assert world.left() == []
    assert world.taken() == 0
    assert "Traceback" not in world.logs()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("--samples", "2"), "2 samples tell nothing: take 3 or more"),
        (("--cloud", "local"), "invalid choice: 'local'"),
        (("--output", "/nowhere/at.json"), "there is no directory /nowhere"),
    ],
)
def test_a_mistake_is_one_sentence(
    capsys: Capture, given: tuple[str, ...], why: str
) -> None:
    code, out, err = tell(capsys, "calibrate", *given)
    assert code == 2
    assert why in err
    assert out == ""


def test_a_cloud_without_requests_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to measure on 'local'"):
        calibrate("local", Config(), 3)


def test_a_calibration_costs_some_cents_at_most() -> None:
    for samples, most in ((3, 0.005), (100, 0.03), (1_000, 0.10)):
        assert 0 < cost(*expected(samples, Config()), PRICES) < most


class TestAWay:
    @pytest.mark.parametrize("ahead", [-1e6, -0.004, 0.0, 3.5])
    def test_does_not_depend_on_the_clocks(self, ahead: float) -> None:
        first = Rally(thrown=[1.0, 2.0, 3.0], caught=[1.5, 2.6, 3.4])
        second = Rally(
            thrown=[1.3 + ahead, 2.5 + ahead, 3.2 + ahead],
            caught=[1.2 + ahead, 2.1 + ahead, 3.2 + ahead],
        )
        found = one_way(first, second)
        assert found == pytest.approx([0.2, 0.1, 0.2, 0.2, 0.1, 0.2], abs=1e-6)

    @pytest.mark.parametrize("seed", [1, 2], ids=["seed1", "seed2"])
    def test_keeps_the_spread(self, seed: int) -> None:
        chances = random.Random(seed)
        true = US_EAST_1.sqs_receive
        first, second = Rally([], []), Rally([], [])
        one, two = list[float](), list[float]()
        for number in range(500):
            one.append(number + true.at(chances.gauss(0, 1)) + 77.0)
            two.append(number + 0.5 + true.at(chances.gauss(0, 1)))
        first = Rally([float(number) for number in range(500)], two)
        second = Rally([number + 0.5 + 77.0 for number in range(500)], one)
        ways = sorted(one_way(first, second))
        assert len(ways) == 1_000
        assert median(ways) == pytest.approx(true.typical, rel=0.1)
        assert ways[950] == pytest.approx(true.quantile(0.95), rel=0.25)


def _findings(**seconds: list[float]) -> Findings:
    rallies = {"sqs": Rally([1.0], [1.010]), "sns": Rally([2.0], [2.025])}
    return Findings({"request_cpu": [0.001], **seconds}, rallies)


def test_what_comes_by_topic_is_received_too() -> None:
    first = _findings(s3_get=[0.020], stream=[0.120, 0.220, 0.120])
    fields = fields_of(first, _findings(s3_get=[0.020]), 1_000_000)
    assert fields["sqs_receive"].value == Latency(0, 0.010, 0)
    assert fields["sns_hop"].value == Latency(0, 0.015, 0)
    assert fields["sns_hop"].samples == 2
    # A hundred milliseconds after the first byte.
    assert fields["stream_rate"].value == 10_000_000
    assert fields["s3_get"].value == Latency(0, 0.020, 0)
    assert fields["request_cpu"].value == 0.001


class TestAMatch:
    @pytest.mark.parametrize("service", ["sqs", "sns"])
    def test_is_played_in_turns_past_strangers_and_leaves_nothing(
        self, service: str
    ) -> None:
        with closing(MemoryCloud(2)) as cloud:
            for mailbox in cloud.mailboxes:
                mailbox.send([b"of an earlier job"])
            played: dict[int, Any] = {}
            taken = [Samples(), Samples()]

            def play(rank: int) -> None:
                played[rank] = Match(cloud, rank, service, b"token").play(
                    taken[rank], 5
                )

            threads = [Thread(target=play, args=(rank,)) for rank in (0, 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            left = {repr(mailbox) for mailbox in cloud.mailboxes}
            assert left == {"<MemoryQueue 0 visible, 0 hidden>"}
        assert all(
            begin <= end
            for begin, end in zip(played[0].thrown, played[0].caught, strict=True)
        )
        name = {"sqs": "sqs_send", "sns": "sns_publish"}[service]
        for samples in taken:
            assert len(samples.seconds[name]) == 5
            assert len(samples.seconds["sqs_delete"]) == 5
            assert len(samples.seconds["request_cpu"]) == 10


def test_a_bucket_that_loses_what_was_put_is_told() -> None:
    with closing(MemoryCloud(1)) as cloud:
        cloud.blobs.put("place/old", b"")
        with pytest.raises(CloudError, match=r"the bucket has .*place/old"):
            time_blobs(cloud, Samples(), "place/", 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"s3_get": {"floor": -1, "median": 0, "sigma": 0}}', "no number from 0 on"),
        ('{"s3_get": {"floor": 0}}', "s3_get of a profile is"),
        ('{"stream_rate": "fast"}', "stream_rate of a profile is 'fast'"),
        ('{"stream_rate": NaN}', "stream_rate of a profile is nan"),
        ('{"s4_get": 1}', "a profile has no 's4_get'"),
        ("[]", "no JSON object"),
        ("{", "is no profile"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(
    tmp_path: Path, text: str, why: str
) -> None:
    file = tmp_path / "profile.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=why):
        load_profile(str(file))
