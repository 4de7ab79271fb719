"""Reading tables of whole numbers from text, with the line of whatever is wrong."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serverless_dist.errors import DataFileError

Table = NDArray[np.float64]
_CHUNK = 1 << 22  # bytes parsed at a time: the input files have up to 400 M lines


def read_table(path: Path, columns: int, most: tuple[int, ...]) -> Iterator[Table]:
    """Yield the table in pieces of whole lines.

    Parameters
    ----------
    path
        A file of `columns` numbers a line, set apart by blanks or tabs.
    columns
        The numbers per line.
    most
        The largest number of each of the first columns, which must hold whole numbers
        from 1; those behind may hold anything.

    Raises
    ------
    DataFileError
        The file is missing or malformed; the message names the line.
    """
    done = 0
    try:
        with path.open("rb") as file:
            while text := file.read(_CHUNK) + file.readline():
                yield _parse(path, done, text, columns, most)
                done += text.count(b"\n")
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise DataFileError(msg) from error


def _parse(
    path: Path, done: int, text: bytes, columns: int, most: tuple[int, ...]
) -> Table:
    """Return the lines as numbers; `done` lines of the file came before them."""
    if not text.strip():
        return np.empty((0, columns))
    try:
        table = np.loadtxt(io.BytesIO(text), comments=None, ndmin=2)
    except ValueError:
        table = np.empty((0, 0))
    whole = table[:, : len(most)]
    fits = (whole >= 1) & (whole <= np.array(most)[: whole.shape[1]])
    if table.shape[1] == columns and (fits & (whole == np.rint(whole))).all():
        return table
    # Only now, as it takes 100 times longer, each line by itself.
    number, problem = _first_problem(text, columns, most)
    msg = f"{path}, line {done + number}: {problem}"
    raise DataFileError(msg)


def _first_problem(text: bytes, columns: int, most: tuple[int, ...]) -> tuple[int, str]:
    for number, line in enumerate(text.split(b"\n"), 1):
        problem = _problem(line.decode(errors="replace").split(), columns, most)
        if problem:
            return number, problem
    return 1, "this or a later line is malformed"


def _problem(words: list[str], columns: int, most: tuple[int, ...]) -> str:
    """Return what is wrong with a line, or nothing."""
    if words and len(words) != columns:
        return f"expected {columns} numbers, found {len(words)} words"
    for word, limit in zip(words, most, strict=False):
        if not word.isascii() or not word.isdigit() or not 1 <= int(word) <= limit:
            return f"expected a whole number from 1 to {limit}, found {word!r}"
    for word in words:
        try:
            float(word)
        except ValueError:
            return f"expected a number, found {word!r}"
    return ""
