"""What has to be the same where a function is pickled and where it runs."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from serverless_dist.errors import VersionMismatchError

_PACKAGES = ("serverless_dist", "cloudpickle", "numpy")


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of Python (major and minor) and of the packages that count.

    >>> sorted(versions())
    ['Python', 'cloudpickle', 'numpy', 'serverless_dist']
    """
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, **{name: version(name) for name in _PACKAGES}}


def mismatch(
    driver: Mapping[str, str], other: Mapping[str, str], name: str = "its worker"
) -> str | None:
    """Return what differs, in words; None: nothing.

    >>> mismatch({"Python": "3.11", "numpy": "2.1"}, {"Python": "3.12", "numpy": "2.1"})
    'the driver has Python 3.11, its worker has Python 3.12: install the same'
    """
    ours = [each for each in driver if driver[each] != other.get(each)]
    if not ours:
        return None
    here = ", ".join(f"{each} {driver[each]}" for each in ours)
    there = ", ".join(f"{each} {other.get(each, 'missing')}" for each in ours)
    return f"the driver has {here}, {name} has {there}: install the same"


def check_versions(
    driver: Mapping[str, str], other: Mapping[str, str], name: str
) -> None:
    """Raise a `VersionMismatchError` if the two differ; `name` is what the other is."""
    what = mismatch(driver, other, name)
    if what is not None:
        raise VersionMismatchError(what)
