"""Scripts that know only mpi4py, as ranks of ours; and how they end."""

import importlib.util
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

import serverless_dist as sd
from serverless_dist import MPI, Communicator
from serverless_dist.cli import main
from serverless_dist.comm.abort import abort
from serverless_dist.integrations import mpi_scripts

without_mpi4py = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is not None, reason="mpi4py is installed"
)
TEXT_OF_SUM = b"cmpi4py.MPI\nSUM\n."  # the pickle of MPI.SUM by name


@pytest.fixture(autouse=True)
def _import_state_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = mpi_scripts.__name__
    others = [finder for finder in sys.meta_path if type(finder).__module__ != ours]
    monkeypatch.setattr(sys, "meta_path", others)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mpi4py"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def installed_mpi4py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package like mpi4py's wheel, whose MPI cannot be loaded without a library."""
    package = tmp_path / "site" / "mpi4py"
    (package / "util").mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import sys\n"
        "__version__ = '9.9'\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path, target=None):\n"
        "        if name == 'mpi4py.MPI':\n"
        "            raise RuntimeError('cannot load MPI library')\n"
        "sys.meta_path.append(Finder)\n"
    )
    (package / "MPI.py").write_text("raise RuntimeError('cannot load MPI library')\n")
    (package / "util" / "__init__.py").write_text("")
    (package / "util" / "pkl5.py").write_text("from .. import MPI\n")
    monkeypatch.syspath_prepend(os.fspath(package.parent))
    return package


def run_script(
    capfd: pytest.CaptureFixture[str], folder: Path, text: str, *arguments: str
) -> tuple[int, str, str]:
    """Run a script on two ranks; return exit code, output and errors."""
    script = folder / "script.py"
    script.write_text(text)
    options = ["run", "-n", "2", "--channel", "direct", os.fspath(script)]
    code = main([*options, *arguments])
    captured = capfd.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    "text",
    [
        "from mpi4py import MPI",
        "import mpi4py.MPI as MPI",
        "import mpi4py.MPI; MPI = mpi4py.MPI",
        "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI",
        "import mpi4py; mpi4py.rc(threads=False); from mpi4py import MPI",
        "from mpi4py import rc; rc.finalize = False; from mpi4py import MPI",
        "import mpi4py.rc; mpi4py.rc.threads = False; from mpi4py import MPI",
    ],
)
@without_mpi4py
def test_every_way_to_import_mpi_gives_ours(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mpi_scripts.install()
    names: dict[str, object] = {}
    exec(text, names)
    assert names["MPI"] is MPI


def test_a_script_that_knows_only_mpi4py_runs(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = (
        "import sys\n"
        "from mpi4py import MPI\n"
        "total = MPI.COMM_WORLD.allreduce(MPI.COMM_WORLD.Get_rank() + 1, op=MPI.SUM)\n"
        "if MPI.COMM_WORLD.Get_rank() == 0:\n"
        "    print(__name__, total, *sys.argv[1:])\n"
    )
    code, out, err = run_script(capfd, tmp_path, text, "-n", "x")
    assert (code, out, err) == (0, "__main__ 3 -n x\n", "")


def test_the_rest_of_an_installed_mpi4py_is_its_own_on_our_mpi(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, installed_mpi4py: Path
) -> None:
    text = (
        "import mpi4py, serverless_dist\n"
        "from mpi4py.util import pkl5\n"
        "assert pkl5.MPI is serverless_dist.MPI\n"
        "if pkl5.MPI.COMM_WORLD.rank == 0:\n"
        "    print(mpi4py.__version__, mpi4py.__file__)\n"
    )
    code, out, err = run_script(capfd, tmp_path, text)
    assert (code, out, err) == (0, f"9.9 {installed_mpi4py / '__init__.py'}\n", "")


@without_mpi4py
def test_a_part_of_mpi4py_that_is_not_there_is_named_with_its_remedy() -> None:
    mpi_scripts.install()
    with pytest.raises(ImportError, match=r"mpi4py\.futures .* pip install mpi4py"):
        importlib.import_module("mpi4py.futures")
    with pytest.raises(TypeError, match="no setting 'colour'"):
        importlib.import_module("mpi4py").rc(colour="blue")
    with pytest.raises(NotImplementedError, match="no C headers"):
        importlib.import_module("mpi4py").get_include()
    assert importlib.import_module("mpi4py").get_config() == {}


def test_a_name_that_an_installed_mpi4py_lacks_is_an_ordinary_mistake(
    installed_mpi4py: Path,
) -> None:
    mpi_scripts.install()
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'mpi4py\.nothing'"):
        importlib.import_module("mpi4py.nothing")


def test_what_was_pickled_by_mpi4pys_name_is_ours() -> None:
    mpi_scripts.install()
    assert pickle.loads(TEXT_OF_SUM) is MPI.SUM


def test_what_a_script_pickles_needs_no_name_of_mpi4pys() -> None:
    mpi_scripts.install()
    text = pickle.dumps(importlib.import_module("mpi4py.MPI").SUM)
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer)(2, 3))"
    done = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True)
    assert done.stdout == b"5\n"


