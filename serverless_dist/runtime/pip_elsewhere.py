"""Run pip for a machine that is not this one: ``pip_elsewhere.py MARKERS ARGUMENT...``.

pip's ``--platform`` chooses wheels, but whether a requirement such as ``greenlet;
platform_machine == "aarch64"`` counts is still decided by the machine that pip runs
on. MARKERS is a JSON object of what such conditions are to see instead. The module
that pip has them from is not an official interface: where it is missing, they see
this machine.
"""

import json
import runpy
import sys
from contextlib import suppress
from importlib import import_module


def main() -> None:
    """Run pip with what the command line says."""
    elsewhere = json.loads(sys.argv.pop(1))
    with suppress(ImportError, AttributeError):
        markers = import_module("pip._vendor.packaging.markers")
        here = markers.default_environment
        vars(markers)["default_environment"] = lambda: {**here(), **elsewhere}
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
