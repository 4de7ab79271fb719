"""Who waits for what: the asks of clients, and the tasks that they hold up. Pure.

A task that waits gives its slot back. One that waits for itself, by whatever detour,
would wait for ever: it is told so instead, with the names of all that are in the cycle.
"""

from collections.abc import Iterable, Iterator, Sequence

from serverless_dist.tasks.actor_table import ActorTable
from serverless_dist.tasks.deadlocks import find_cycle
from serverless_dist.tasks.instructions import Instruction, Tell
from serverless_dist.tasks.ledger import Ledger
from serverless_dist.tasks.messages import Answer, Ask, Recall, Unask
from serverless_dist.tasks.values import Cause, Failure, failed


class Waits:
    """The asks of tasks that have not been answered."""

    def __init__(self, ledger: Ledger, actors: ActorTable) -> None:
        self._ledger = ledger
        self._actors = actors
        self._asks: dict[tuple[int, int], Ask] = {}  # by client and request

    def __repr__(self) -> str:
        return f"<Waits {len(self._asks)} asks>"

    def drop_client(self, client: int) -> None:
        """Forget what a client has asked."""
        for key in [key for key in self._asks if key[0] == client]:
            del self._asks[key]

    def end_task(self, client: int, task: int) -> None:
        """Take note that a task has ended, whatever it was waiting for."""
        for key, ask in list(self._asks.items()):
            if key[0] == client and ask.task == task:
                self._let_go_on(*key)

    @property
    def are_patient(self) -> bool:
        """Whether none of those who wait will stop waiting."""
        return all(ask.is_patient for ask in self._asks.values())

    def note_answers(self, out: Sequence[Instruction]) -> None:
        """Take note of whom these instructions let go on."""
        for each in out if self._asks else ():
            if type(each) is Tell and type(each.order) is Answer:
                self._let_go_on(each.client, each.order.request)

    def ask(self, client: int, event: Ask) -> None:
        """Answer as soon as enough is known; the task may give its slot back."""
        for id in event.ids:
            self._ledger.streams.expect(id)
        question = self._ledger.objects.ask(client, event)
        if question.is_answered or not event.task:
            return
        worker = self._ledger.placement.workers.get(client)
        if worker is None:
            return
        worker.waits += 1
        if len(worker.backlog) > 1 and not worker.actor:
            # It may wait for the very tasks that stand in line behind it.
            recall = Recall(len(worker.backlog) - 1)
            self._ledger.out.append(Tell(client, recall))
        self._asks[client, event.request] = event
        if event.is_patient and event.wants_values and event.needed == len(event.ids):
            cycle = find_cycle(event.task, self._waits_for)
            if cycle is not None:
                failure = failed(self._deadlock(cycle))
                self._ledger.objects.answer(client, event.request, failure)

    def unask(self, client: int, event: Unask) -> None:
        """Answer with what is known."""
        self._ledger.objects.answer(client, event.request)

    def _let_go_on(self, client: int, request: int) -> None:
        ask = self._asks.pop((client, request), None)
        worker = self._ledger.placement.workers.get(client)
        if ask is not None and worker is not None:
            worker.waits -= 1

    def _waits_for(self, id: int) -> Iterator[int]:
        """Return the tasks that have to end before this one can go on."""
        task = self._ledger.tasks.get(id)
        if task is None:
            return
        if task.missing:
            yield from self._unknown(task.spec.deps)
        before = self._actors.before(task)
        if before:
            yield before
        for ask in self._asks.values():
            if ask.task == id and ask.is_patient and ask.needed == len(ask.ids):
                yield from self._unknown(ask.ids)

    def _unknown(self, ids: Iterable[int]) -> Iterator[int]:
        for id in ids:
            if self._ledger.objects.value(id) is None:
                yield self._ledger.objects.task_of(id)

    def _deadlock(self, cycle: Sequence[int]) -> Failure:
        names = [
            self._ledger.tasks[id].spec.name for id in cycle if id in self._ledger.tasks
        ]
        chain = ", which waits for ".join([*names[1:], names[0]])
        return Failure(Cause.DEADLOCK, names[0], f"waits for {chain}")
