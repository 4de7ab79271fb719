"""The zip that a function is made of: what its ranks import.

From the wheels that pip unpacks for the function's Python and processor, what no rank
needs is left out: tests, descriptions of AWS services that are not used, scripts.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from serverless_dist.cloud.limits import LAMBDA_PACKAGE_BYTES, LAMBDA_PYTHONS
from serverless_dist.errors import UsageError
from serverless_dist.runtime.archive import (
    add_tree,
    compile_tree,
    copy_tree,
    tree_sizes,
    zip_sizes,
)
from serverless_dist.runtime.requirements import (
    Requirements,
    own_pins,
    own_requirements,
    read_requirements,
)
from serverless_dist.runtime.wheel_cache import WheelCache, cache_directory
from serverless_dist.runtime.wheels import Target, unpack_wheels

_PACKAGE = "serverless_dist"
_FORMAT = 1  # of what is kept; another one when other files are left out
_SERVICES = frozenset({"lambda", "s3", "sns", "sqs", "sts"})  # that ranks call
_AWS = frozenset({"boto3", "botocore"})
_TESTED = ("numpy", "scipy")  # whose tests and type stubs are large, and only that
# What pip notes about this machine. It differs between machines, and counts nowhere.
_NOTES = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"})
_INDEXES = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"),
    *("PIP_CONSTRAINT", "PIP_PRE", "PIP_CONFIG_FILE"),
)
_SPARE = 30 * 1_048_576  # bytes for what is not from wheels, where modules are compiled
_MB = 1_048_576  # as Lambda counts
_LARGEST = 5  # parts that an error names


@dataclass(frozen=True, slots=True)
class Package:
    """A zip for a function.

    Attributes
    ----------
    path, digest, size
        The file, its SHA-256 in hexadecimal digits, and its bytes.
    unzipped, parts
        The bytes of the files in it, and of each name at its top.
    versions
        Of Python and of the packages that have to be the same here and there.
    """

    path: Path
    digest: str
    size: int
    unzipped: int
    parts: Mapping[str, int]
    versions: Mapping[str, str]


def check_python(python: str) -> None:
    """Raise a `UsageError` unless functions can run this version of Python.

    >>> check_python("3.13")
    """
    if python not in LAMBDA_PYTHONS:
        *most, last = LAMBDA_PYTHONS
        known = f"{', '.join(most)} or {last}"
        msg = (
            f"Lambda does not run Python {python}: use Python {known}, here too, since "
            "what one version pickles another one may not unpickle"
        )
        raise UsageError(msg)


def build_package(
    directory: Path,
    *,
    python: str,
    architecture: str,
    requirements: Path | None = None,
    include: Sequence[Path] = (),
    on_progress: Callable[[str], None] | None = None,
) -> Package:
    """Make a function's zip in a directory; the same inputs make the same bytes.

    Wheels are those for the function's machine, whatever this one is. Releases that
    the requirements leave open are chosen once: the cache (``serverless-dist/packages``
    below ``XDG_CACHE_HOME``) keeps them until a requirement changes.

    Of AWS's services boto3 knows those that ranks use, and all of them if the
    requirements name boto3. Modules are compiled where this Python is the function's.

    Parameters
    ----------
    directory
        Where the zip is put; made if there is none.
    python, architecture
        What the function runs: ``"3.13"``, and ``"x86_64"`` or ``"arm64"``.
    requirements
        A requirements file of what the user's code imports besides.
    include
        Modules and packages of the user's own: files and directories, each importable
        by its own name.
    on_progress
        Is told in words what is being done.

    Raises
    ------
    UsageError
        A file is missing, two parts have one name, something has no wheel, or all is
        larger than the 250 MB, unzipped, that a function may have. (The 50 MB for
        zips are for direct uploads; a package goes through S3.)
    CloudError
        No package index can be reached.
    """
    report = on_progress or _ignore
    target = Target(python, architecture)
    wanted = read_requirements(requirements)
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=directory, prefix=".") as name:
        scratch, draft = Path(name), Path(name) / "zip"
        own = _own_tree(scratch / "own", include)
        _add_wheels(draft, target, wanted, scratch, report)
        _check_names(own, zip_sizes(draft))
        if target.is_this_python:
            compile_tree(own)
        _check_size(Counter(zip_sizes(draft)) + Counter(tree_sizes(own)), wanted)
        report("Packing serverless_dist and what is included")
        add_tree(draft, own)
        with draft.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        path = directory / f"{digest}.zip"
        draft.replace(path)
    parts = zip_sizes(path)
    size, unzipped = path.stat().st_size, sum(parts.values())
    return Package(path, digest, size, unzipped, parts, _versions(path, python))


def _ignore(_: str) -> None:
    """Tell nobody."""


def _own_tree(tree: Path, include: Sequence[Path]) -> Path:
    """Copy this package and the user's modules into a new directory."""
    tree.mkdir()
    for module in (_PACKAGE, f"{_PACKAGE}.integrations"):  # may lie elsewhere
        spec = find_spec(module)
        places = spec.submodule_search_locations if spec else None
        target = tree.joinpath(*module.split("."))
        if places and not target.is_dir():
            target.unlink(missing_ok=True)  # what a clone without links has of one
            copy_tree(Path(next(iter(places))), target)
    release = version(_PACKAGE)
    about = tree / f"{_PACKAGE}-{release}.dist-info"
    about.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {_PACKAGE}\nVersion: {release}\n"
    (about / "METADATA").write_text(metadata)
    for path in include:
        if not path.exists():
            msg = f"{path}, which is to be included, does not exist"
            raise UsageError(msg)
        target = tree / path.resolve().name
        if target.exists():
            msg = f"{path} cannot be included: there is a {target.name} already"
            raise UsageError(msg)
        copy_tree(path, target)
    return tree


