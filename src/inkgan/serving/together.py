"""Questions that wait for a free thread are answered together, which takes less time and changes no answer."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from anyio import to_thread

#: The most questions in one go; more of them would make the first one wait.
MOST_TOGETHER = 8

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Together(Generic[Question, Answer]):
    """Answers questions in batches of what has come while the threads were busy.

    Attributes:
        answer: from questions of one kind to their answers, in their order; it runs in a thread.
        kind: what questions must have in common to be answered together.
    """

    def __init__(
        self, answer: Callable[[Sequence[Question]], Sequence[Answer]], kind: Callable[[Question], Hashable]
    ) -> None:
        self.answer = answer
        self.kind = kind
        self._waiting: dict[Hashable, dict[asyncio.Future[Answer], Question]] = defaultdict(dict)
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """The answer to a question. Whoever stops waiting for it disturbs no one else."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        kind = self.kind(question)
        self._waiting[kind][future] = question
        task = asyncio.create_task(self._work(kind, future))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await future

    async def _work(self, kind: Hashable, future: asyncio.Future[Answer]) -> None:
        """When it is a question's turn, answer it and others of its kind; nothing if another turn took it.

        A turn is not used for others alone: questions that came later would pass those of other kinds.
        """
        async with to_thread.current_default_thread_limiter():
            batch = self._batch(kind, future)
            if batch:
                answers = await self._answered(list(batch.values()))
                for asked, answer in zip(batch, answers, strict=True):
                    if asked.done():  # whoever asked is gone
                        continue
                    if isinstance(answer, Exception):
                        asked.set_exception(answer)
                    else:
                        asked.set_result(answer)

    def _batch(self, kind: Hashable, future: asyncio.Future[Answer]) -> dict[asyncio.Future[Answer], Question]:
        """The oldest questions of a kind, this one among them, which wait no longer."""
        waiting = self._waiting[kind]
        chosen = [one for one in waiting if not one.done()][:MOST_TOGETHER] if future in waiting else []
        batch = {one: waiting.pop(one) for one in chosen}
        waiting.pop(future, None)  # it is there only if whoever asked is gone
        if not waiting:
            del self._waiting[kind]
        return batch

    async def _answered(self, questions: Sequence[Question]) -> Sequence[Answer | Exception]:
        """The answers; or the error, once for each who asked."""
        try:
            return await asyncio.to_thread(self.answer, questions)
        except Exception as error:  # noqa: BLE001 - it is raised again where the questions came from
            return [error] * len(questions)
