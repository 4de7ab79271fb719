"""The values of refs: who holds them, who waits for them. Pure.

1. An id gets its value once; whatever comes later for it is dropped.
2. An id is known as long as somebody holds it: a client, a task that has it among its
   arguments, a value that it is inside of. When the last one lets go, its value is
   removed from the store.
3. An `Ask` is answered once. Ids that nobody holds are answered as lost.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from serverless_dist.tasks.instructions import Instruction, Remove, Tell
from serverless_dist.tasks.messages import Answer, Ask
from serverless_dist.tasks.values import Cause, Failure, Form, Value, failed

_MANY = 16
LOST = failed(Failure(Cause.LOST, "a value", "is gone: nobody held a ref of it"))


class Question:
    """An `Ask` that has not been answered."""

    __slots__ = ("ask", "client", "is_answered", "known")

    def __init__(self, client: int, ask: Ask) -> None:
        self.client = client
        self.ask = ask
        self.known = 0
        self.is_answered = False

    def __repr__(self) -> str:
        return f"<Question {self.ask.request}: {self.known} of {self.ask.needed} known>"


class Object:
    """What is known of one id.

    Attributes
    ----------
    task
        The task that it comes from; 0: none.
    value
        None until it is known.
    holds
        How many hold it.
    questions, dependants
        Who waits for it: asks, and the ids of tasks.
    """

    __slots__ = ("dependants", "holds", "questions", "task", "value")

    def __init__(self, task: int) -> None:
        self.task = task
        self.value: Value | None = None
        self.holds = 0
        self.questions: list[Question] | None = None
        self.dependants: list[int] | None = None

    def add_question(self, question: Question) -> None:
        """Have a question wait for the value."""
        questions = self.questions or []
        if len(questions) >= _MANY:  # most of a loop that waits were answered
            questions = [each for each in questions if not each.is_answered]
        questions.append(question)
        self.questions = questions


class ObjectTable:
    """All ids that somebody holds.

    Attributes
    ----------
    instructions
        What is to be done; whoever carries it out empties this.
    freed
        The ids that nobody holds any more; whoever looks empties this.
    woken
        The tasks that one more value has come for; whoever looks empties this.
    """

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.freed: list[int] = []
        self.woken: list[int] = []
        self._objects: dict[int, Object] = {}
        self._held: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self._questions: dict[tuple[int, int], Question] = {}

    def __repr__(self) -> str:
        return f"<ObjectTable {len(self)} ids, {len(self._questions)} questions>"

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, id: int) -> bool:
        return id in self._objects

    def task_of(self, id: int) -> int:
        """Return the task that the id comes from; 0: none, or the id is not known."""
        found = self._objects.get(id)
        return 0 if found is None else found.task

    def value(self, id: int) -> Value | None:
        """Return the value, None if there is none yet; of a lost id: that it is."""
        found = self._objects.get(id)
        return LOST if found is None else found.value

    def expect(self, id: int, task: int) -> None:
        """Take note that the task will have this value; nobody holds it yet."""
        if id not in self._objects:
            self._objects[id] = Object(task)

    def hold(self, id: int, client: int = 0) -> None:
        """Count one more holder; of a client's holds, `drop_client` counts as ends."""
        found = self._objects.get(id)
        if found is not None:
            found.holds += 1
            if client:
                self._held[client][id] += 1

    def release(self, id: int, client: int = 0) -> None:
        """Count one holder less; the last one's end is the id's."""
        if client:
            held = self._held[client]
            if held[id] <= 0:
                return
            held[id] -= 1
            if not held[id]:
                del held[id]
        pending = [id]
        while pending:
            each = pending.pop()
            found = self._objects.get(each)
            if found is not None:
                found.holds -= 1
                if found.holds <= 0:
                    pending += self._free(each, found)

    def drop_client(self, client: int) -> None:
        """Release what a client holds, and forget what it asks."""
        for key in [key for key in self._questions if key[0] == client]:
            self._questions.pop(key).is_answered = True
        for id, count in self._held.pop(client, Counter()).items():
            for _ in range(count):
                self.release(id)

    def settle(self, id: int, value: Value) -> None:
        """Give an id its value, and wake who waits for it.

        A value that comes too late, or that nobody wants, is removed.
        """
        found = self._objects.get(id)
        if found is None or found.value is not None:
            if found is None or found.value != value:  # not the same once more
                self._remove(value)
            return
        found.value = value
        for ref in value.refs:
            self.hold(ref)
        questions = found.questions or ()
        self.woken += found.dependants or ()
        found.questions = found.dependants = None
        is_failure = value.form == Form.FAILURE
        for question in questions:
            question.known += 1
            self._look(question, is_failure=is_failure)
        if found.holds <= 0:
            for ref in self._free(id, found):
                self.release(ref)

    def await_by(self, task: int, ids: Iterable[int]) -> int:
        """Return how many of the ids have no value; the task is told of each once."""
        missing = 0
        for id in ids:
            found = self._objects.get(id)
            if found is not None and found.value is None:
                missing += 1
                if found.dependants is None:
                    found.dependants = []
                found.dependants.append(task)
        return missing

    def ask(self, client: int, ask: Ask) -> Question:
        """Answer as soon as enough is known: at once, or when it is."""
        question = Question(client, ask)
        if not ask.wants_values:
            known = [id for id in ask.ids if self._is_known(id)]
            if len(known) >= ask.needed:  # as most often in a loop that waits
                question.is_answered = True
                answer = Answer(ask.request, tuple(known))
                self.instructions.append(Tell(client, answer))
                return question
        self._questions[client, ask.request] = question
        is_failure = False
        for id in ask.ids:
            found = self._objects.get(id)
            value = LOST if found is None else found.value
            if value is not None:
                question.known += 1
                is_failure = is_failure or value.form == Form.FAILURE
            elif found is not None:
                found.add_question(question)
        self._look(question, is_failure=is_failure)
        return question

    def answer(self, client: int, request: int, failure: Value | None = None) -> None:
        """Answer now, with what is known; with `failure` for what is not."""
        question = self._questions.pop((client, request), None)
        if question is None or question.is_answered:
            return
        question.is_answered = True
        known = [(id, self.value(id) or failure) for id in question.ask.ids]
        known = [(id, value) for id, value in known if value is not None]
        ids = tuple([id for id, _ in known])
        wants_values = question.ask.wants_values
        values = tuple([value for _, value in known if value]) if wants_values else ()
        self.instructions.append(Tell(client, Answer(request, ids, values)))

    def _is_known(self, id: int) -> bool:
        found = self._objects.get(id)
        return found is None or found.value is not None

    def _look(self, question: Question, *, is_failure: bool) -> None:
        ask = question.ask
        if question.known >= ask.needed or (ask.eager and is_failure):
            self.answer(question.client, ask.request)

    def _free(self, id: int, found: Object) -> Sequence[int]:
        """Forget an id; return the refs that its value has held."""
        del self._objects[id]
        self.freed.append(id)
        if found.value is None:
            for question in found.questions or ():
                question.known += 1
                self._look(question, is_failure=True)
            return ()
        self._remove(found.value)
        return found.value.refs

    def _remove(self, value: Value) -> None:
        if value.form == Form.STORED:
            self.instructions.append(Remove((value.data,)))
