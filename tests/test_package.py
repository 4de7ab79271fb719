"""A function's zip: what it holds, what is left out, and that it is kept."""

import os
import re
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest

import serverless_dist
from serverless_dist.cloud.limits import LAMBDA_PACKAGE_BYTES, LAMBDA_PYTHONS
from serverless_dist.errors import UsageError
from serverless_dist.runtime import package
from serverless_dist.runtime.archive import add_tree, compile_tree
from serverless_dist.runtime.package import Package, build_package, check_python
from serverless_dist.runtime.versions import versions
from serverless_dist.runtime.wheel_cache import WheelCache
from tests.wheel_index import OURS, use_only, write_ours, write_wheel

HERE = versions()["Python"]


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all tests may share: wheels that ranks need, and a cache."""
    common = tmp_path_factory.mktemp("common")
    (common / "index").mkdir()
    write_ours(common / "index")
    return common


@pytest.fixture(autouse=True)
def index(common: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(common / "cache"))
    use_only(monkeypatch, common / "index")
    return common / "index"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that this test alone uses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/serverless-dist/packages"


@pytest.fixture
def more(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of more wheels that this test alone uses."""
    (more := tmp_path / "more").mkdir()
    use_only(monkeypatch, index, more)
    return more


def build(
    directory: Path,
    *,
    python: str = "3.13",
    architecture: str = "x86_64",
    lines: str | None = None,
    include: Sequence[Path] = (),
) -> Package:
    requirements = None
    if lines is not None:
        directory.mkdir(exist_ok=True)
        (requirements := directory / "requirements.txt").write_text(lines)
    return build_package(
        directory / "out",
        python=python,
        architecture=architecture,
        requirements=requirements,
        include=include,
    )


def names(made: Package) -> set[str]:
    with ZipFile(made.path) as zipped:
        return set(zipped.namelist())


def tops(made: Package) -> set[str]:
    return {name.split("/")[0] for name in names(made)}


def test_a_package_has_what_ranks_import_and_tells_its_versions(tmp_path: Path) -> None:
    made = build(tmp_path)
    folders = {top for top in tops(made) if not top.endswith(".dist-info")}
    assert folders == {*OURS, "serverless_dist"} == {*made.parts} & folders
    assert made.versions == {**versions(), "Python": "3.13"}
    assert made.path.name == f"{made.digest}.zip"
    with ZipFile(made.path) as zipped:
        assert zipped.testzip() is None
        assert made.unzipped == sum(info.file_size for info in zipped.infolist())
    assert made.size == made.path.stat().st_size


def test_all_of_serverless_dist_is_in_it_also_what_a_link_leads_to(
    tmp_path: Path,
) -> None:
    there = names(build(tmp_path))
    home = Path(serverless_dist.__file__).parent
    modules = {p.relative_to(home.parent).as_posix() for p in home.rglob("*.py")}
    assert modules <= there
    assert "serverless_dist/integrations/mpi_scripts.py" in there
    assert "serverless_dist/py.typed" in there


def test_what_no_rank_needs_is_left_out(tmp_path: Path) -> None:
    there = names(build(tmp_path))
    assert "numpy/testing/a.py" in there
    assert "botocore/data/endpoints.json" in there
    assert "botocore/data/sqs/2012-11-05/service-2.json.gz" in there
    assert "botocore/data/ec2/2016/x.json" not in there
    assert not [n for n in there if n.startswith("bin/") or n.endswith("/RECORD")]
    left = {"botocore/tests/kept.py", "botocore/kept.pyi"}
    assert {n for n in there if "/tests/" in n or n.endswith(".pyi")} == left


def test_who_asks_for_boto3_gets_all_services(tmp_path: Path) -> None:
    made = build(tmp_path, lines="Boto3 >= 1\n")
    assert "botocore/data/ec2/2016/x.json" in names(made)


def test_modules_are_compiled_only_where_this_python_is_the_functions(
    tmp_path: Path,
) -> None:
    (module := tmp_path / "mine.py").write_text("x = 1\n")
    for python in ("3.99", HERE):
        made = build(tmp_path, python=python, include=[module])
        compiled = {n.rpartition("/")[0] for n in names(made) if n.endswith(".pyc")}
        wanted = {"__pycache__", "numpy/__pycache__", "serverless_dist/__pycache__"}
        assert wanted & compiled == (wanted if python == HERE else set())


