"""MPI scripts that say ``from mpi4py import MPI``, run on our communicator unchanged.

1. `mpi4py.MPI` is `serverless_dist.MPI`, the same module under another name, whether
   mpi4py is installed or not. Its extension module and an MPI library are not needed.
2. Where mpi4py is installed, the rest of it is its own: `mpi4py.futures` and other
   parts in pure Python work on top of our `MPI`.
3. Where it is not, a package `mpi4py` with `MPI`, `rc` and a version stands in for it.
4. Where ranks do not have the user's files, a script travels to them with those modules
   beside it that it imports.
"""

import os
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from modulefinder import ModuleFinder
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from serverless_dist import MPI, Communicator, UsageError

VERSION = "4.1.2"  # of mpi4py, whose names and signatures ours are
_PACKAGE, _MODULE, _SETTINGS = "mpi4py", "mpi4py.MPI", "mpi4py.rc"


class _Settings:
    """mpi4py's settings: they can be read and set, and change nothing here."""

    def __init__(self) -> None:
        self.initialize = True
        self.threads = True
        self.thread_level = "multiple"
        self.finalize: bool | None = None
        self.fast_reduce = True
        self.recv_mprobe = True
        self.irecv_bufsz = 32_768
        self.errors = "exception"

    def __call__(self, **settings: Any) -> None:
        """Set several; raise a `TypeError` if there is one that mpi4py lacks."""
        for name in settings:
            if name not in vars(self):
                msg = f"mpi4py.rc has no setting {name!r}"
                raise TypeError(msg)
        vars(self).update(settings)


class _ModuleFinder(MetaPathFinder, Loader):
    """Finds `mpi4py.MPI`, before mpi4py's own finder looks for an MPI library."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == _MODULE else None

    def exec_module(self, module: ModuleType) -> None:
        # What a module puts in its own place is what its importers get.
        sys.modules[_MODULE] = MPI


class _PackageFinder(MetaPathFinder, Loader):
    """Stands in for the package `mpi4py` where nobody else has found one."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname == _PACKAGE:
            return ModuleSpec(fullname, self, is_package=True)
        package, _, name = fullname.partition(".")
        if package == _PACKAGE and self._stands_in():
            msg = (
                f"{_PACKAGE}.{name} is mpi4py's own: pip install mpi4py, and it runs"
                " on this communicator"
            )
            raise ModuleNotFoundError(msg, name=fullname)
        return None

    def _stands_in(self) -> bool:
        spec = getattr(sys.modules.get(_PACKAGE), "__spec__", None)
        return getattr(spec, "loader", None) is self

    def exec_module(self, module: ModuleType) -> None:
        settings = _Settings()
        vars(module).update(
            __version__=VERSION,
            __all__=["MPI"],
            rc=settings,
            get_config=_get_config,
            get_include=_get_include,
        )
        # `import mpi4py.rc` is as good as `from mpi4py import rc`.
        sys.modules[_SETTINGS] = settings  # type: ignore[assignment]


def _get_config() -> dict[str, str]:
    """Return how mpi4py was built: nothing was."""
    return {}


def _get_include() -> str:
    """Refuse: there are no header files."""
    msg = "our mpi4py has no C headers: build against an installed mpi4py and an MPI"
    raise NotImplementedError(msg)


