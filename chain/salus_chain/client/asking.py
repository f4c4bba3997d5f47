"""Whom a client asks, and how: HTTP to the validators in turn, following their changes by proof."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx

from salus_chain.errors import ChainError, DecodeError, ProofError, Rejected, Unreachable
from salus_chain.genesis import Genesis, check_url
from salus_chain.keys import verify
from salus_chain.light.council import genesis_checkpoint
from salus_chain.light.proofs import ProofKind, Proven, check_proof
from salus_chain.rules.roster import Roster, genesis_roster
from salus_chain.tls import client_context, trust
from salus_chain.views import Refusal, from_json

NETWORK_SLACK_S: Final = 5.0
KEEP_S: Final = 20.0  # an idle connection is worth keeping: a new one costs a TLS handshake
REFUSED: Final = (httpx.codes.CONFLICT, httpx.codes.TOO_MANY_REQUESTS)

T = TypeVar("T")


class Asking:
    """One federation's validators at `urls`, as an asynchronous context manager."""

    def __init__(
        self,
        genesis: Genesis,
        urls: Sequence[str] = (),
        *,
        timeout_s: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`urls` defaults to those of the genesis, and then of the validators as they change.

        Over TLS a validator is known by its key. `timeout_s` bounds each request that does not wait; `transport`
        carries the requests elsewhere than over the network, as in tests. Raises ConfigError for a URL without TLS
        that is not of this machine.
        """
        self.genesis = genesis
        self._tls = client_context(genesis.keys)
        self._urls = tuple(url.rstrip("/") for url in urls or [each.url for each in genesis.validators])
        for url in self._urls:
            check_url(url, "validators", plain=True)
        self._timeout_s = timeout_s
        self._follows = not urls
        self._roster = genesis_roster(genesis)  # who takes part, as last proven
        self._checkpoint = genesis_checkpoint(genesis)
        self._first = 0  # the validator that answered last
        self._transport = transport
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=KEEP_S)
        self._http = httpx.AsyncClient(
            timeout=self._timeout_s,
            limits=limits,
            trust_env=False,
            transport=self._transport,
            verify=self._tls,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def members(self) -> Roster:
        """Who takes part, as the first validator proves that can, from the genesis on; then asked at their URLs.

        What was proven before stays when none can. Raises Unreachable when none answers.
        """
        errors: list[str] = []
        for url in self._order():
            try:
                answer = await self._ask(url, f"/proofs/{ProofKind.MEMBERS}")
                if answer.status_code == httpx.codes.OK:
                    self._learn(check_proof(self.genesis, answer.content, verify, checkpoint=self._checkpoint))
                return self._roster
            except (ProofError, Unreachable) as error:
                errors.append(f"{url}: {error}")
        raise Unreachable(f"no validator proves who takes part: {'; '.join(errors)}")

    def _learn(self, proven: Proven) -> None:
        if not isinstance(proven.body, Roster):
            raise ProofError(f"content: a proof of a {proven.kind}, not of the members")
        self._roster, self._checkpoint = proven.body, proven.checkpoint
        trust(self._tls, proven.body.by_key)
        urls = tuple(each.url.rstrip("/") for each in proven.body.seats)
        if self._follows and urls != self._urls:
            self._urls, self._first = urls, 0

    async def _maybe(self, path: str, query: Mapping[str, str] | None = None) -> bytes | None:
        answer = await self._any(path, query)
        return None if answer.status_code == httpx.codes.NOT_FOUND else answer.content

    async def _any(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
    ) -> httpx.Response:
        """The first answer of any validator, starting with the one that answered last."""
        errors: list[str] = []
        for url in self._order():
            try:
                answer = await self._ask(url, path, query, content=content, headers=headers, wait_s=wait_s)
            except Unreachable as error:
                errors.append(str(error))
                continue
            self._prefer(url)
            return answer
        raise Unreachable(f"no validator answered: {'; '.join(errors)}")

    async def _ask(
        self,
        url: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
    ) -> httpx.Response:
        """One question to one validator.

        Raises Rejected for its refusal by a rule, Unreachable for anything else but 200 and 404.
        """
        timeout_s = max(self._timeout_s, wait_s + NETWORK_SLACK_S)
        method = "GET" if content is None else "POST"
        try:
            answer = await self._connection().request(
                method, url + path, params=query, content=content, headers=headers, timeout=timeout_s
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{url}: {type(error).__name__}: {error}") from None
        if answer.status_code in REFUSED:
            raise _refusal(url, answer.content)
        if answer.status_code not in (httpx.codes.OK, httpx.codes.NOT_FOUND):
            raise Unreachable(f"{url}: status {answer.status_code}")
        return answer

    def _connection(self) -> httpx.AsyncClient:
        assert self._http is not None, "use the client as `async with ChainClient(...)`"
        return self._http

    def _prefer(self, url: str) -> None:
        if url in self._urls:
            self._first = self._urls.index(url)

    def _order(self) -> tuple[str, ...]:
        return self._urls[self._first :] + self._urls[: self._first]


def _refusal(url: str, content: bytes) -> Rejected | Unreachable:
    try:
        refusal = from_json(content, Refusal)
    except DecodeError as error:
        return Unreachable(f"{url}: {error}")
    return Rejected(refusal.code, refusal.reason)


def verdict(errors: Sequence[ChainError], what: str) -> ChainError:
    """The most frequent refusal where a rule forbade it, else Unreachable."""
    refusals = [error for error in errors if isinstance(error, Rejected)]
    if refusals:
        code = Counter(error.code for error in refusals).most_common(1)[0][0]
        reason = next(error.reason for error in refusals if error.code == code)
        return Rejected(code, f"{what}: {reason}")
    return Unreachable("; ".join([what, *map(str, errors)]))


async def cancel(tasks: set[asyncio.Task[T]]) -> None:
    """End tasks whose results nobody wants, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
