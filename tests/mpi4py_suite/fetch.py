"""mpi4py's source distribution, which carries its test suite, in a cache."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "4.1.2"
SHA256 = "56860286dc45f20e8821e93cb06669e30462348bf866f685553fa4b712d58d02"
NAME = f"mpi4py-{VERSION}"


class UnreachableError(Exception):
    """The package registry could not be reached."""


def fetch(cache: Path) -> Path:
    """Return the folder of the unpacked distribution in `cache`.

    Raises
    ------
    UnreachableError
        The distribution is not in the cache, and the registry did not give it.
    """
    unpacked = cache / NAME
    if unpacked.is_dir():
        return unpacked
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        archive = _download(Path(scratch))
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        # Whoever else fetches it at the same time has the same files.
        shutil.rmtree(unpacked, ignore_errors=True)
        (Path(scratch) / NAME).rename(unpacked)
    return unpacked


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-binary", "mpi4py"]
    command += ["--dest", os.fspath(folder), f"mpi4py=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True)
    archive = folder / f"{NAME}.tar.gz"
    if done.returncode or not archive.is_file():
        lines = done.stderr.strip().splitlines() or ["pip said nothing"]
        msg = f"pip could not download {NAME}: {lines[-1]}"
        raise UnreachableError(msg)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        msg = f"{archive.name} has the SHA-256 {digest}, not {SHA256}"
        raise ValueError(msg)
    return archive
