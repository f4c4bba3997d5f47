"""Getting bytes by digest from other validators, over HTTP, named and checked.

The HTTP client is loaded and made when bytes are first wanted: a validator that starts has no time for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from salus_chain.keys import Signer
from salus_chain.signing import fetch_headers
from salus_chain.tls import client_context

if TYPE_CHECKING:
    import httpx

FETCH_TIMEOUT_S: Final = 10.0


class Fetcher:
    """Asks validators' URLs for blobs as this validator."""

    def __init__(self, chain_id: bytes, signer: Signer) -> None:
        self._chain_id = chain_id
        self._signer = signer
        self._members: frozenset[bytes] = frozenset()
        self._http: httpx.AsyncClient | None = None
        self._former: list[httpx.AsyncClient] = []  # of other memberships; what they are about ends with them

    def trust(self, members: Iterable[bytes]) -> None:
        """From now on, take bytes from these validators alone, by their keys."""
        keys = frozenset(members)
        if keys != self._members:
            self._members = keys
            self._former += [self._http] if self._http else []
            self._http = None

    def _client(self) -> httpx.AsyncClient:
        import httpx

        if self._http is None:
            context = client_context(self._members)
            self._http = httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, trust_env=False, verify=context)
        return self._http

    async def get(self, digest: bytes, urls: Iterable[str]) -> bytes | None:
        """The bytes from the first that has them; None when none has."""
        import httpx

        for url in urls:
            headers = fetch_headers(self._chain_id, digest, self._signer)
            try:
                answer = await self._client().get(f"{url}/blobs/{digest.hex()}", headers=headers)
            except httpx.HTTPError:
                continue
            if answer.status_code == httpx.codes.OK and sha256(answer.content).digest() == digest:
                return answer.content
        return None

    async def close(self) -> None:
        for client in self._former + ([self._http] if self._http else []):
            await client.aclose()
