"""Numbers and texts as people read them, safe to stand in a page."""

from decimal import Decimal
from html import escape
from math import inf, isfinite
from typing import Any

from rich.filesize import decimal

NOTHING = "-"


def safe(text: object) -> str:
    """Return a text that elements and figures show as it is, whatever it holds.

    Quotes stay, since figures do not know their entities: an attribute needs more.

    >>> safe("<b>&")
    '&lt;b&gt;&amp;'
    """
    return escape(str(text), quote=False)


def words(name: object) -> str:
    """Return the name of a field as words, not yet safe to be shown.

    >>> words("edges_per_second")
    'edges per second'
    """
    return str(name).replace("_", " ")


def count(number: float) -> str:
    """Return a number with its thousands set apart.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{number:,.0f}"


def size(number: float) -> str:
    """Return bytes in the unit that suits them.

    >>> size(1_500_000)
    '1.5 MB'
    """
    return decimal(int(number))


def money(dollars: float | None) -> str:
    """Return dollars to three digits, never as a power of ten.

    >>> money(0.00000123456), money(1234.5), money(None)
    ('$0.00000123', '$1,234.50', '-')
    """
    if dollars is None or not isfinite(dollars):
        return NOTHING
    if abs(dollars) >= 1:
        return f"${dollars:,.2f}"
    return f"${Decimal(f'{dollars:.3g}'):f}"


def seconds(duration: float | None) -> str:
    """Return a duration in seconds, or in parts of one.

    >>> seconds(0.01234), seconds(0.0000123), seconds(123.45), seconds(1234.5)
    ('12.3 ms', '12.3 µs', '123.5 s', '1,234 s')
    """
    if duration is None or not isfinite(duration):
        return NOTHING
    if duration >= 1_000:
        return f"{count(duration)} s"
    if duration >= 100:
        return f"{duration:.4g} s"
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if duration * scale >= 1:
            return f"{duration * scale:.3g} {unit}"
    return f"{duration:.3g} s"


def percent(share: float) -> str:
    """Return a share of one.

    >>> percent(0.1234), percent(0.00123)
    ('12 %', '0.12 %')
    """
    return f"{100 * share:.2g} %" if share < 0.0995 else f"{100 * share:.0f} %"


def plain(value: Any) -> str:
    """Return a value of a document that is of no known kind.

    >>> plain(None), plain(True), plain(1000), plain(0.25), plain(1e6), plain("<")
    ('-', 'yes', '1,000', '0.25', '1,000,000', '&lt;')
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return count(value) if 1_000 <= abs(value) < inf else f"{value:.4g}"
    return safe(value)
