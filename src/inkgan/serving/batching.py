"""Answer waiting requests in batches, which takes less time and changes no response."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

#: The most requests in one batch. Two already save most of the time that a larger batch would. In a larger one, the
#: first request waits longer for the others, and requests of other kinds wait longer for the whole batch.
LARGEST_BATCH = 2

Request = TypeVar("Request")
Response = TypeVar("Response")


class Batcher(Generic[Request, Response]):
    """Answers requests in batches: requests of one kind that wait for a turn at the same time can share one.

    Attributes:
        answer: returns the responses to requests of one kind, in the same order.
        kind: returns the kind of a request; requests of one kind can be answered in one batch.
        turns: limits how many batches are answered at one time; work outside the batcher may wait for turns, too.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Request]], Awaitable[Sequence[Response]]],
        kind: Callable[[Request], Hashable],
        turns: asyncio.Semaphore,
    ) -> None:
        self.answer = answer
        self.kind = kind
        self.turns = turns
        self._waiting: dict[Hashable, dict[asyncio.Future[Response], Request]] = defaultdict(dict)
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, request: Request) -> Response:
        """Return the response to a request. A client that stops waiting does not affect the others."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        kind = self.kind(request)
        self._waiting[kind][future] = request
        task = asyncio.create_task(self._work(kind, future))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await future

    async def _work(self, kind: Hashable, future: asyncio.Future[Response]) -> None:
        """Wait for a request's turn, then answer it and others of its kind, unless an earlier batch included it.

        If one did, the turn is given back unused. Otherwise later requests would overtake those of other kinds.
        """
        async with self.turns:
            batch = self._batch(kind, future)
            if not batch:
                return
            try:
                responses = await self.answer(list(batch.values()))
            except Exception as error:  # noqa: BLE001 - it is raised again for each request
                for waiting in batch:
                    if not waiting.done():  # its client is gone otherwise
                        waiting.set_exception(error)
                return
            for waiting, response in zip(batch, responses, strict=True):
                if not waiting.done():
                    waiting.set_result(response)

    def _batch(self, kind: Hashable, future: asyncio.Future[Response]) -> dict[asyncio.Future[Response], Request]:
        """Take the oldest requests of a kind off the queue, this one among them."""
        waiting = self._waiting[kind]
        batch = {}
        if future in waiting:  # an earlier batch has it otherwise
            alive = [one for one in waiting if not one.done()]
            batch = {one: waiting.pop(one) for one in alive[:LARGEST_BATCH]}
            waiting.pop(future, None)  # it is still there only if its client is gone
        if not waiting:
            del self._waiting[kind]
        return batch
