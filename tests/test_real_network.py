"""The real network and inputs give the official answer on any ranks and channel."""

from pathlib import Path

import pytest

from serverless_dist import run
from serverless_dist.inference import Job, infer
from serverless_dist.runtime.channels import CHANNELS

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
ANSWER = DATA / "graphchallenge-1024x120-categories.tsv"
SAMPLES = 10_000

pytestmark = pytest.mark.skipif(
    not ANSWER.is_file(), reason=f"the official challenge arrays are not in {DATA}"
)


def official() -> list[int]:
    ids = [int(line) for line in ANSWER.read_text().split()]
    return [number for number in ids if number <= SAMPLES]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("channel", CHANNELS)
def test_categories_are_the_official_ones(channel: str, ranks: int) -> None:
    job = Job(1_024, layers=120, samples=SAMPLES, directory=DATA)
    root, *others = run(infer, job, ranks=ranks, channel=channel)
    assert root.categories is not None
    assert root.categories.tolist() == official()
    assert len(root.categories) == 337
    assert all(answer.categories is None for answer in others)
