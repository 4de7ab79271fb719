"""Zips of unpacked wheels, kept by what they were made for, so that pip runs once.

An entry is one file. It is written under another name and renamed, so that nobody
sees a part of one, and read by a copy, so that it can be removed at any time.
"""

import os
import shutil
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

_UNUSED_DAYS = 30  # after which an entry is removed
_DAY = 86_400.0


def cache_directory() -> Path:
    """Return where packages are kept: below ``XDG_CACHE_HOME``, or ``~/.cache``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "serverless-dist" / "packages"


class WheelCache:
    """The zips that were made before.

    It only saves time: a directory that cannot be written to holds nothing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        entries = len(list(self._directory.glob("*.zip")))
        return f"<WheelCache {entries} entries in {self._directory}>"

    def get(self, key: str, path: Path) -> bool:
        """Copy an entry to a path; return whether there is one, and whole."""
        entry = self._entry(key)
        with suppress(OSError, BadZipFile):
            shutil.copyfile(entry, path)
            with ZipFile(path):
                os.utime(entry)
                return True
        path.unlink(missing_ok=True)
        return False

    def put(self, key: str, path: Path) -> None:
        """Keep a copy of a zip, and drop those that nobody has used for a month."""
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            self._sweep(before=time.time() - _UNUSED_DAYS * _DAY)
            with TemporaryDirectory(dir=self._directory) as scratch:
                copy = Path(scratch) / "copy"
                shutil.copyfile(path, copy)
                copy.replace(self._entry(key))

    def _entry(self, key: str) -> Path:
        return self._directory / f"{sha256(key.encode()).hexdigest()}.zip"

    def _sweep(self, *, before: float) -> None:
        for path in self._directory.iterdir():
            if path.stat().st_mtime < before:
                if path.is_dir():  # of somebody who was killed
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
