"""A Python script as the function of a rank."""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from serverless_dist.comm import Communicator


def run_script(world: Communicator, path: str, arguments: Sequence[str]) -> None:
    """Run the script at `path` as ``python path arguments`` would.

    The script finds its communicator as ``MPI.COMM_WORLD``.
    """
    del world
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).resolve().parent))
    runpy.run_path(path, run_name="__main__")
