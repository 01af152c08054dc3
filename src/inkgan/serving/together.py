"""Questions that wait for a free thread are answered together, which takes less time and changes no answer."""

from __future__ import annotations

import asyncio
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
        self._waiting: dict[Hashable, list[tuple[Question, asyncio.Future[Answer]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """The answer to a question. Whoever stops waiting for it disturbs no one else."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        kind = self.kind(question)
        self._waiting.setdefault(kind, []).append((question, future))
        task = asyncio.create_task(self._work(kind))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await future

    async def _work(self, kind: Hashable) -> None:
        """When a thread is free, answer the oldest questions of a kind, if another task has not done so."""
        async with to_thread.current_default_thread_limiter():
            waiting = self._waiting.pop(kind, [])
            if len(waiting) > MOST_TOGETHER:
                self._waiting[kind] = waiting[MOST_TOGETHER:]
            batch = [one for one in waiting[:MOST_TOGETHER] if not one[1].done()]
            if not batch:
                return
            answers = await self._answered([question for question, _ in batch])
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _answered(self, questions: Sequence[Question]) -> Sequence[Answer | Exception]:
        """The answers; or the error, once for each who asked."""
        try:
            return await asyncio.to_thread(self.answer, questions)
        except Exception as error:  # noqa: BLE001 - it is raised again where the questions came from
            return [error] * len(questions)
