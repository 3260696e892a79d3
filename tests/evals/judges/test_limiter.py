"""Slots for requests: bounded, adaptive, none lost."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from evals.judges.limiter import FIRST, MOST, Limiter


async def serve(limiter, capacity, requests):
    """Run ``requests`` against a server that turns away what exceeds ``capacity``; returns the peaks in flight."""
    in_flight, peaks = 0, []

    async def request():
        nonlocal in_flight
        async with limiter.slot():
            started = asyncio.get_running_loop().time()
            in_flight += 1
            peaks.append(in_flight)
            await asyncio.sleep(0.001)
            if in_flight > capacity:
                limiter.congested(started, None)
            else:
                limiter.succeeded()
            in_flight -= 1

    await asyncio.gather(*(request() for _ in range(requests)))
    return peaks


def test_a_fixed_number_is_kept():
    limiter = Limiter(5)
    peaks = asyncio.run(serve(limiter, 2, 200))
    assert max(peaks) == 5
    assert limiter.limit == 5


def test_it_grows_while_all_goes_well():
    limiter = Limiter(None)
    peaks = asyncio.run(serve(limiter, 10_000, 500))
    assert peaks[:FIRST] == list(range(1, FIRST + 1))
    assert max(peaks) == limiter.limit == MOST


def test_it_settles_near_what_the_server_bears():
    limiter = Limiter(None)
    limits = []
    for _ in range(100):
        asyncio.run(serve(limiter, 12, 20))
        limits.append(limiter.limit)
    assert 6 <= sum(limits[50:]) / 50 <= 13


def test_a_pause_that_the_server_asks_for_holds_everybody_back():
    async def scenario():
        limiter = Limiter(4)
        loop = asyncio.get_running_loop()
        limiter.congested(loop.time(), 0.2)
        started = loop.time()
        async with limiter.slot():
            return loop.time() - started

    assert asyncio.run(scenario()) >= 0.19


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 0.003), min_size=1, max_size=60), st.integers(1, 9))
def test_cancelled_requests_give_their_slots_back(delays, fixed):
    async def scenario():
        limiter = Limiter(fixed)

        async def request(delay):
            async with limiter.slot():
                await asyncio.sleep(0.002)

        tasks = [asyncio.create_task(request(delay)) for delay in delays]
        for task, delay in zip(tasks, delays, strict=True):
            asyncio.get_running_loop().call_later(delay, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        # All slots are free again.
        async with asyncio.timeout(1):
            async with asyncio.TaskGroup() as group:
                for _ in range(fixed):
                    group.create_task(request(0))

    asyncio.run(scenario())
