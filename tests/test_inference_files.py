from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from serverless_dist.errors import DataFileError, UsageError
from serverless_dist.inference import (
    ChallengeNetwork,
    GeneratedNetwork,
    Job,
    load_inputs,
    read_categories,
    read_inputs,
    write_categories,
)

LAYERS = 3


def write_layer(path: Path, layer: int) -> None:
    *_, matrix = GeneratedNetwork(1024, layer).matrices()
    places = matrix.tocoo()
    rows = zip(places.col + 1, places.row + 1, strict=True)
    path.write_text("".join(f"{row}\t{col}\t0.0625\n" for row, col in rows))


def write_images(path: Path, samples: int) -> None:
    images, pixels = np.nonzero(np.unpackbits(load_inputs(1024, samples), axis=1))
    rows = sorted(zip(pixels + 1, images + 1, strict=True))  # as MATLAB would
    path.write_text("".join(f"{image}\t{pixel}\t1\n" for pixel, image in rows))


@pytest.fixture(params=["nested", "flat"])
def official(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "neuron1024" if request.param == "nested" else tmp_path
    folder.mkdir(exist_ok=True)
    for layer in range(1, LAYERS + 1):
        write_layer(folder / f"n1024-l{layer}.tsv", layer)
    write_images(tmp_path / "sparse-images-1024.tsv", samples=30)
    return tmp_path


@pytest.fixture
def compact(tmp_path: Path) -> Path:
    layers = [matrix.tocoo() for matrix in GeneratedNetwork(1024, LAYERS).matrices()]
    np.savez_compressed(
        tmp_path / "graphchallenge-1024x3-weights.npz",
        rows=np.array([layer.col for layer in layers], np.uint16),
        cols=np.array([layer.row for layer in layers], np.uint16),
    )
    np.savez_compressed(
        tmp_path / "graphchallenge-1024-images-30.npz", bits=load_inputs(1024, 30)
    )
    return tmp_path


def check_same_network(directory: Path) -> None:
    expected = GeneratedNetwork(1024, LAYERS).matrices()
    found = Job(1024, LAYERS, directory=directory).network().matrices()
    for one, other in zip(expected, found, strict=True):
        assert abs(one - other).nnz == 0


def test_official_files_are_read_as_they_were_written(official: Path) -> None:
    check_same_network(official)
    assert (read_inputs(official, 1024, 30) == load_inputs(1024, 30)).all()
    assert (read_inputs(official, 1024, 4) == load_inputs(1024, 4)).all()


def test_compact_arrays_are_read_as_they_were_written(compact: Path) -> None:
    check_same_network(compact)
    assert (read_inputs(compact, 1024, 30) == load_inputs(1024, 30)).all()


def test_official_files_go_before_compact_arrays(official: Path) -> None:
    (official / "graphchallenge-1024x3-weights.npz").write_bytes(b"rubbish")
    check_same_network(official)


def read_all(directory: Path) -> None:
    for _ in ChallengeNetwork(directory, 1024, LAYERS).matrices():
        pass


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    write_layer(tmp_path / "n1024-l1.tsv", 1)
    with pytest.raises(DataFileError, match=r"n1024-l2\.tsv is missing"):
        read_all(tmp_path)


@pytest.mark.parametrize(
    "read",
    [
        read_all,
        lambda directory: read_inputs(directory, 1024, 1),
        lambda directory: read_categories(directory, 1024, 120),
    ],
    ids=["network", "inputs", "categories"],
)
def test_an_empty_folder_is_refused(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(DataFileError, match=r"\.tsv is missing: give the folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1\t2", "expected 3 numbers, found 2 words"),
        ("1\t2\t0.5\t7", "expected 3 numbers, found 4 words"),
        ("1\tx\t0.0625", "from 1 to 1024, found 'x'"),
        ("1\t2\tx", "expected a number, found 'x'"),
        ("0\t2\t0.0625", "from 1 to 1024, found '0'"),
        ("1\t1025\t0.0625", "from 1 to 1024, found '1025'"),
        ("1.5\t2\t0.0625", "from 1 to 1024, found '1.5'"),
        ("-1\t2\t0.0625", "from 1 to 1024, found '-1'"),
        ("\xff\t2\t0.0625", "from 1 to 1024"),
    ],
)
@pytest.mark.parametrize("number", [1, 2, 500])
def test_a_malformed_line_is_named(
    line: str, problem: str, number: int, tmp_path: Path
) -> None:
    path = tmp_path / "n1024-l1.tsv"
    lines = ["1\t2\t0.0625"] * 500
    lines[number - 1] = line
    path.write_text("\n".join(lines), encoding="latin-1")
    with pytest.raises(DataFileError, match=f"n1024-l1.tsv, line {number}: ") as caught:
        read_all(tmp_path)
    assert problem in str(caught.value)


