"""FMI over S3, replayed on the simulated cloud: a send, and an allreduce of 4 bytes.

A message is an object. Who waits for it asks for it, sleeps, and asks again. A
reduction is the root's: it asks for one contribution after the other, sleeps, and goes
round those that are missing; then it sends the result to all as one object.
"""

import csv
from dataclasses import dataclass
from statistics import median

from validation_rows import FOLDER

from serverless_dist.cloud.latency import US_EAST_1, Profile
from serverless_dist.cloud.simulated import Machine, SimulatedCloud
from serverless_dist.cloud.virtual import VirtualTime

# Seconds between two questions. FMI's configuration says 0.1; its published medians
# are shorter than one such sleep and two requests, so they must be of less.
INTERVALS = (0.1, 0.01)
MEMORY_MB = 2_048
ROUNDS = {1: 200, 1_000_000: 200, 100_000_000: 20, 4: 60}  # by bytes


@dataclass(frozen=True, slots=True)
class Measured:
    """One published median."""

    operation: str
    ranks: int
    nbytes: int
    seconds: float

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.operation} of {self.nbytes:,} B, {self.ranks} ranks"


def load_measured() -> list[Measured]:
    """Return the published medians."""
    with (FOLDER / "fmi.csv").open(newline="") as file:
        return [
            Measured(
                line["operation"],
                int(line["ranks"]),
                int(line["bytes"]),
                float(line["milliseconds"]) / 1_000,
            )
            for line in csv.DictReader(file)
        ]


@dataclass(frozen=True, slots=True)
class Rank:
    """One rank of one operation."""

    machine: Machine
    rank: int
    ranks: int
    key: str
    body: bytes
    interval: float

    def send(self) -> None:
        """Send to the other and back."""
        if self.rank == 0:
            self.put("there")
            self.fetch("back")
        else:
            self.fetch("there")
            self.put("back")

    def allreduce(self) -> None:
        """Contribute; the root adds up and sends the sum."""
        if self.rank:
            self.put(f"part {self.rank}")
            self.fetch("sum")
            return
        missing = list(range(1, self.ranks))
        while missing:
            missing = [k for k in missing if self.get(f"part {k}") is None]
            self.machine.clock.sleep(self.interval)
        self.put("sum")

    def put(self, name: str) -> None:
        """Store an object."""
        self.machine.blobs.put(f"{self.key}/{name}", self.body)

    def get(self, name: str) -> bytes | None:
        """Return an object, if it is there."""
        return self.machine.blobs.get(f"{self.key}/{name}")

    def fetch(self, name: str) -> None:
        """Return once an object is there."""
        while self.get(name) is None:
            self.machine.clock.sleep(self.interval)


def replay(
    measured: Measured, interval: float, profile: Profile = US_EAST_1, seed: int = 0
) -> float:
    """Return the median of the seconds that an operation takes."""
    time = VirtualTime()
    cloud = SimulatedCloud(time, mailboxes=0, profile=profile, seed=seed)
    machines = [cloud.machine(MEMORY_MB) for _ in range(measured.ranks)]
    body = bytes(measured.nbytes)
    taken = []
    for number in range(ROUNDS[measured.nbytes]):
        began = time.now()
        threads = []
        for k, machine in enumerate(machines):
            rank = Rank(machine, k, len(machines), f"{number}", body, interval)
            work = rank.send if measured.operation == "send" else rank.allreduce
            threads.append(machine.start(work, f"rank {k}"))
        for thread in threads:
            thread.join()
        taken.append(time.now() - began)
    time.close()
    return median(taken) / (2 if measured.operation == "send" else 1)