def test_modules_packages_and_namespaces_can_be_included(tmp_path: Path) -> None:
    (module := tmp_path / "alone.py").write_text("x = 1\n")
    (inner := tmp_path / "space" / "inner").mkdir(parents=True)
    (inner / "__init__.py").write_text("")
    (inner / "data.bin").write_bytes(b"\0" * 10)
    (inner / "run.sh").write_text("")
    (inner / "run.sh").chmod(0o700)
    (inner / ".git").mkdir()
    (inner / ".git" / "secret").write_text("")
    (inner / "__pycache__").mkdir()
    (inner / "__pycache__" / "old.pyc").write_text("")
    (inner / "loop").symlink_to(tmp_path / "space")
    (inner / "nowhere").symlink_to(tmp_path / "absent")
    (inner / "linked.py").symlink_to(module)
    made = build(tmp_path, include=[module, tmp_path / "space"])
    expected = {"__init__.py", "data.bin", "run.sh", "linked.py"}
    assert {n for n in names(made) if n.startswith("space/")} == {
        f"space/inner/{name}" for name in expected
    }
    assert "alone.py" in names(made)
    with ZipFile(made.path) as zipped:
        rights = {i.filename: i.external_attr >> 16 for i in zipped.infolist()}
    assert rights["space/inner/run.sh"] == stat.S_IFREG | 0o755
    assert rights["alone.py"] == stat.S_IFREG | 0o644


@pytest.mark.parametrize("name", ["numpy", "serverless_dist", "twice", "extra.py"])
def test_a_name_that_is_taken_is_refused(name: str, tmp_path: Path, more: Path) -> None:
    write_wheel(more, "extra", files={"extra.py": ""})
    for parent in ("a", "b"):
        for taken in ("numpy", "serverless_dist", "twice", "extra.py"):
            (tmp_path / parent / taken).mkdir(parents=True, exist_ok=True)
            (tmp_path / parent / taken / "x").write_text("")
    paths = [tmp_path / "a" / name]
    if name == "twice":
        paths.append(tmp_path / "b" / name)
    with pytest.raises(UsageError, match=f"{name} cannot be included"):
        build(tmp_path, lines="extra", include=paths)


def test_what_is_included_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.py, which .* does not exist"):
        build(tmp_path, include=[tmp_path / "absent.py"])


def test_a_package_that_is_too_large_names_its_largest_parts(
    tmp_path: Path, more: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(more, "huge", files={"huge/data": "x" * 7_000_000})
    (mine := tmp_path / "mine").mkdir()
    (mine / "data").write_bytes(b"x" * 5_000_000)
    monkeypatch.setattr(package, "LAMBDA_PACKAGE_BYTES", 11 * 1_048_576)
    text = (
        r"has \d+\.\d MB, and a function may have 11 MB: "
        r"huge 6\.7 MB, .*mine 4\.8 MB.*; leave out of .*requirements\.txt"
    )
    with pytest.raises(UsageError, match=text):
        build(tmp_path, lines="huge", include=[mine])
    monkeypatch.setattr(package, "LAMBDA_PACKAGE_BYTES", 6 * 1_048_576)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    with pytest.raises(UsageError, match=r"a function may have 6 MB: huge 6\.7 MB"):
        build(tmp_path, lines="huge")
    assert not (tmp_path / "empty").exists()  # nothing was packed in vain


@pytest.mark.usefixtures("own_cache")
def test_compiled_modules_never_make_a_package_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "_SPARE", LAMBDA_PACKAGE_BYTES)
    made = build(tmp_path, python=HERE)
    assert not [n for n in names(made) if n.startswith("numpy/__pycache__")]


@pytest.mark.parametrize("python", ["3.99", HERE])
def test_the_same_inputs_make_the_same_bytes(
    python: str, tmp_path: Path, more: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(more, "extra")
    made = []
    for place, umask in (("a", 0o022), ("b", 0o077)):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches" / place))
        before = os.umask(umask)
        try:
            (mine := tmp_path / place / "mine").mkdir(parents=True)
            for name in ("x", "y", "z") if place == "a" else ("z", "y", "x"):
                (mine / f"{name}.py").write_text(f"{name} = {{'a', 'b', {name!r}}}\n")
            made.append(
                build(tmp_path / place, python=python, lines="extra", include=[mine])
            )
        finally:
            os.umask(before)
    assert made[0].digest == made[1].digest
    assert made[0].path.read_bytes() == made[1].path.read_bytes()
    (tmp_path / "b" / "mine" / "x.py").write_text("x = 2\n")
    again = build(tmp_path / "b", python=python, lines="extra", include=[mine])
    assert again.digest != made[0].digest


def test_files_are_packed_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tree := tmp_path / "tree").mkdir()
    for number in range(33):
        (tree / f"{number * 7 % 33:02}").write_text("")
    add_tree(tmp_path / "zip", tree)
    with ZipFile(tmp_path / "zip") as zipped:
        assert zipped.namelist() == sorted(zipped.namelist())


