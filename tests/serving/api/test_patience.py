"""How long a request may take: each its own time, though one timer waits for all."""

import asyncio

from serving.api.patience import Patience

SECONDS = 0.05


async def _run(patience: Patience, seconds: float) -> str:
    task = patience.begin()
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        return "given up" if patience.has_given_up(task) else "cancelled"
    finally:
        patience.end(task)
    return "done"


def test_only_what_takes_too_long_is_given_up() -> None:
    async def several() -> list[str]:
        patience = Patience(SECONDS)
        first = asyncio.gather(_run(patience, 30), _run(patience, 0))
        await asyncio.sleep(SECONDS / 2)
        return [*await asyncio.gather(_run(patience, 30), _run(patience, 0)), *await first]

    assert asyncio.run(several()) == ["given up", "done", "given up", "done"]


def test_each_has_its_own_time() -> None:
    async def later() -> float:
        patience = Patience(SECONDS)
        first = asyncio.create_task(_run(patience, 30))
        await asyncio.sleep(SECONDS / 2)
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(first, _run(patience, 30))
        return asyncio.get_running_loop().time() - begun

    assert asyncio.run(later()) >= SECONDS


def test_what_another_cancels_was_not_given_up() -> None:
    async def cancelled() -> str:
        task = asyncio.create_task(_run(Patience(SECONDS), 30))
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(cancelled()) == "cancelled"


def test_it_goes_on_in_another_event_loop() -> None:
    patience = Patience(SECONDS)
    assert asyncio.run(_run(patience, 0)) == "done"
    assert asyncio.run(_run(patience, 30)) == "given up"
