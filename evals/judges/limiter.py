"""How many requests a server bears at once: found out as TCP does.

Additive increase, multiplicative decrease (Chiu and Jain 1989, "Analysis of
the increase and decrease algorithms for congestion avoidance", Computer
Networks 17), with TCP's slow start until the first sign of congestion.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Limiter"]

FIRST = 8
MOST = 64


class Limiter:
    """Slots for requests in flight; a fixed number of them, or adaptive if that is None."""

    def __init__(self, fixed: int | None) -> None:
        self.adaptive = fixed is None
        self.most = MOST if fixed is None else fixed
        self.limit = float(FIRST if fixed is None else fixed)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._slow_start = True
        self._decreased = 0.0
        self._paused_until = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A place among the requests in flight, as soon as there is one."""
        while self._in_flight >= int(self.limit):
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                self._wake()
                raise
        self._in_flight += 1
        try:
            while (pause := self._paused_until - asyncio.get_running_loop().time()) > 0:
                await asyncio.sleep(pause)
            yield
        finally:
            self._in_flight -= 1
            self._wake()

    def succeeded(self) -> None:
        """A request was answered: dare a little more."""
        if self.adaptive:
            self.limit = min(self.most, self.limit + (1.0 if self._slow_start else 1.0 / self.limit))
            self._wake()

    def congested(self, started: float, retry_after: float | None) -> None:
        """A request that ``started`` then was turned away: halve, once a round trip; wait if told so.

        Times are the event loop's.
        """
        now = asyncio.get_running_loop().time()
        if retry_after is not None:
            self._paused_until = max(self._paused_until, now + retry_after)
        if self.adaptive and started >= self._decreased:
            self._slow_start = False
            self._decreased = now
            self.limit = max(1.0, self.limit / 2)

    def _wake(self) -> None:
        free = int(self.limit) - self._in_flight
        while self._waiting and free > 0:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