def test_to_install_twice_is_as_good_as_once() -> None:
    before = len(sys.meta_path)
    mpi_scripts.install()
    finders = list(sys.meta_path)
    mpi_scripts.install()
    assert sys.meta_path == finders
    assert len(finders) == before + 2
    assert importlib.import_module("mpi4py.MPI") is MPI
    mpi_scripts.install()


def test_another_mpi_that_is_loaded_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", ModuleType("mpi4py.MPI"))
    with pytest.raises(sd.UsageError, match=r"another mpi4py\.MPI is loaded"):
        mpi_scripts.install()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_module_runs_as_python_m_would_run_it(
    capfd: pytest.CaptureFixture[str], package: Path
) -> None:
    path = package / "first.py"
    path.write_text(
        "import sys\n"
        "from mpi4py import MPI\n"
        "if MPI.COMM_WORLD.rank == 1:\n"
        "    print(__name__, __spec__.name, *sys.argv)\n"
    )
    options = ["--channel", "direct", "-n", "2"]
    assert main(["run", *options, "-m", "programs.first", "-n", "x"]) == 0
    assert capfd.readouterr().out == f"__main__ programs.first {path} -n x\n"


def test_a_module_that_fails_shows_its_own_traceback(
    capfd: pytest.CaptureFixture[str], package: Path
) -> None:
    (package / "__main__.py").write_text("1 / 0\n")
    assert main(["run", "-n", "1", "--channel", "direct", "-m", "programs"]) == 1
    errors = capfd.readouterr().err
    assert "rank 0 raised ZeroDivisionError: division by zero" in errors
    assert "__main__.py" in errors
    assert "mpi_scripts" not in errors
    assert "runpy" not in errors


@pytest.mark.parametrize("arguments", [[], ["-m"]], ids=str)
def test_there_has_to_be_something_to_run(
    capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["run", *arguments]) == 2
    assert "name a script, or a module after -m" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("statement", "code", "message"),
    [
        ("sys.exit(3)", 3, "rank 1 exited with code 3"),
        ("sys.exit(True)", 1, "rank 1 exited with code 1"),
        ("sys.exit(256)", 1, "rank 1 exited with code 256"),
        ("sys.exit('no more')", 1, "rank 1 exited: no more"),
        ("sys.exit(False)", 0, ""),
        ("1 / 0", 1, "rank 1 raised ZeroDivisionError"),
    ],
)
def test_the_exit_code_is_that_of_the_rank_that_failed(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    statement: str,
    code: int,
    message: str,
) -> None:
    text = (
        "import sys\n"
        "from mpi4py import MPI\n"
        "print('I am there')\n"
        "MPI.COMM_WORLD.barrier()\n"
        "if MPI.COMM_WORLD.rank == 1:\n"
        f"    {statement}\n"
    )
    ended, out, err = run_script(capfd, tmp_path, text)
    assert ended == code
    assert out == "I am there\n" * 2
    assert message in err
    assert err.count("Traceback") == ("1 / 0" in statement)


def test_a_rank_that_leaves_ends_those_that_wait_for_it() -> None:
    def leave(comm: Communicator) -> None:
        if comm.rank == 1:
            sys.exit(4)
        comm.recv(source=1)

    with pytest.raises(sd.RankError, match="rank 1 exited with code 4") as caught:
        sd.run(leave, ranks=3, channel="direct", timeout=60.0)
    assert isinstance(caught.value.__cause__, SystemExit)
    assert caught.value.__cause__.code == 4


def abort_from_thread(comm: Communicator) -> None:
    if comm.rank == 1:
        sys.stdout.write("said before")
        threading.Thread(target=abort, args=[5]).start()
    comm.recv(source=1 - comm.rank)


def test_abort_ends_all_ranks_from_any_thread(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(sd.RankError) as caught:
        sd.run(abort_from_thread, ranks=2, channel="direct", timeout=60.0)
    assert str(caught.value) == "rank 1 called Abort(5)"
    assert isinstance(caught.value.__cause__, SystemExit)
    assert caught.value.__cause__.code == 5
    assert "said before" in capfd.readouterr().out


def test_abort_without_other_ranks_ends_the_process() -> None:
    code = (
        "from serverless_dist.comm.abort import abort\n"
        "try:\n"
        "    print('said before', end='')\n"
        "    abort(7)\n"
        "finally:\n"
        "    print('never said')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (done.returncode, done.stdout) == (7, b"said before")


def test_a_thread_that_never_ends_does_not_hold_up_a_run() -> None:
    def leave_thread(comm: Communicator) -> int:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return comm.rank

    assert sd.run(leave_thread, ranks=2, channel="direct") == [0, 1]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_lines_of_several_ranks_come_whole(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unbuffered: str,
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    text = (
        "from mpi4py import MPI\n"
        "letter = 'ab'[MPI.COMM_WORLD.rank]\n"
        "for _ in range(500):\n"
        "    print(*[letter] * 40)\n"
        "print('the end', end='')\n"
    )
    code, out, _ = run_script(capfd, tmp_path, text)
    assert code == 0
    lines = out.replace("the end", "").splitlines()
    assert sorted(lines) == [" ".join("a" * 40)] * 500 + [" ".join("b" * 40)] * 500
    assert out.count("the end") == 2
