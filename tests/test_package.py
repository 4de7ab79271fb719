"""A function's zip: which wheels are taken, what is left out, and that it is kept.

The wheels are tiny ones that the tests write themselves, so no network is needed.
"""

import os
import re
import stat
import tarfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

import serverless_dist
from serverless_dist.cloud.limits import LAMBDA_PYTHONS
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.runtime import package, wheels
from serverless_dist.runtime.archive import compile_tree
from serverless_dist.runtime.package import Package, build_package, check_python
from serverless_dist.runtime.requirements import own_pins, read_requirements
from serverless_dist.runtime.versions import versions
from serverless_dist.runtime.wheel_cache import WheelCache

HERE = versions()["Python"]
OURS = {"boto3", "botocore", "cloudpickle", "msgpack", "numpy", "scipy", "tenacity"}


def write_wheel(
    index: Path,
    name: str,
    version: str = "99",
    *,
    tag: str = "py3-none-any",
    files: Mapping[str, str] | None = None,
    needs: Sequence[str] = (),
) -> None:
    about = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {need}" for need in needs]
    with ZipFile(index / f"{name}-{version}-{tag}.whl", "w") as wheel:
        for path, text in (files or {f"{name}/__init__.py": ""}).items():
            wheel.writestr(path, text)
        wheel.writestr(f"{about}/METADATA", "\n".join(lines) + "\n")
        wheel.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        wheel.writestr(f"{about}/entry_points.txt", f"[console_scripts]\n{name}=x:y\n")
        wheel.writestr(f"{about}/RECORD", "")


def write_ours(index: Path, *, without: str = "") -> None:
    pinned = {name: pin.split("==")[1] for name, pin in own_pins().items()}
    files = {
        "numpy": ("__init__.py", "core/tests/test_a.py", "a.pyi", "testing/a.py"),
        "scipy": ("__init__.py", "tests/__init__.py"),
        "botocore": (
            *("__init__.py", "data/endpoints.json", "tests/kept.py", "kept.pyi"),
            *("data/sqs/2012-11-05/service-2.json.gz", "data/ec2/2016/x.json"),
        ),
    }
    for name in OURS - {without}:
        write_wheel(
            index,
            name,
            pinned.get(name, "99"),
            files={f"{name}/{path}": "" for path in files.get(name, ("__init__.py",))},
            needs=["botocore"] if name == "boto3" else [],
        )


@pytest.fixture(scope="session")
def common_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = tmp_path_factory.mktemp("index")
    write_ours(index)
    return index


