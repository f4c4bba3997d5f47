"""Events of the chain as they happen, across validators that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

import httpx

from salus_chain.client.asking import Asking
from salus_chain.errors import DecodeError, Unreachable
from salus_chain.views import Status, from_json

if TYPE_CHECKING:
    from salus_chain.inspection import Event, ValidatorsView

SILENCE_S: Final = 30.0  # a validator sends a heartbeat at least every 10 s
PAUSE_S: Final = 0.5  # before the validators are asked anew
MAX_LINE: Final = 1 << 20


class Watching(Asking):
    """Watches."""

    async def validators(self) -> ValidatorsView:
        """Who decides and who observes, as one validator says; `members` proves it."""
        from salus_chain.inspection import ValidatorsView

        return from_json((await self._any("/validators")).content, ValidatorsView)

    async def events(self, after: int | None = None) -> AsyncGenerator[Event, None]:
        """All that happens after a height, from the next block by default, each once, in order.

        When a validator goes, the next one goes on where it stopped. Raises Unreachable when none answers.
        """
        if after is None:
            after = from_json((await self._any("/status")).content, Status).height
        query = {"after": str(after)}
        last = ""
        while True:
            errors: list[str] = []
            for url in self._order():
                try:
                    async for event in self._stream(url, {"last-event-id": last} if last else {}, query):
                        last = event.id
                        self._prefer(url)
                        yield event
                    break
                except Unreachable as error:
                    errors.append(str(error))
            else:
                raise Unreachable(f"no validator tells of events: {'; '.join(errors)}")
            await asyncio.sleep(PAUSE_S)

    async def _stream(self, url: str, headers: dict[str, str], query: dict[str, str]) -> AsyncGenerator[Event, None]:
        """One validator's events, until it ends the stream. Raises Unreachable when it never told any."""
        from salus_chain.inspection import Event

        told = False
        timeout = httpx.Timeout(self._timeout_s, read=SILENCE_S)
        try:
            async with self._connection().stream(
                "GET", url + "/events", params=query, headers=headers, timeout=timeout
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise Unreachable(f"{url}: status {answer.status_code}")
                async for line in answer.aiter_lines():
                    told = True
                    if len(line) > MAX_LINE:
                        raise Unreachable(f"{url}: a line of {len(line)} characters")
                    if line.startswith("data: "):
                        yield from_json(line[6:].encode(), Event)
        except (httpx.HTTPError, httpx.InvalidURL, DecodeError) as error:
            if not told:
                raise Unreachable(f"{url}: {type(error).__name__}: {error}") from None
