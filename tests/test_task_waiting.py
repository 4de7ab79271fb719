"""Waiting: what a client asks the driver, and what it makes of the answers."""

import threading
from collections.abc import Iterator

import pytest

import serverless_dist as sd
from serverless_dist.errors import ObjectLostError
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.current import set_client
from serverless_dist.tasks.messages import (
    Message,
    Submit,
    Unask,
)
from serverless_dist.tasks.values import (
    Cause,
    Failure,
    failed,
)
from tests.scripted_driver import JOB, DictStore, ScriptedDriver, opened


@pytest.fixture
def driver() -> Iterator[ScriptedDriver]:
    with opened() as scripted:
        yield scripted


def test_get_asks_once_for_many_and_for_each_once(driver: ScriptedDriver) -> None:
    refs = [driver.ref(number, number) for number in (7, 8, 9)]
    assert sd.get([refs[0], refs[1], refs[2], refs[0]]) == [7, 8, 9, 7]
    (ask,) = driver.asks()
    assert ask.ids == (7, 8, 9)
    assert (ask.needed, ask.eager, ask.wants_values, ask.is_patient) == (3, 1, 1, 1)


def test_get_of_nothing_asks_nothing(driver: ScriptedDriver) -> None:
    assert sd.get([]) == []
    assert sd.wait([]) == ([], [])
    assert list(sd.as_completed([])) == []
    assert not driver.asks()


def test_a_timeout_takes_the_question_back(driver: ScriptedDriver) -> None:
    with pytest.raises(sd.GetTimeoutError, match="1 of 2 refs had no value within 0 s"):
        sd.get([driver.ref(7), driver.unknown(8)], timeout=0)
    (ask,) = driver.asks()
    assert driver.said(Unask) == [Unask(ask.request)]
    assert not ask.is_patient


def test_an_interrupted_wait_takes_the_question_back(driver: ScriptedDriver) -> None:
    def interrupted(message: Message, *, urgent: bool) -> None:
        if isinstance(message, Unask) and not driver.asked.is_set():
            driver.asked.set()
            raise KeyboardInterrupt
        driver.messages.append(message)
        del urgent

    driver.client = Client(0, JOB, DictStore(), interrupted)
    set_client(driver.client)
    with pytest.raises(KeyboardInterrupt):
        sd.get(driver.unknown(7), timeout=0)
    (ask,) = driver.asks()
    assert driver.said(Unask)[-1] == Unask(ask.request)
    assert repr(driver.client) == "<Client 0: 0 requests>"


def test_the_first_failure_in_the_list_is_raised(driver: ScriptedDriver) -> None:
    refs = [driver.ref(number) for number in (7, 8, 9)]
    for number in (9, 8):
        driver.values[number] = failed(
            Failure(Cause.LOST, f"value {number}", "is gone")
        )
    with pytest.raises(ObjectLostError, match="value 8 is gone"):
        sd.get(refs)


def test_wait_gives_as_many_as_were_asked_for_in_order(driver: ScriptedDriver) -> None:
    refs = [driver.ref(number) for number in (7, 8, 9)]
    assert sd.wait(refs) == (refs[:1], refs[1:])
    assert sd.wait(refs, num_returns=3) == (refs, [])
    unknown = driver.unknown(1)
    assert sd.wait([unknown, *refs], num_returns=2) == (refs[:2], [unknown, refs[2]])
    assert sd.wait([unknown], timeout=0) == ([], [unknown])


def test_waiting_ends_with_the_session(driver: ScriptedDriver) -> None:
    def end() -> None:
        driver.asked.wait(10)
        driver.client.fail(sd.UsageError("it has ended"))

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(sd.UsageError, match="it has ended"):
        sd.get(driver.unknown(7))
    thread.join(10)
    with pytest.raises(sd.UsageError, match="it has ended"):
        sd.put(1)


def test_all_threads_of_a_worker_wait_for_its_task(
    driver: ScriptedDriver,
) -> None:
    ref = driver.ref(7)
    driver.client.task = 5
    sd.get(ref)
    thread = threading.Thread(target=sd.get, args=(ref,))
    thread.start()
    thread.join(10)
    assert [ask.task for ask in driver.asks()] == [5, 5]


def test_a_task_names_its_parent(driver: ScriptedDriver) -> None:
    driver.client.task = 5
    ref = sd.remote(len).remote("abc")
    (submit,) = driver.said(Submit)
    assert submit.spec.parent == 5
    assert submit.spec.id == ref.id