def test_the_line_is_right_in_a_file_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "sparse-images-1024.tsv"
    lines = ["1\t2\t1\n"] * 800_000
    lines[799_998] = "1\t2\t2\n"
    path.write_text("".join(lines))
    with pytest.raises(DataFileError, match=r"line 799999: .* from 1 to 1, found '2'"):
        read_inputs(tmp_path, 1024, 1)


def test_blank_lines_and_a_missing_last_newline_are_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "sparse-images-1024.tsv").write_text("1 2 1\n\n2 1024 1")
    pixels = np.unpackbits(read_inputs(tmp_path, 1024, 2), axis=1)
    assert [places.tolist() for places in np.nonzero(pixels)] == [[0, 1], [1, 1023]]


def test_more_samples_than_a_file_has_is_refused(official: Path, compact: Path) -> None:
    for name in ("sparse-images-1024.tsv", "graphchallenge-1024-images-30.npz"):
        with pytest.raises(UsageError, match=f"{name} has 30 inputs, not 31"):
            read_inputs(official, 1024, 31)
        (compact / name).unlink()


def test_more_layers_than_an_archive_has_is_refused(compact: Path) -> None:
    with pytest.raises(DataFileError, match="4 layers or more"):
        next(ChallengeNetwork(compact, 1024, LAYERS + 1).matrices())


def test_an_archive_that_is_none_is_refused(compact: Path) -> None:
    for path in compact.iterdir():
        path.write_bytes(b"rubbish")
    with pytest.raises(DataFileError, match=r"weights\.npz has no readable array"):
        read_all(compact)
    with pytest.raises(DataFileError, match=r"images-30\.npz has no readable array"):
        read_inputs(compact, 1024, 1)


def test_an_archive_with_pickled_objects_is_not_opened(compact: Path) -> None:
    path = compact / "graphchallenge-1024-images-30.npz"
    np.savez(path, bits=np.array([{}], object))
    with pytest.raises(DataFileError, match="no readable array 'bits'"):
        read_inputs(compact, 1024, 1)


def test_an_archive_of_another_shape_is_refused(compact: Path) -> None:
    path = compact / "graphchallenge-1024-images-30.npz"
    np.savez(path, bits=np.zeros((30, 127), np.uint8))
    with pytest.raises(DataFileError, match="images x 128 bytes"):
        read_inputs(compact, 1024, 1)


def test_categories_are_written_one_a_line_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "neuron1024-l120-categories.tsv"
    write_categories(path, np.array([3, 17, 60000]))
    assert path.read_text() == "3\n17\n60000\n"
    assert read_categories(tmp_path, 1024, 120).tolist() == [3, 17, 60000]


def test_no_categories_make_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "neuron1024-l120-categories.tsv"
    write_categories(path, [])
    assert path.read_text() == ""
    assert read_categories(tmp_path, 1024, 120).size == 0


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot write"):
        write_categories(tmp_path / "none" / "file.tsv", [1])
