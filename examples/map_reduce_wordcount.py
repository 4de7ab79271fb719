"""Count words: tasks that return parts, and tasks that are given the parts of all.

    python examples/map_reduce_wordcount.py [LINES] [--cloud local|emulated]

A mapper counts the words of its lines and returns one part for each reducer
(`num_returns`). The refs of the parts are the arguments of the reducers: a part goes
from worker to worker, and a reducer starts when its parts are there. LINES is how many
lines of text are made up.
"""

import argparse
import sys
import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

import serverless_dist as sd

MAPPERS, REDUCERS, FREQUENT = 6, 3, 10
WORDS, LINE = 5_000, 12  # different words, and words of a line


def make_text(lines: int) -> list[str]:
    """Return lines of words, of which few are frequent and most are rare."""
    rng = np.random.default_rng(seed=5)
    ranks = (WORDS * rng.random((lines, LINE)) ** 4).astype(int)
    return [" ".join(f"w{rank}" for rank in line) for line in ranks]


def reducer_of(word: str) -> int:
    """Return who counts a word: the same in all processes, which `hash` is not."""
    return zlib.crc32(word.encode()) % REDUCERS


@sd.remote(num_returns=REDUCERS)
def split_counts(lines: Sequence[str]) -> list[Counter[str]]:
    """Return how often words are in the lines, one part for each reducer."""
    parts: list[Counter[str]] = [Counter() for _ in range(REDUCERS)]
    for line in lines:
        for word in line.split():
            parts[reducer_of(word)][word] += 1
    return parts


@sd.remote
def add_up(*parts: Counter[str]) -> Counter[str]:
    """Return the counts of all parts together."""
    return sum(parts, Counter())


@sd.remote
def most_frequent(*counts: Counter[str]) -> list[tuple[str, int]]:
    """Return the words with the highest counts, the first in the alphabet of equals."""
    everything = [item for each in counts for item in each.items()]
    return sorted(everything, key=lambda item: (-item[1], item[0]))[:FREQUENT]


def main() -> None:
    """Count with mappers and reducers, and once more in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("lines", nargs="?", type=int, default=5_000)
    parser.add_argument("--cloud", choices=["local", "emulated"], default="local")
    arguments = parser.parse_args()
    text = make_text(arguments.lines)

    with sd.init(arguments.cloud):
        split = [split_counts.remote(text[i::MAPPERS]) for i in range(MAPPERS)]
        counted = [add_up.remote(*parts) for parts in zip(*split, strict=True)]
        found = sd.get(most_frequent.remote(*counted))
        totals = sd.get(counted)

    expected = Counter(word for line in text for word in line.split())
    if sum(totals, Counter()) != expected:
        sys.exit("map_reduce_wordcount: wrong: the counts differ from one process's")
    if found != sorted(expected.items(), key=lambda i: (-i[1], i[0]))[:FREQUENT]:
        sys.exit("map_reduce_wordcount: wrong: others are the most frequent words")
    word, times = found[0]
    total = sum(expected.values())
    print(f"map_reduce_wordcount: {word} comes {times:,} times in {total:,} words")


if __name__ == "__main__":
    main()
