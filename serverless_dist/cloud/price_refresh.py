"""Fetching AWS's price lists: public files of up to some megabytes, over HTTP.

A file that was not read to its end, or that a busy server did not give, is asked for
again. Nothing is written before all lists have been read and every price was found.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from serverless_dist.cloud.attempts import is_busy
from serverless_dist.cloud.price_files import (
    PriceLine,
    cached_prices,
    check_region,
    price_file,
)
from serverless_dist.cloud.price_list import OFFERS, pick_lines
from serverless_dist.errors import CloudError, UsageError

PUBLIC_LISTS = "https://pricing.us-east-1.amazonaws.com"
"""Where AWS publishes them, for all regions and for everybody."""

Watch = Callable[[str, int, int], None]
"""Is told the offer, how many bytes have come, and how many there are (0: unknown)."""

_SECONDS = 20.0  # without a byte
_CHUNK = 1 << 16
_MOST = 1 << 28  # bytes of a list: the largest of a region has less than a megabyte
_ATTEMPTS = 3
_ABSENT = {403, 404}  # a bucket that may not be listed says the former


def refresh(
    region: str,
    url: str = PUBLIC_LISTS,
    *,
    directory: Path | None = None,
    on_progress: Watch | None = None,
) -> Path:
    """Fetch the prices of a region, and write them where `load_prices` looks first.

    Parameters
    ----------
    region
        Its name.
    url
        Where the lists are.
    directory
        Where to write; None: into the user's cache directory.
    on_progress
        Is told how far it is.

    Returns
    -------
    Path
        What was written, in one step.

    Raises
    ------
    UsageError
        There are no lists for that region, or `url` is none.
    CloudError
        A list cannot be read, or lacks a price. What was there before stays.
    """
    check_region(region)
    if not re.match(r"https?://[^/]", url):
        msg = f"{url!r} is no address: give one that begins with https://"
        raise UsageError(msg)
    offers = {
        offer: _fetch(offer, f"{url.rstrip('/')}{_path(offer, region)}", on_progress)
        for offer in OFFERS
    }
    today = date.today()
    return write_lines(region, pick_lines(offers, region, today), directory)


def _path(offer: str, region: str) -> str:
    return f"/offers/v1.0/aws/{offer}/current/{region}/index.json"


def _fetch(offer: str, url: str, watch: Watch | None) -> Mapping[str, Any]:
    """Return one list."""
    retrying = Retrying(
        retry=retry_if_exception(_may_succeed_later),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.2, max=2.0),
        reraise=True,
    )
    try:
        body: bytes = retrying(_read, offer, url, watch)
    except HTTPError as error:
        if error.code in _ABSENT:
            msg = f"there is no price list {offer} at {url}: give another region"
            raise UsageError(msg) from error
        raise _failure(offer, url, f"HTTP status {error.code}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise _failure(offer, url, reason) from error
    try:
        values = json.loads(body)
    except ValueError as error:
        raise _failure(offer, url, f"no JSON: {error}") from error
    if not isinstance(values, dict):
        raise _failure(offer, url, "no JSON object")
    return values


def _read(offer: str, url: str, watch: Watch | None) -> bytes:
    """Return what is at an address, all of it."""
    body = bytearray()
    with _opened(url) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
        while chunk := answer.read(_CHUNK):
            body += chunk
            if watch is not None:
                watch(offer, len(body), size)
            if len(body) > _MOST:
                msg = f"more than {_MOST:,} bytes"
                raise _failure(offer, url, msg)
    if len(body) < size:
        msg = f"it ended after {len(body):,} of {size:,} bytes"
        raise ConnectionError(msg)
    return bytes(body)


def _opened(url: str) -> HTTPResponse:
    try:
        answer: HTTPResponse = urlopen(Request(url), timeout=_SECONDS)
    except HTTPError as error:
        error.close()  # it is an answer, too
        raise
    return answer


def _may_succeed_later(error: BaseException) -> bool:
    if isinstance(error, HTTPError):
        return is_busy("", error.code)
    return isinstance(error, (OSError, HTTPException))


def _failure(offer: str, url: str, why: object) -> CloudError:
    msg = f"the price list {offer} cannot be read from {url}: {why}"
    return CloudError(msg, retryable=True)


def write_lines(
    region: str, lines: Mapping[str, PriceLine], directory: Path | None = None
) -> Path:
    """Write the prices of a region; whoever reads meanwhile sees the old or the new.

    Parameters
    ----------
    region, lines
        What to write.
    directory
        Where to; None: into the user's cache directory.

    Returns
    -------
    Path
        The file.
    """
    place = cached_prices() if directory is None else directory
    path = price_file(place, region)
    place.mkdir(parents=True, exist_ok=True)
    values = {
        "region": region,
        "currency": "USD",
        "lines": {name: line.to_dict() for name, line in lines.items()},
    }
    with NamedTemporaryFile("w", dir=place, prefix=".prices-", delete=False) as file:
        draft = Path(file.name)
        try:
            file.write(json.dumps(values, indent=2) + "\n")
            file.close()
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return path
