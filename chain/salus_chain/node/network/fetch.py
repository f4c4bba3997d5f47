"""Getting bytes by digest from other validators, over HTTP, named and checked."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import httpx

from salus_chain.keys import Signer
from salus_chain.signing import fetch_headers
from salus_chain.tls import client_context

FETCH_TIMEOUT_S: Final = 10.0


class Fetcher:
    """Asks validators' URLs for blobs as this validator."""

    def __init__(self, chain_id: bytes, signer: Signer) -> None:
        self._chain_id = chain_id
        self._signer = signer
        self._members: frozenset[bytes] = frozenset()
        self._http = self._client()
        self._former: list[httpx.AsyncClient] = []  # of other memberships; what they are about ends with them

    def trust(self, members: Iterable[bytes]) -> None:
        """From now on, take bytes from these validators alone, by their keys."""
        keys = frozenset(members)
        if keys != self._members:
            self._members = keys
            self._former.append(self._http)
            self._http = self._client()

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, trust_env=False, verify=client_context(self._members))

    async def get(self, digest: bytes, urls: Iterable[str]) -> bytes | None:
        """The bytes from the first that has them; None when none has."""
        for url in urls:
            headers = fetch_headers(self._chain_id, digest, self._signer)
            try:
                answer = await self._http.get(f"{url}/blobs/{digest.hex()}", headers=headers)
            except httpx.HTTPError:
                continue
            if answer.status_code == httpx.codes.OK and sha256(answer.content).digest() == digest:
                return answer.content
        return None

    async def close(self) -> None:
        for client in (*self._former, self._http):
            await client.aclose()
