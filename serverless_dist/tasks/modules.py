"""The modules beside the user's script: their sources travel with the code.

What lies in the directory of the main script, or in the current one if there is no
script, belongs to the user's program and is not installed where workers are. Only what
has been imported travels. A worker that can import a module itself does so.
"""

import importlib.util
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

Modules = Mapping[str, str]
"""Sources by path, relative to where the program is."""

_LONGEST = 1 << 20  # bytes of a source; a longer one is data


def beside_script(modules: Iterable[ModuleType], main: ModuleType | None) -> Modules:
    """Return the sources of those modules that belong to the program.

    Parameters
    ----------
    modules
        What has been imported.
    main
        The main script.
    """
    file = getattr(main, "__file__", None)
    root = Path(file).resolve().parent if file else Path.cwd()
    found: dict[str, str] = {}
    for module in modules:
        path = _source_of(module)
        if module is main or path is None or not path.is_relative_to(root):
            continue
        place = path.relative_to(root)
        if _names(module.__name__, place) and not _is_installed(path):
            found[place.as_posix()] = path.read_text(encoding="utf-8")
    return found


def install(modules: Modules) -> None:
    """Make modules importable that are not, for as long as this process lives."""
    missing = {
        place: source
        for place, source in modules.items()
        if importlib.util.find_spec(_top(place)) is None or _is_ours(place)
    }
    for place, source in missing.items():
        path = Path(_directory().name) / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    if missing:
        importlib.invalidate_caches()


def _source_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return None
    path = Path(file)
    try:
        return path.resolve() if path.stat().st_size <= _LONGEST else None
    except OSError:
        return None


def _names(module: str, place: Path) -> bool:
    """Return whether a module of that name is imported from that place."""
    parts = place.with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return module == ".".join(parts)


def _is_installed(path: Path) -> bool:
    places = {sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")}
    return any(path.is_relative_to(Path(place).resolve()) for place in places)


def _top(place: str) -> str:
    return place.partition("/")[0].removesuffix(".py")


def _is_ours(place: str) -> bool:
    """Return whether this was installed here before, perhaps with other sources."""
    has_some = _directory.cache_info().currsize
    return bool(has_some) and (Path(_directory().name) / place).exists()


@cache
def _directory() -> "tempfile.TemporaryDirectory[str]":
    """Return a directory to import from; it lives as long as this process."""
    directory = tempfile.TemporaryDirectory(prefix="serverless-dist-modules-")
    sys.path.append(directory.name)
    return directory
