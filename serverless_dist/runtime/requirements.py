"""What a function's package needs: what the user asks for, and what ranks import."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import requires, version
from pathlib import Path

from serverless_dist.errors import UsageError

_ONLY_HERE = frozenset({"rich"})  # what the command line draws with
# What is pickled here has to be unpickled there by the same release.
_AS_HERE = ("cloudpickle", "numpy")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NESTED = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]*(?P<path>.+)")
_COMMENT = re.compile(r"(^|\s)#.*$")
_EDITABLE = re.compile(r"-e\b|--editable\b")


def package_name(requirement: str) -> str:
    """Return the normal form of the name that a requirement begins with.

    >>> package_name("Typing_Extensions[all]>=4; python_version < '3.13'")
    'typing-extensions'
    """
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def own_requirements() -> Mapping[str, str]:
    """Return what ranks need of other packages, by name, as loosely as they can."""
    wanted = [r for r in requires("serverless_dist") or () if "extra ==" not in r]
    named = {package_name(r): r for r in wanted}
    return {name: named[name] for name in sorted(named) if name not in _ONLY_HERE}


def own_pins() -> Mapping[str, str]:
    """Return those of them that have to be here and there the same, as they are here.

    >>> sorted(own_pins())
    ['cloudpickle', 'numpy']
    """
    return {name: f"{name}=={version(name)}" for name in _AS_HERE}


@dataclass(frozen=True, slots=True)
class Requirements:
    """The user's requirements.

    Attributes
    ----------
    path
        The file they are from; None: there are none.
    lines
        The file without comments, and those that it includes.
    """

    path: Path | None = None
    lines: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The packages that are asked for by name."""
        return frozenset(map(package_name, self.lines)) - {""}

    @property
    def is_closed(self) -> bool:
        """Whether the lines say all: none means a file or another site's branch."""
        options = ("-", "--")
        packages = [line for line in self.lines if not line.startswith(options)]
        return not any(re.search(r"[/\\]|\.whl\b", line) for line in packages)


def read_requirements(path: Path | None) -> Requirements:
    """Read a requirements file as pip does.

    Raises
    ------
    UsageError
        The file, or one that it includes, cannot be read, or asks for what a package
        for another machine cannot have.
    """
    if path is None:
        return Requirements()
    lines = tuple(_lines(path, within=()))
    for line in lines:
        if _EDITABLE.match(line):
            msg = f"{path}: {line!r} is on this machine only: use --include for it"
            raise UsageError(msg)
        if "--hash" in line:
            msg = (
                f"{path}: {line!r} has a hash, and then pip wants one for what "
                "serverless_dist needs too: give a file without hashes"
            )
            raise UsageError(msg)
    return Requirements(path, lines)


def _lines(path: Path, *, within: tuple[Path, ...]) -> Iterator[str]:
    within = (*within, path.resolve())
    if within.count(path.resolve()) > 1:
        msg = f"the requirements file {path} includes itself: remove the line"
        raise UsageError(msg)
    try:
        text = path.read_text("utf-8-sig").replace("\\\n", "")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the requirements file {path} cannot be read: {error}"
        raise UsageError(msg) from error
    for raw in text.splitlines():
        line = _COMMENT.sub("", raw).strip()
        nested = _NESTED.fullmatch(line)
        if line:
            yield line
        if nested and "://" not in line:
            yield from _lines(path.parent / nested["path"].strip(), within=within)