def test_a_module_that_does_not_compile_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("print 1\n")
    (tmp_path / "good.py").write_text("x = 1\n")
    compile_tree(tmp_path)
    assert len(list(tmp_path.glob("__pycache__/*"))) == 1
    assert (tmp_path / "bad.py").exists()


def test_the_second_package_needs_no_pip(
    tmp_path: Path, more: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(more, "extra")
    first = build(tmp_path, lines="extra")
    calls = []
    monkeypatch.setattr(package, "unpack_wheels", lambda *what: calls.append(what))
    (module := tmp_path / "mine.py").write_text("")
    assert build(tmp_path, lines="extra  # as before").digest == first.digest
    assert build(tmp_path, lines="extra", include=[module]).digest != first.digest
    assert not calls
    with pytest.raises(StopIteration):
        build(tmp_path, lines="extra>=1")  # as nothing was unpacked
    assert len(calls) == 1


def test_what_a_line_does_not_tell_is_not_kept(tmp_path: Path, more: Path) -> None:
    lines = f"{more}/extra-99-py3-none-any.whl"
    for text in ("old", "new"):
        write_wheel(more, "extra", files={"extra/text": text})
        with ZipFile(build(tmp_path, lines=lines).path) as zipped:
            assert zipped.read("extra/text") == text.encode()


def test_a_damaged_entry_is_made_again(tmp_path: Path, own_cache: Path) -> None:
    first = build(tmp_path)
    [entry] = own_cache.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2])
    assert build(tmp_path).digest == first.digest
    assert entry.read_bytes() == whole


def test_an_interruption_leaves_nothing_behind(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, out = own_cache, tmp_path / "out"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for module, step in ((package, "unpack_wheels"), (package, "add_tree")):
        with monkeypatch.context() as patch:
            patch.setattr(module, step, interrupt)
            with pytest.raises(KeyboardInterrupt):
                build(tmp_path)
        assert not list(out.iterdir())
        assert not cache.exists()
    with monkeypatch.context() as patch:
        patch.setattr("serverless_dist.runtime.wheel_cache.shutil.copyfile", interrupt)
        with pytest.raises(KeyboardInterrupt):
            WheelCache(cache).put("key", tmp_path)
    assert not list(cache.iterdir())
    build(tmp_path)
    assert len(list(out.iterdir())) == len(list(cache.iterdir())) == 1


@pytest.mark.usefixtures("own_cache")
def test_two_may_make_packages_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda _: build(tmp_path), range(2)))
    assert made[0] == made[1]
    assert len(list((tmp_path / "out").iterdir())) == 1


@pytest.mark.usefixtures("own_cache")
def test_a_cache_that_cannot_be_written_to_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a directory")
    assert "numpy" in tops(build(tmp_path))


def test_entries_that_nobody_uses_are_dropped(tmp_path: Path) -> None:
    cache = WheelCache(tmp_path / "kept")
    with ZipFile(source := tmp_path / "source", "w") as zipped:
        zipped.writestr("x", "x")
    for key in ("old", "used"):
        cache.put(key, source)
    (tmp_path / "kept" / "killed").mkdir()
    for path in (tmp_path / "kept").iterdir():
        os.utime(path, (0, 0))
    assert cache.get("used", tmp_path / "copy")
    cache.put("new", source)
    found = [cache.get(key, tmp_path / "copy") for key in ("old", "used", "new")]
    assert found == [False, True, True]
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert repr(cache) == f"<WheelCache 2 entries in {tmp_path / 'kept'}>"


@pytest.mark.parametrize("python", LAMBDA_PYTHONS)
def test_functions_run_the_versions_that_lambda_has(python: str) -> None:
    check_python(python)


@pytest.mark.parametrize("python", ["3.11", "3.15", "3", "", "3.13.1"])
def test_other_versions_are_refused_with_what_to_do(python: str) -> None:
    text = f"does not run Python {python}: use Python 3.12, 3.13 or 3.14, here too"
    with pytest.raises(UsageError, match=re.escape(text)):
        check_python(python)