def _add_wheels(
    draft: Path,
    target: Target,
    wanted: Requirements,
    scratch: Path,
    report: Callable[[str], None],
) -> None:
    """Make the zip of all wheels, or take it from the cache."""
    cache, key = WheelCache(cache_directory()), _key(target, wanted)
    if wanted.is_closed and cache.get(key, draft):
        report(f"Wheels for {target} are as they were")
        return
    report(f"Fetching wheels for {target}")
    tree = scratch / "wheels"
    unpack_wheels(target, wanted, tree)
    _prune(tree, whole_aws=bool(_AWS & wanted.names))
    sizes = tree_sizes(tree)
    _check_size(sizes, wanted)
    if target.is_this_python:
        _compile_where_it_fits(tree)
    report(f"Packing {sum(sizes.values()) / _MB:.0f} MB of wheels")
    add_tree(draft, tree)
    if wanted.is_closed:
        cache.put(key, draft)


def _key(target: Target, wanted: Requirements) -> str:
    """Return what the wheels depend on."""
    ours = {**own_requirements(), **own_pins()}
    indexes = {name: os.environ.get(name) for name in _INDEXES}
    compiled = target.is_this_python
    what = [_FORMAT, str(target), ours, wanted.lines, indexes, compiled]
    return json.dumps(what, sort_keys=True)


def _prune(tree: Path, *, whole_aws: bool) -> None:
    """Remove what no rank needs."""
    for path in sorted(tree.rglob("*"), reverse=True):  # what is in a directory first
        name = PurePosixPath(path.relative_to(tree))
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif not _is_needed(name, whole_aws=whole_aws):
            path.unlink()


def _is_needed(name: PurePosixPath, *, whole_aws: bool) -> bool:
    top, *below = name.parts
    if top == "bin" or "__pycache__" in below:
        return False
    if top.endswith(".dist-info"):
        return name.name not in _NOTES
    if top in _TESTED:
        return "tests" not in below and name.suffix != ".pyi"
    if top == "botocore" and below[0] == "data" and len(below) > 2:
        return whole_aws or below[1] in _SERVICES
    return True


def _compile_where_it_fits(tree: Path) -> None:
    compile_tree(tree)
    if sum(tree_sizes(tree).values()) > LAMBDA_PACKAGE_BYTES - _SPARE:
        for path in [*tree.rglob("__pycache__")]:
            shutil.rmtree(path)


def _check_names(own: Path, parts: Mapping[str, int]) -> None:
    taken = sorted(path.name for path in own.iterdir() if path.name in parts)
    if taken:
        msg = (
            f"{taken[0]} cannot be included: a package that ranks need, or that the "
            "requirements ask for, has that name; rename it"
        )
        raise UsageError(msg)


def _check_size(parts: Mapping[str, int], wanted: Requirements) -> None:
    """Raise if a function may not have as much, and tell what is large."""
    total = sum(parts.values())
    if total <= LAMBDA_PACKAGE_BYTES:
        return
    largest = sorted(parts.items(), key=lambda part: -part[1])[:_LARGEST]
    sizes = ", ".join(f"{name} {size / _MB:.1f} MB" for name, size in largest)
    source = wanted.path or "what is included"
    msg = (
        f"the package has {total / _MB:.1f} MB, and a function may have "
        f"{LAMBDA_PACKAGE_BYTES / _MB:.0f} MB: {sizes}; leave out of {source} what "
        "ranks do not import, and have them read large data from S3"
    )
    raise UsageError(msg)


def _versions(archive: Path, python: str) -> Mapping[str, str]:
    """Read the versions that count from what the zip holds."""
    found = {
        name: next(iter(distributions(name=name, path=[os.fspath(archive)]))).version
        for name in (_PACKAGE, *own_pins())
    }
    return {"Python": python, **found}
