"""The modules beside the user's script: their sources travel with the code.

What lies in the directory of the main script, or of its outermost package, or in the
current one if there is no script, belongs to the user's program and is not installed
where workers are. Only what has been imported travels. A worker that can import a
module itself does so. A module that was edited replaces what an earlier version has
left on a worker.
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
_OWN = __name__.partition(".")[0]  # every worker has it


def beside_script(modules: Iterable[ModuleType], main: ModuleType | None) -> Modules:
    """Return the sources of those modules that belong to the program.

    Parameters
    ----------
    modules
        What has been imported.
    main
        The main script.
    """
    root = _root(main)
    found: dict[str, str] = {}
    for module in modules:
        path = _source_of(module)
        if module is main or path is None or not path.is_relative_to(root):
            continue
        place = path.relative_to(root)
        is_ours = module.__name__.partition(".")[0] == _OWN
        if _names(module.__name__, place) and not _is_installed(path) and not is_ours:
            found[place.as_posix()] = path.read_text("utf-8", "surrogateescape")
    return found


def install(modules: Modules) -> None:
    """Make modules importable that are not, for as long as this process lives."""
    tops = {_top(place) for place in modules}
    missing = {top for top in tops if _is_from_here(top) or not _can_be_imported(top)}
    for place, source in modules.items():
        if _top(place) in missing:
            _write(Path(_directory().name) / place, place, source)
    if missing:
        importlib.invalidate_caches()


def _write(path: Path, place: str, source: str) -> None:
    """Write a source; what was imported from another version of it is forgotten."""
    data = source.encode("utf-8", "surrogateescape")
    if path.exists() and path.read_bytes() != data:
        # One that has the same size and second would pass for it.
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
        sys.modules.pop(_module_at(Path(place)), None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _root(main: ModuleType | None) -> Path:
    """Return where the program's modules are imported from."""
    file = getattr(main, "__file__", None)
    if not file:
        return Path.cwd()
    spec = getattr(main, "__spec__", None)  # of what `python -m` runs
    depth = 0 if spec is None else spec.name.count(".")
    return Path(file).resolve().parents[depth]


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
    return module == _module_at(place)


def _module_at(place: Path) -> str:
    parts = place.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_installed(path: Path) -> bool:
    places = {sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")}
    return any(path.is_relative_to(Path(place).resolve()) for place in places)


def _top(place: str) -> str:
    return place.partition("/")[0].removesuffix(".py")


def _can_be_imported(top: str) -> bool:
    return top in sys.modules or importlib.util.find_spec(top) is not None


def _is_from_here(top: str) -> bool:
    """Return whether something of it was installed here before."""
    has_some = _directory.cache_info().currsize > 0
    return has_some and any(
        (Path(_directory().name) / name).exists() for name in (top, f"{top}.py")
    )


@cache
def _directory() -> "tempfile.TemporaryDirectory[str]":
    """Return a directory to import from; it lives as long as this process."""
    directory = tempfile.TemporaryDirectory(prefix="serverless-dist-modules-")
    sys.path.append(directory.name)
    return directory
