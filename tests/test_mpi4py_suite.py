"""The runner of mpi4py's suite, on a small suite that needs no registry."""

from pathlib import Path

import pytest

from tests.mpi4py_suite.__main__ import Job, Runner
from tests.mpi4py_suite.outcomes import Expected, Outcome, Result, judge, read_expected

TESTS = """
import threading, unittest
from mpi4py import MPI

rank = MPI.COMM_WORLD.Get_rank()

class TestA(unittest.TestCase):
    def test_passes(self):
        self.assertEqual(MPI.COMM_WORLD.allreduce(1), MPI.COMM_WORLD.Get_size())

    def test_fails_on_one(self):
        self.assertEqual(rank, 0)

    def test_fails_in_part(self):
        for part in range(2):
            with self.subTest(part=part):
                self.assertEqual(part, 0)

    def test_skipped_on_one(self):
        if rank == 1:
            self.skipTest("one is enough")

    @unittest.skip("not here")
    def test_skipped(self):
        pass

class TestHangs(unittest.TestCase):
    def test_hangs(self):
        if rank == 1:
            threading.Event().wait()

    def test_next(self):
        pass

class TestNotSetUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("no set-up")

    def test_it(self):
        pass
"""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    folder = tmp_path / "test"
    folder.mkdir()
    (folder / "arrayimpl.py").write_text("ArrayBackends = []\n")
    (folder / "test_a.py").write_text(TESTS)
    (folder / "test_b.py").write_text(TESTS.replace("threading.Event().wait()", "..."))
    return Runner(tmp_path, launcher="", seconds=1.0)


def test_every_test_is_run_whatever_another_does(runner: Runner) -> None:
    first, second = runner.run(Job(["test_a", "test_b"], ranks=2))
    kinds = {test.split(".")[-1]: o.kind for test, o in first.tests.items()}
    assert kinds == {
        "test_passes": "passed",
        "test_fails_on_one": "failed",
        "test_fails_in_part": "failed",
        "test_skipped_on_one": "passed",
        "test_skipped": "skipped",
        "test_hangs": "failed",
        "test_next": "passed",
        "test_it": "failed",
    }
    reasons = {test.split(".")[-1]: o.why for test, o in first.tests.items()}
    assert "1 != 0" in reasons["test_fails_on_one"]
    assert "(part=1)" in reasons["test_fails_in_part"]
    assert reasons["test_skipped"] == "not here"
    assert reasons["test_hangs"].startswith("did not end: Timeout")
    assert "no set-up" in reasons["test_it"]
    assert second.file == "test_b"
    assert second.counts == {"passed": 4, "failed": 3, "skipped": 1}


def test_ranks_that_do_not_start_are_a_failure(runner: Runner) -> None:
    (runner.suite / "test" / "arrayimpl.py").write_text("1 / 0\n")
    (result,) = runner.run(Job(["test_a"], ranks=1))
    ((test, outcome),) = result.tests.items()
    assert test == "test_a.start"
    assert "ZeroDivisionError" in outcome.why


def result(file: str, passed: int, failed: int, ranks: int = 2) -> Result:
    tests = {f"{file}.T.passes{i}": Outcome("passed") for i in range(passed)}
    tests |= {f"{file}.T.fails{i}": Outcome("failed", "no") for i in range(failed)}
    return Result(file, "direct", ranks, tests)


def test_a_failure_has_to_be_on_the_list_for_its_number_of_ranks() -> None:
    known = [Expected("test_op.T.fails0", frozenset([2, 3]), "because")]
    assert judge([result("test_op", 9, 1)], known).complaints == []
    (complaint,) = judge([result("test_op", 9, 1, ranks=4)], known).complaints
    assert complaint == "test_op.T.fails0 failed: no (4 ranks, direct channel)"


@pytest.mark.parametrize(
    ("file", "passed", "failed", "is_enough"),
    [
        ("test_op", 9, 1, True),
        ("test_op", 8, 1, False),
        ("test_threads", 99, 1, False),
        ("test_threads", 1, 0, True),
        ("test_threads", 0, 0, False),
    ],
)
def test_nine_tenths_have_to_pass_and_all_of_a_few_files(
    file: str, passed: int, failed: int, *, is_enough: bool
) -> None:
    known = [Expected(f"{file}.T.fails0", frozenset([2]), "because")]
    complaints = judge([result(file, passed, failed)], known).complaints
    assert ("does not pass enough" in str(complaints)) is not is_enough


def test_a_listed_test_that_passes_is_pointed_out() -> None:
    known = [Expected("test_op.T.passes0", frozenset([2]), "because")]
    verdict = judge([result("test_op", 1, 0)], known)
    assert verdict.complaints == []
    assert "on the list but passed" in verdict.surprises[0]


def test_the_list_is_well_formed() -> None:
    path = Path(__file__).parent / "mpi4py_suite" / "not_passed.txt"
    for line in read_expected(path.read_text()):
        assert line.ranks <= {1, 2, 3, 4}
        assert line.test.count(".") >= 2
