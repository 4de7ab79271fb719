"""What the environment may set."""

import pytest

from serverless_dist import Config, UsageError
from serverless_dist.config import COLLECTIVES


def test_nothing_set_gives_the_defaults() -> None:
    assert Config.from_env({}) == Config()
    assert Config.from_env({"SERVERLESS_DIST_CLOUD": ""}) == Config()


def test_every_field_can_be_set() -> None:
    environ = {
        "SERVERLESS_DIST_CLOUD": "aws",
        "SERVERLESS_DIST_CHANNEL": "object",
        "SERVERLESS_DIST_TIMEOUT": "2.5",
        "SERVERLESS_DIST_FABRIC": "mine",
        "SERVERLESS_DIST_REGION": "eu-west-1",
        "SERVERLESS_DIST_ENDPOINT": "http://127.0.0.1:5000",
        "SERVERLESS_DIST_MEMORY_MB": "512",
        "SERVERLESS_DIST_REDUCE_SCATTER": "pairwise",
        "SERVERLESS_DIST_SCAN": "",
    }
    expected = Config(
        cloud="aws",
        channel="object",
        timeout=2.5,
        fabric="mine",
        region="eu-west-1",
        endpoint="http://127.0.0.1:5000",
        memory_mb=512,
        algorithms={"reduce_scatter": "pairwise"},
    )
    assert Config.from_env(environ) == expected


def test_the_algorithm_of_each_collective_can_be_set() -> None:
    environ = {f"SERVERLESS_DIST_{name.upper()}": f"my {name}" for name in COLLECTIVES}
    wanted = {name: f"my {name}" for name in COLLECTIVES}
    assert Config.from_env(environ).algorithms == wanted


def test_a_configuration_can_be_a_key_whatever_its_algorithms() -> None:
    ring = Config(algorithms={"allreduce": "ring"})
    assert {ring: 1, Config(): 2}[Config(algorithms={"allreduce": "ring"})] == 1


def test_the_region_of_aws_serves_unless_there_is_one_of_ours() -> None:
    environ = {"AWS_REGION": "eu-west-1"}
    assert Config.from_env(environ).region == "eu-west-1"
    environ["SERVERLESS_DIST_REGION"] = "us-west-2"
    assert Config.from_env(environ).region == "us-west-2"


@pytest.mark.parametrize(
    "name", ["SERVERLESS_DIST_TIMEOUT", "SERVERLESS_DIST_MEMORY_MB"]
)
@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan"])
def test_what_is_no_number_above_zero_is_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is '{text}': set it to a number"):
        Config.from_env({name: text})
