"""Trees of files as zips: the same files always make the same bytes."""

import os
import shutil
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from serverless_dist.errors import UsageError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold
_HOME = "/var/task"  # where Lambda unpacks a function


def copy_tree(source: Path, target: Path) -> None:
    """Copy a file or a directory, and what links in it lead to.

    Left out are hidden files, compiled modules, and links that lead nowhere or back
    to where they are.
    """
    try:
        _copy(source, target, within=())
    except OSError as error:
        msg = f"{source} cannot be put into the package: {error}: leave it out"
        raise UsageError(msg) from error


def _copy(source: Path, target: Path, *, within: tuple[Path, ...]) -> None:
    real = source.resolve()
    if source.is_file():
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    elif source.is_dir() and real not in within:
        target.mkdir()
        for child in source.iterdir():
            if not child.name.startswith(".") and child.name != "__pycache__":
                _copy(child, target / child.name, within=(*within, real))


def compile_tree(tree: Path) -> None:
    """Compile the modules of a tree, for this Python, as they will lie on Lambda.

    A function's files are read-only, so nothing that its first import compiles would
    be kept: without this, each cold start would compile all modules again. A module
    that does not compile stays as it is.
    """
    # In a process of its own: what `marshal` writes depends on what else a process
    # has interned, and the same tree is to give the same bytes.
    command = [sys.executable, "-I", "-m", "compileall", "-qq"]
    where = ["-s", os.fspath(tree), "-p", _HOME, "--invalidation-mode=unchecked-hash"]
    subprocess.run([*command, *where, tree], check=False, capture_output=True)


def tree_sizes(tree: Path) -> Mapping[str, int]:
    """Return how many bytes each part of a tree has, by its name at the top."""
    sizes: Counter[str] = Counter()
    for path in tree.rglob("*"):
        if path.is_file():
            sizes[path.relative_to(tree).parts[0]] += path.stat().st_size
    return sizes


def zip_sizes(archive: Path) -> Mapping[str, int]:
    """Return how many bytes, unpacked, each part of a zip has."""
    sizes: Counter[str] = Counter()
    with ZipFile(archive) as zipped:
        for info in zipped.infolist():
            sizes[info.filename.split("/")[0]] += info.file_size
    return sizes


def add_tree(archive: Path, tree: Path) -> None:
    """Add the files of a tree to a zip, which is made if there is none.

    Owners, times and rights, except that a file can be executed, leave no trace.
    """
    files = {p.relative_to(tree).as_posix(): p for p in tree.rglob("*") if p.is_file()}
    with ZipFile(archive, "a") as zipped:
        for name, path in sorted(files.items()):
            executable = path.stat().st_mode & stat.S_IXUSR
            info = ZipInfo(name, _EPOCH)
            info.create_system = 3  # Unix, so that the rights below count
            info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            info.compress_type = ZIP_DEFLATED
            info.file_size = path.stat().st_size  # larger than 2 GB needs to be known
            with path.open("rb") as source, zipped.open(info, "w") as entry:
                shutil.copyfileobj(source, entry, 1 << 20)
