"""Requests that are answered together in batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from inkgan.exporting.saved import read
from inkgan.serving import batching, parameters, responses
from inkgan.serving.app import Service
from inkgan.serving.batching import Batcher
from waiting import SECONDS

pytestmark = pytest.mark.timeout(SECONDS)  # a request that is forgotten would wait for ever


def batcher_of(answer: Callable[[Sequence[str]], Sequence[str]]) -> Batcher[str, str]:
    """Return a batcher that answers in threads and batches requests whose first letters agree."""

    async def in_thread(batch: Sequence[str]) -> Sequence[str]:
        return await asyncio.to_thread(answer, batch)

    return Batcher(in_thread, lambda one: one[0], asyncio.Semaphore(1))


@pytest.fixture(autouse=True)
def batches_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LARGEST_BATCH", 3)


def asked_at_once(asked: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Ask everything at once, with one turn at a time; return the answers, and the batches that were answered."""
    batches: list[list[str]] = []

    def answer(batch: Sequence[str]) -> list[str]:
        batches.append(list(batch))
        return [one.upper() for one in batch]

    async def run() -> list[str]:
        batcher = batcher_of(answer)
        return await asyncio.gather(*(batcher.ask(one) for one in asked))

    return asyncio.run(run()), batches


def test_what_waits_is_answered_in_batches_by_kind() -> None:
    got, batches = asked_at_once(["a1", "b1", "a2", "b2", "a3"])
    assert got == ["A1", "B1", "A2", "B2", "A3"]
    assert batches == [["a1", "a2", "a3"], ["b1", "b2"]]


def test_a_batch_has_a_largest_size() -> None:
    asked = [f"a{k}" for k in range(7)]
    got, batches = asked_at_once(asked)
    assert got == [one.upper() for one in asked]
    assert [len(one) for one in batches] == [3, 3, 1]


def test_later_requests_do_not_overtake_earlier_ones() -> None:
    """The turn of a request that an earlier batch answered is not used for later requests."""
    order: list[str] = []

    def answer(batch: Sequence[str]) -> list[str]:
        order.extend(batch)
        return list(batch)

    async def run() -> None:
        batcher = batcher_of(answer)

        async def again(first: str, second: str) -> None:
            await batcher.ask(first)
            await batcher.ask(second)

        await asyncio.gather(again("a1", "a4"), again("a2", "a5"), again("a3", "a6"), batcher.ask("b1"))
        assert not batcher._waiting

    asyncio.run(run())
    assert order == ["a1", "a2", "a3", "b1", "a4", "a5", "a6"]


def test_an_error_reaches_all_who_asked_and_nobody_else() -> None:
    def answer(batch: Sequence[str]) -> list[str]:
        if "a2" in batch:
            raise ValueError
        return list(batch)

    async def run() -> list[str | BaseException]:
        batcher = batcher_of(answer)
        return await asyncio.gather(*map(batcher.ask, ["a1", "b1", "a2"]), return_exceptions=True)

    first, other, second = asyncio.run(run())
    assert isinstance(first, ValueError)
    assert isinstance(second, ValueError)
    assert other == "b1"


def test_a_client_that_leaves_disturbs_no_other() -> None:
    begun, gate = threading.Event(), threading.Event()
    seen: list[list[str]] = []

    def answer(batch: Sequence[str]) -> list[str]:
        begun.set()
        assert gate.wait(SECONDS)
        seen.append(list(batch))
        return list(batch)

    async def run() -> str:
        batcher = batcher_of(answer)
        tasks = [asyncio.create_task(batcher.ask(one)) for one in ("b1", "a1", "a2", "a3")]
        assert await asyncio.to_thread(begun.wait, SECONDS)
        tasks[0].cancel()  # it is being answered
        tasks[1].cancel()  # it waits
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        return await tasks[2] + await tasks[3]

    assert asyncio.run(run()) == "a2a3"
    assert seen == [["b1"], ["a2", "a3"]]


def test_a_text_is_the_same_alone_and_with_others() -> None:
    model = Service(read("fast", "latest")).model
    asked = [
        parameters.Write(text=text, seed=seed, writer=seed % 2, height=32, format=kind)
        for seed, (text, kind) in enumerate([("12", "png"), ("1.5", "json"), ("ddd", "png"), ("7", "json")])
    ]
    assert responses.write(model, asked) == [responses.write(model, [one])[0] for one in asked]
