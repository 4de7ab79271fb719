"""Scripts as ranks that share one process: each is a `__main__` of its own."""

from functools import lru_cache
from pathlib import Path
from types import CodeType, ModuleType

from serverless_dist.comm import Communicator
from serverless_dist.comm.place import here


@lru_cache(maxsize=1)
def _compiled(path: str) -> CodeType:
    """Return the code of a script, which all ranks share."""
    return compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)


def run_as_main(world: Communicator, path: str) -> None:
    """Run the script at `path` as ``python path`` would, on this simulated rank.

    What it imports is imported once for all ranks, and `sys` is one for all. While it
    runs, `__main__` is a module of its own.
    """
    __tracebackhide__ = True
    del world
    module = ModuleType("__main__")
    module.__file__ = path
    here().set_main(module)
    exec(_compiled(path), module.__dict__)
