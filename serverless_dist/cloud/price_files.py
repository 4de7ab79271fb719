"""Prices as files: one for each region, each line with its date and source.

The package comes with the regions whose prices somebody has checked. A list that was
fetched from AWS lies in the user's cache directory, and goes first.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from math import inf
from pathlib import Path
from typing import Any

from serverless_dist.errors import DataFileError, UsageError

_SHIPPED = Path(__file__).with_name("data")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d{1,2}")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """What one unit of something costs, and who says so.

    Attributes
    ----------
    value
        Dollars for one unit, in the first tier that is not free.
    unit
        ``"request"``, ``"GB-second"`` or ``"GB-month"``.
    offer
        AWS's price list that has it; empty: none has.
    published
        When that list was published; None where there is no list.
    read
        When somebody, or `serverless-dist prices --refresh`, has read it.
    source
        Where it is from, in words.
    """

    value: float
    unit: str
    offer: str
    published: date | None
    read: date
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return the line as values that JSON knows."""
        published = self.published.isoformat() if self.published else ""
        return asdict(self) | {"published": published, "read": self.read.isoformat()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PriceLine":
        """Return the line that `to_dict` has written; raise what it is not."""
        value = float(values["value"])
        if not 0 <= value < inf:
            msg = f"a price is {value}"
            raise ValueError(msg)
        published = values["published"]
        return cls(
            value=value,
            unit=str(values["unit"]),
            offer=str(values["offer"]),
            published=date.fromisoformat(published) if published else None,
            read=date.fromisoformat(values["read"]),
            source=str(values["source"]),
        )


def cached_prices() -> Path:
    """Return where refreshed prices are: below ``XDG_CACHE_HOME``, or ``~/.cache``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "serverless-dist" / "prices"


def check_region(region: str) -> str:
    """Return `region` if it looks like the name of one, else raise a `UsageError`.

    >>> check_region("us-east-1")
    'us-east-1'
    """
    if not _REGION.fullmatch(region):
        msg = f"{region!r} is no region of AWS: write it as us-east-1"
        raise UsageError(msg)
    return region


def price_file(directory: Path, region: str) -> Path:
    """Return where the prices of a region are in a directory."""
    return directory / f"prices-{check_region(region)}.json"


def shipped_lines(region: str) -> dict[str, PriceLine]:
    """Return the prices of a region that the package comes with."""
    return read_lines(price_file(_SHIPPED, region))


def known_regions(directory: Path | None = None) -> list[str]:
    """Return the regions that there are prices of, shipped or in `directory`."""
    places = (_SHIPPED, cached_prices() if directory is None else directory)
    found = {path.stem for place in places for path in place.glob("prices-*.json")}
    return sorted(stem.removeprefix("prices-") for stem in found)


def find_lines(region: str, directory: Path | None = None) -> dict[str, PriceLine]:
    """Return the prices of a region: refreshed ones, else those of the package.

    Parameters
    ----------
    region
        Its name, as ``"us-east-1"``.
    directory
        Where refreshed prices are; None: in the user's cache directory.

    Raises
    ------
    UsageError
        There are no prices of that region; the message says which there are, and how
        to get others.
    DataFileError
        A file is not what was written.
    """
    place = cached_prices() if directory is None else directory
    for path in (price_file(place, region), price_file(_SHIPPED, region)):
        if path.is_file():
            return read_lines(path)
    msg = (
        f"there are no prices of {region}: use {', '.join(known_regions(place))}, or"
        f" get them with serverless-dist prices --refresh --region {region}"
    )
    raise UsageError(msg)


def read_lines(path: Path) -> dict[str, PriceLine]:
    """Return the lines of a file; raise a `DataFileError` if it is not one of ours."""
    try:
        values = json.loads(path.read_text())
        if values["currency"] != "USD":
            msg = f"its currency is {values['currency']!r}, not USD"
            raise ValueError(msg)
        lines = values["lines"].items()
        return {name: PriceLine.from_dict(line) for name, line in lines}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else error
        msg = f"{path} is no file of prices ({what}): remove it, or refresh the prices"
        raise DataFileError(msg) from error
