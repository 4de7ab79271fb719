"""What was published of FSD-Inference, and the cost model that its authors use."""

import csv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "published"
LAYERS = 120
SAMPLES = 10_000
CLASS = 16  # neurons with the same inputs, in every layer of the challenge


@dataclass(frozen=True, slots=True)
class Row:
    """One published experiment; None: not published.

    Attributes
    ----------
    neurons, workers, memory_mb
        The network, the ranks, and the memory of each.
    is_fitted
        Whether the constants of `validation_effort` are fitted to it: every other one
        of the table is, beginning with the first.
    is_random
        Neurons were dealt out at random, not by a hypergraph partition.
    branching, levels
        Of the launch tree.
    published
        The other columns of the table, by name.
    """

    neurons: int
    workers: int
    memory_mb: int
    is_fitted: bool
    is_random: bool
    branching: int
    levels: int
    published: dict[str, float | None]

    @property
    def name(self) -> str:
        """What tables call it."""
        kind = ", random" if self.is_random else ""
        return f"{self.neurons} x {self.workers}{kind}"

    @property
    def base_layers(self) -> int:
        """How many layers come before the randomly permuted ones."""
        return (self.neurons // CLASS).bit_length() - 1

    @property
    def pairs(self) -> int:
        """Ordered pairs of workers."""
        return self.workers * (self.workers - 1)

    def has(self, channel: str) -> bool:
        """Return whether the channel was measured."""
        return self.published[f"{channel}_ms_per_sample"] is not None

    def value(self, column: str) -> float:
        """Return a published number that there is."""
        number = self.published[column]
        if number is None:
            msg = f"{column} of {self.name} was not published"
            raise ValueError(msg)
        return number

    def seconds(self, channel: str) -> float:
        """Return the published seconds of the batch."""
        return self.value(f"{channel}_ms_per_sample") * SAMPLES / 1_000


def load_rows() -> list[Row]:
    """Return all published experiments, in the order of the table."""
    with (FOLDER / "fsd-inference.csv").open(newline="") as file:
        return [_row(line, k) for k, line in enumerate(csv.DictReader(file))]


def _row(line: dict[str, str], number: int) -> Row:
    branching, levels = line.pop("branching_x_levels").split("x")
    return Row(
        neurons=int(line.pop("neurons")),
        workers=int(line.pop("workers")),
        memory_mb=int(line.pop("memory_mb")),
        is_fitted=number % 2 == 0,
        is_random=line.pop("partition") == "random",
        branching=int(branching),
        levels=int(levels),
        published={k: float(text) if text else None for k, text in line.items()},
    )


# The authors' prices and rules, from their workbook; AWS's are in the package.
PUBLISH = 5e-7
SNS_BYTE = 9e-11
SQS_CALL = 4e-7
INVOKE = 2e-7
RUN_128_MB_SECOND = 2.1e-6
PUT_OR_LIST = 5.3e-6
GET = 4.2e-7
CHUNK = 65_536


def billed_publishes(calls: int, nbytes: float) -> int:
    """Return what the authors bill: every call as the mean one, in chunks of 64 KB."""
    return calls * -(-round(nbytes / calls) // CHUNK)


def lambda_dollars(row: Row, seconds: float) -> float:
    """Return what functions cost that each run for so long."""
    return (row.workers + 1) * INVOKE + (
        row.workers * seconds * row.memory_mb / 128 * RUN_128_MB_SECOND
    )


def sns_dollars(billed: int, nbytes: float) -> float:
    """Return what publishing costs."""
    return billed * PUBLISH + nbytes * SNS_BYTE


def s3_dollars(puts: int, gets: int, lists: int) -> float:
    """Return what objects cost."""
    return (puts + lists) * PUT_OR_LIST + gets * GET
