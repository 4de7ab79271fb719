"""Names of a package that are imported when they are first used.

A function of Lambda starts others before it does anything else, and for that it needs
little of this package: what takes long to import, numpy above all, waits until then.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package.

    Parameters
    ----------
    package
        Its name.
    homes
        The module of each name, with a colon behind it if it is that module itself.

    Examples
    --------
    >>> find = lazy_names("serverless_dist", {"tau": "math", "maths": "math:"})
    >>> find("tau") == find("maths").tau
    True
    """

    def find(name: str) -> Any:
        if name not in homes:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        module, colon, _ = homes[name].partition(":")
        found = import_module(module)
        return found if colon else getattr(found, name)

    return find
