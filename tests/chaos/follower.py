"""Who follows the event stream through all of it, from manager to manager: each event must come once, in order."""

import asyncio
import random
from collections.abc import Mapping

import httpx

MARKERS = ("hello", "heartbeat", "dropped")
SILENCE_S = 30.0
"""Longer than a manager that lives says nothing."""
CATCHES_UP_IN_S = 120.0


class Follower:
    """`seq`: of the last event that came."""

    def __init__(self, urls: Mapping[str, str], token: str) -> None:
        self.seq = 0
        self.connections = 0
        self.wrongs: list[str] = []
        self._urls = list(urls.values())
        self._headers = {"Authorization": f"Bearer {token}"}
        self._following: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._following = asyncio.create_task(self._follow())

    async def stop(self, *, last: int) -> None:
        """End once it has caught up with the event of number `last`; otherwise that is a wrong."""
        try:
            async with asyncio.timeout(CATCHES_UP_IN_S):
                while self.seq < last:  # noqa: ASYNC110 - others' task
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self.wrongs.append(f"of {last} events only {self.seq} came to who follows them")
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        timeout = httpx.Timeout(SILENCE_S, connect=3)
        async with httpx.AsyncClient(headers=self._headers, timeout=timeout, trust_env=False) as http:
            while True:
                try:
                    await self._listen(http, f"{random.choice(self._urls)}/v1/events")
                except httpx.HTTPError:
                    await asyncio.sleep(0.2)

    async def _listen(self, http: httpx.AsyncClient, url: str) -> None:
        async with http.stream("GET", url, params={"since": self.seq}) as answer:
            if not answer.is_success:
                await asyncio.sleep(0.2)
                return
            self.connections += 1
            number = 0
            async for line in answer.aiter_lines():
                field, _, value = line.partition(": ")
                if field == "id":
                    number = int(value)
                elif field == "event" and value not in MARKERS:
                    self._count(number)

    def _count(self, number: int) -> None:
        if number != self.seq + 1:
            self.wrongs.append(f"event {number} came after event {self.seq}")
        self.seq = number
