"""Wheels for the machines of Lambda, found and unpacked by pip, without Docker."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from serverless_dist.errors import CloudError, UsageError
from serverless_dist.runtime import pip_elsewhere
from serverless_dist.runtime.requirements import (
    Requirements,
    own_pins,
    own_requirements,
    package_name,
)

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}  # Lambda's names, and wheels'
_GLIBC = 34  # 2.34 is that of Amazon Linux 2023, on which Python >= 3.12 runs
_OLDEST_GLIBC = {"x86_64": 5, "aarch64": 17}  # that wheels are made for: PEP 600
_LEGACY = {
    "x86_64": ("manylinux2014", "manylinux2010", "manylinux1"),
    "aarch64": ("manylinux2014",),
}
# What settings of the user's pip would lead the files to elsewhere.
_UNSET = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_QUIET")
_SET = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
_ALWAYS = (
    *("--no-input", "--disable-pip-version-check", "--no-color", "--no-compile"),
    "--no-warn-conflicts",  # with what is installed here
)

_NO_WHEEL = re.compile(
    r"No matching distribution found for (.+?)(?: \(from .*)?$", re.M
)
_OFFLINE = re.compile(r"connection broken by|Max retries exceeded|ConnectTimeoutError")
_CONFLICT = re.compile(r"The conflict is caused by:\n((?: +.+\n)+)")
_ERROR = re.compile(r"^ERROR: (.+)$", re.M)


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of machine that functions run on: as Python 3.13 on arm64."""

    python: str
    architecture: str

    def __post_init__(self) -> None:
        if self.architecture not in _MACHINES:
            msg = f"no function runs on {self.architecture!r}: say x86_64 or arm64"
            raise UsageError(msg)

    def __str__(self) -> str:
        return f"Python {self.python} on {self.architecture}"

    @property
    def is_this_python(self) -> bool:
        """Whether modules compiled by this Python are good there."""
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        return self.python == here and sys.implementation.name == "cpython"

    @property
    def platforms(self) -> Sequence[str]:
        """The platforms that a wheel may be for, as wheels name them, best first."""
        machine = _MACHINES[self.architecture]
        minors = range(_GLIBC, _OLDEST_GLIBC[machine] - 1, -1)
        kinds = [*(f"manylinux_2_{minor}" for minor in minors), *_LEGACY[machine]]
        return [f"{kind}_{machine}" for kind in (*kinds, "linux")]

    @property
    def markers(self) -> Mapping[str, str]:
        """What conditions of requirements see there: PEP 508."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": _MACHINES[self.architecture],
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


def unpack_wheels(target: Target, requirements: Requirements, directory: Path) -> None:
    """Unpack what ranks need, and what the user asks for, into a new directory.

    cloudpickle and numpy are of the releases that are installed here, unless those
    have no wheel for the target.

    Raises
    ------
    UsageError
        Something has no wheel for the target, the requirements contradict each other,
        or there is no pip.
    CloudError
        No package index can be reached.
    """
    if find_spec("pip") is None:
        msg = (
            f"{sys.executable} has no pip, which finds the wheels of a package: run "
            f"'{sys.executable} -m ensurepip' or 'uv pip install pip'"
        )
        raise UsageError(msg)
    pins = dict(own_pins())
    while (output := _pip(target, requirements, pins, directory)) is not None:
        missing = _NO_WHEEL.search(output)
        name = package_name(missing[1]) if missing else ""
        if missing is None or pins.get(name) != missing[1]:
            _refuse(target, requirements, output)
        del pins[name]


def _pip(
    target: Target, requirements: Requirements, pins: Mapping[str, str], directory: Path
) -> str | None:
    """Run pip; return what it has said if it failed."""
    ours = {**own_requirements(), **pins}
    theirs = [] if requirements.path is None else ["-r", os.fspath(requirements.path)]
    launch = [sys.executable, "-P", pip_elsewhere.__file__, json.dumps(target.markers)]
    choice = ["--only-binary=:all:", "--implementation=cp", "--python-version"]
    command = [
        *(*launch, "install", *_ALWAYS, "--target", os.fspath(directory)),
        *(*choice, target.python, *(f"--platform={p}" for p in target.platforms)),
        *(*ours.values(), *theirs),
    ]
    settings = {k: v for k, v in os.environ.items() if k not in _UNSET}
    done = subprocess.run(
        command,
        env=settings | _SET,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout if done.returncode else None


def _refuse(target: Target, requirements: Requirements, output: str) -> NoReturn:
    """Raise what pip's words come to."""
    if _OFFLINE.search(output):
        msg = (
            "pip reaches no package index, so there is no package for the function: "
            "check the network, or name a mirror in PIP_INDEX_URL"
        )
        raise CloudError(msg, retryable=True)
    if missing := _NO_WHEEL.search(output):
        msg = (
            f"{missing[1]} has no wheel for {target} (Linux, glibc 2.{_GLIBC}): ask "
            "for a release that has one, or build it and name its directory in "
            "PIP_FIND_LINKS"
        )
        raise UsageError(msg)
    if conflict := _CONFLICT.search(output):
        sides = "; ".join(map(str.strip, conflict[1].splitlines()))
        same = " and ".join(own_pins().values())
        msg = (
            f"the requirements in {requirements.path} contradict each other or "
            f"serverless_dist's, which has {same} because they are installed here: "
            f"{sides}"
        )
        raise UsageError(msg)
    errors = _ERROR.findall(output) or output.strip().splitlines()[-1:]
    msg = f"pip made no package for {target}: {'; '.join(errors)}"
    raise UsageError(msg)