def install() -> None:
    """Answer for the name `mpi4py.MPI` in this process from now on.

    ``serverless-dist run`` does this before the script; twice is as good as once.

    Raises
    ------
    UsageError
        Another `mpi4py.MPI` is loaded already.

    Examples
    --------
    >>> from serverless_dist.integrations import mpi_scripts
    >>> mpi_scripts.install()
    >>> from mpi4py import MPI
    >>> MPI.COMM_WORLD.allreduce(7, op=MPI.SUM)
    7
    """
    if sys.modules.get(_MODULE, MPI) is not MPI:
        msg = f"another {_MODULE} is loaded already: install ours before its import"
        raise UsageError(msg)
    if not any(isinstance(finder, _ModuleFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _ModuleFinder())
        sys.meta_path.append(_PackageFinder())


def run_script(world: Communicator, path: str, arguments: Sequence[str]) -> None:
    """Run the script at `path` as ``python path arguments`` would, on this rank.

    The script finds its communicator as `MPI.COMM_WORLD`.
    """
    __tracebackhide__ = True
    del world
    install()
    sys.argv = [path, *arguments]
    sys.path.insert(0, os.fspath(Path(path).resolve().parent))
    runpy.run_path(path, run_name="__main__")


def copy_script(path: str) -> dict[str, bytes]:
    """Return the script at `path`, and the modules beside it that it imports.

    By their paths, relative to the script's directory; for `run_copied_script`. What a
    script imports only when it runs, by a name that it makes up, is not found.
    """
    directory = Path(path).resolve().parent
    finder = _Finder([os.fspath(directory)])
    with _readable():
        finder.run_script(os.fspath(Path(path).resolve()))
    return _sources(finder, directory)


def copy_module(name: str) -> dict[str, bytes]:
    """Return a module below the current directory, and what it imports from there.

    By their paths, relative to it; for `run_copied_module`. Nothing, if the module is
    not there but installed.
    """
    directory = Path.cwd()
    finder = _Finder([os.fspath(directory)])
    with _readable(), suppress(ImportError):
        finder.import_hook(name)
        with suppress(ImportError):  # of a package, what runs is this
            finder.import_hook(f"{name}.__main__")
    return _sources(finder, directory)


def run_copied_script(
    world: Communicator,
    files: Mapping[str, bytes],
    name: str,
    arguments: Sequence[str],
) -> None:
    """Run a script that `copy_script` has copied, where its own files are not."""
    __tracebackhide__ = True
    with _unpacked(files) as directory:
        run_script(world, os.fspath(directory / Path(name).name), arguments)


def run_copied_module(
    world: Communicator,
    files: Mapping[str, bytes],
    name: str,
    arguments: Sequence[str],
) -> None:
    """Run a module that `copy_module` has copied, where its own files are not."""
    __tracebackhide__ = True
    with _unpacked(files) as directory:
        sys.path.insert(0, os.fspath(directory))
        run_module(world, name, arguments)


class _Finder(ModuleFinder):
    """Finds what a script imports; a folder that is no package is left out."""

    def find_module(self, name: str, path: Any, parent: Any = None) -> Any:
        try:
            return super().find_module(name, path, parent)
        except AttributeError as error:  # which it has for a folder without a module
            raise ImportError(name) from error


@contextmanager
def _readable() -> Iterator[None]:
    """Turn what is wrong with a script's text into the user's mistake."""
    try:
        yield
    except SyntaxError as error:
        msg = f"{error.filename}, line {error.lineno}: {error.msg}"
        raise UsageError(msg) from error


def _sources(finder: ModuleFinder, directory: Path) -> dict[str, bytes]:
    files = [getattr(each, "__file__", None) for each in finder.modules.values()]
    # The built-in ones have none; one in machine code is of this machine.
    found = [Path(file) for file in files if file and file.endswith(".py")]
    paths = [path for path in found if path.is_relative_to(directory)]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


@contextmanager
def _unpacked(files: Mapping[str, bytes]) -> Iterator[Path]:
    """Give a directory with these files; forget after it what was imported from it.

    The next job in this process may have other files of the same names.
    """
    before = list(sys.path), list(sys.argv)
    with TemporaryDirectory(prefix="serverless-dist-script-") as name:
        directory = Path(name).resolve()
        for place, source in files.items():
            path = directory / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source)
        try:
            yield directory
        finally:
            sys.path[:], sys.argv[:] = before
            for module in list(sys.modules):
                file = getattr(sys.modules[module], "__file__", None)
                if isinstance(file, str) and Path(file).is_relative_to(directory):
                    del sys.modules[module]


def run_module(world: Communicator, name: str, arguments: Sequence[str]) -> None:
    """Run a module as ``python -m name arguments`` would, on this rank."""
    __tracebackhide__ = True
    del world
    install()
    sys.argv = [name, *arguments]
    sys.path.insert(0, os.fspath(Path.cwd()))
    runpy.run_module(name, run_name="__main__", alter_sys=True)
