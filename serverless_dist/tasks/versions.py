"""What has to be the same where a function is pickled and where it runs."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

_PACKAGES = ("serverless_dist", "cloudpickle", "numpy")


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of Python (major and minor) and of the packages that count.

    >>> sorted(versions())
    ['Python', 'cloudpickle', 'numpy', 'serverless_dist']
    """
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, **{name: version(name) for name in _PACKAGES}}


def mismatch(driver: Mapping[str, str], worker: Mapping[str, str]) -> str | None:
    """Return what differs, in words; None: nothing.

    >>> mismatch({"Python": "3.11", "numpy": "2.1"}, {"Python": "3.12", "numpy": "2.1"})
    'the driver has Python 3.11, its worker has Python 3.12: install the same'
    """
    ours = [name for name in driver if driver[name] != worker.get(name)]
    if not ours:
        return None
    here = ", ".join(f"{name} {driver[name]}" for name in ours)
    there = ", ".join(f"{name} {worker.get(name, 'missing')}" for name in ours)
    return f"the driver has {here}, its worker has {there}: install the same"