@pytest.fixture(autouse=True)
def index(common_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own directory of wheels, besides the one with what ranks need."""
    (mine := tmp_path / "index").mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{common_index} {mine}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return mine


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


@pytest.mark.parametrize(
    "tag",
    [
        "py2.py3-none-any",
        "cp38-abi3-manylinux2014_x86_64",
        "cp313-cp313-manylinux_2_34_x86_64",
        "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp313-cp313-manylinux1_x86_64",
        "py3-none-manylinux_2_28_x86_64",
    ],
)
def test_a_wheel_is_taken_that_lambda_could_run(
    tag: str, tmp_path: Path, index: Path
) -> None:
    write_wheel(index, "compiled", tag=tag)
    assert "compiled" in tops(build(tmp_path, lines="compiled"))


@pytest.mark.parametrize(
    ("architecture", "tag"),
    [
        ("x86_64", "cp313-cp313-macosx_11_0_x86_64"),
        ("x86_64", "cp313-cp313-manylinux_2_35_x86_64"),
        ("x86_64", "cp313-cp313-musllinux_1_2_x86_64"),
        ("x86_64", "cp312-cp312-manylinux_2_17_x86_64"),
        ("arm64", "cp313-cp313-manylinux_2_17_x86_64"),
    ],
)
def test_a_wheel_for_another_machine_is_refused_by_name(
    architecture: str, tag: str, tmp_path: Path, index: Path
) -> None:
    write_wheel(index, "compiled", tag=tag)
    text = f"compiled>=2 has no wheel for Python 3.13 on {architecture} (Linux, glibc"
    with pytest.raises(UsageError, match=re.escape(text)):
        build(tmp_path, architecture=architecture, lines="compiled >= 2")


def test_an_older_release_is_taken_if_only_that_has_a_wheel(
    tmp_path: Path, index: Path
) -> None:
    write_wheel(index, "compiled", "2", tag="cp313-cp313-win_amd64")
    write_wheel(index, "compiled", "1", tag="cp313-cp313-manylinux_2_17_aarch64")
    made = build(tmp_path, architecture="arm64", lines="compiled")
    assert "compiled-1.dist-info" in tops(made)


def test_what_has_only_a_source_distribution_is_refused_by_name(
    tmp_path: Path, index: Path
) -> None:
    with tarfile.open(index / "sourced-1.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("sourced-1/setup.py"), BytesIO())
    write_wheel(index, "user", needs=["sourced>=1"])
    with pytest.raises(UsageError, match="sourced>=1 has no wheel for Python 3.13 on"):
        build(tmp_path, lines="user")


def test_conditions_see_the_functions_machine_and_not_this_one(
    tmp_path: Path, index: Path
) -> None:
    conditions = {
        "arm": "platform_machine == 'aarch64'",
        "intel": "platform_machine == 'x86_64'",
        "mac": "sys_platform == 'darwin'",
        "linux": "sys_platform == 'linux'",
        "future": "python_version >= '3.99'",
    }
    for name in conditions:
        write_wheel(index, name)
    needs = [f"{name}; {condition}" for name, condition in conditions.items()]
    write_wheel(index, "user", needs=needs)
    made = build(tmp_path, python="3.99", architecture="arm64", lines="user")
    assert tops(made) & conditions.keys() == {"arm", "linux", "future"}


def test_requirements_that_contradict_ours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contradict each other") as caught:
        build(tmp_path, lines="numpy==1.0")
    assert own_pins()["numpy"] in str(caught.value)
    assert "requested numpy==1.0" in str(caught.value)


def test_without_a_wheel_of_our_numpy_another_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (other := tmp_path / "other").mkdir()
    write_ours(other, without="numpy")
    write_wheel(other, "numpy", "77")
    monkeypatch.setenv("PIP_FIND_LINKS", str(other))
    assert build(tmp_path).versions["numpy"] == "77"


def test_settings_of_the_users_pip_do_not_lead_files_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    for name in ("PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_QUIET"):
        monkeypatch.setenv(name, "1")
    assert "numpy" in tops(build(tmp_path))
    assert not (tmp_path / "elsewhere").exists()


def test_without_pip_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="has no pip, .* -m ensurepip"):
        build(tmp_path)


def test_without_a_network_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(CloudError, match="pip reaches no package index"):
        build(tmp_path, lines="nowhere")


def test_anything_else_that_pip_says_is_handed_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pip made no package .*Invalid requirement"):
        build(tmp_path, lines="no requirement at all")


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'riscv': say x86_64 or arm64"):
        build(tmp_path, architecture="riscv")


def test_requirements_have_comments_long_lines_and_other_files(
    tmp_path: Path, index: Path
) -> None:
    for name in ("one", "two", "three"):
        write_wheel(index, name)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("-r ../requirements.txt\nthree\n")
    lines = "# all\none >= \\\n  1  # the first\n\ntwo\n-r more/base.txt\n"
    made = build(tmp_path, lines=lines)
    assert tops(made) >= {"one", "two", "three"}
    read = read_requirements(tmp_path / "requirements.txt")
    assert read.names == {"one", "two", "three"}
    assert "# " not in "".join(read.lines)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("-e ./mine", "'-e ./mine' is on this machine only"),
        ("one --hash=sha256:00", "give a file without hashes"),
        ("-r nowhere.txt", "nowhere.txt cannot be read"),
    ],
)
def test_requirements_that_no_package_can_have_are_refused(
    lines: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        build(tmp_path, lines=lines)


def test_a_missing_requirements_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.txt"
    with pytest.raises(UsageError, match="absent.txt cannot be read"):
        build_package(tmp_path, python="3.13", architecture="arm64", requirements=path)


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
def test_a_name_that_is_taken_is_refused(
    name: str, tmp_path: Path, index: Path
) -> None:
    write_wheel(index, "extra", files={"extra.py": ""})
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
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index, "huge", files={"huge/data": "x" * 7_000_000})
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


def test_compiled_modules_never_make_a_package_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "_SPARE", package.LAMBDA_PACKAGE_BYTES)
    made = build(tmp_path, python=HERE)
    assert not [n for n in names(made) if n.startswith("numpy/__pycache__")]


@pytest.mark.parametrize("python", ["3.99", HERE])
def test_the_same_inputs_make_the_same_bytes(
    python: str, tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index, "extra")
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


def test_a_module_that_does_not_compile_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("print 1\n")
    (tmp_path / "good.py").write_text("x = 1\n")
    compile_tree(tmp_path)
    assert len(list(tmp_path.glob("__pycache__/*"))) == 1
    assert (tmp_path / "bad.py").exists()


def test_the_second_package_needs_no_pip(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index, "extra")
    first = build(tmp_path, lines="extra")
    calls = []
    monkeypatch.setattr(package, "unpack_wheels", lambda *what: calls.append(what))
    (module := tmp_path / "mine.py").write_text("")
    assert build(tmp_path, lines="extra  # as before").digest == first.digest
    assert build(tmp_path, lines="extra", include=[module]).digest != first.digest
    assert not calls
    with pytest.raises(FileNotFoundError):
        build(tmp_path, lines="extra>=1")  # as nothing was unpacked
    assert len(calls) == 1


def test_what_a_line_does_not_tell_is_not_kept(tmp_path: Path, index: Path) -> None:
    lines = f"{index}/extra-99-py3-none-any.whl"
    for text in ("old", "new"):
        write_wheel(index, "extra", files={"extra/text": text})
        with ZipFile(build(tmp_path, lines=lines).path) as zipped:
            assert zipped.read("extra/text") == text.encode()


def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    first = build(tmp_path)
    [entry] = (tmp_path / "cache/serverless-dist/packages").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2])
    assert build(tmp_path).digest == first.digest
    assert entry.read_bytes() == whole


def test_an_interruption_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, out = tmp_path / "cache/serverless-dist/packages", tmp_path / "out"

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


def test_two_may_make_packages_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda _: build(tmp_path), range(2)))
    assert made[0] == made[1]
    assert len(list((tmp_path / "out").iterdir())) == 1


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
