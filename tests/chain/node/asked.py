"""The HTTP interface over a table of answers, asked in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeVar

import httpx

from salus_chain.errors import Rejected
from salus_chain.inspection import (
    BlockList,
    ConsentView,
    Event,
    Names,
    ReportView,
    RoundList,
    Submitted,
    ValidatorsView,
)
from salus_chain.node.http.rpc import create_app
from salus_chain.node.http.samples import SAMPLES
from salus_chain.rules.blocks import Block, Certificate
from salus_chain.rules.transactions import Receipt, Revoke
from salus_chain.views import Approval, GatewayView, RoundView, Status, TaskView, TxStatus
from tests.chain.federation import federation

F = federation()


STATE = F.enrolled()


TX = F.sign(F.validators[0], STATE, Revoke("gateway-0"))


BLOCK, _ = F.block(STATE, TX)


CERTIFICATE = F.certify(BLOCK)


ID = sha256(TX).digest()


T = TypeVar("T")


def sample(kind: type[T]) -> T:
    made = SAMPLES[kind]
    assert isinstance(made, kind)
    return made


class FewProofs:
    """Proofs of what is asked for by its right name."""

    def settlement(self, task: str, number: int) -> bytes | None:
        return b"settlement" if (task, number) == ("activity", 3) else None

    def update(self, task: str, number: int, gateway: str) -> bytes | None:
        return b"update" if gateway == "ward-7" else None

    def release(self, task: str) -> bytes | None:
        return b"release" if task == "activity" else None

    def withdrawal(self, consent: bytes) -> bytes | None:
        return b"withdrawal" if consent == ID else None

    def model(self, task: str) -> bytes | None:
        return b"model" if task == "activity" else None

    def members(self) -> bytes | None:
        return b"members"


@dataclass
class Table:
    """Answers with the samples of the document."""

    reason: str = ""
    asked: list[Any] = field(default_factory=list)
    proofs: FewProofs = field(default_factory=FewProofs)

    def status(self) -> Status:
        return sample(Status)

    def unready(self) -> str:
        return self.reason

    async def metrics(self) -> bytes:
        return b"salus_height 12\n"

    async def wait(self, above: int, timeout_s: float) -> Status:
        self.asked.append((above, timeout_s))
        return sample(Status)

    def next_nonce(self, public_key: bytes) -> int:
        return 7

    def submit(self, data: bytes) -> bytes:
        if data == b"bad":
            raise Rejected("wrong_nonce", "nonce 4 where 5 is next")
        self.asked.append(data)
        return sha256(data).digest()

    async def submit_batch(self, batch: Sequence[bytes]) -> tuple[Submitted, ...]:
        self.asked.append(tuple(batch))
        return tuple(Submitted(sha256(each).digest()) for each in batch)

    async def transaction(self, tx_id: bytes, timeout_s: float) -> TxStatus:
        self.asked.append((tx_id, timeout_s))
        return TxStatus("final", 12)

    def block(self, height: int) -> tuple[Block, Certificate] | None:
        return (BLOCK, CERTIFICATE) if height == BLOCK.header.height else None

    def blocks(self, first: int, limit: int) -> BlockList:
        self.asked.append((first, limit))
        return sample(BlockList)

    def tasks(self) -> Names:
        return sample(Names)

    def task(self, task: str) -> TaskView | None:
        return sample(TaskView) if task == "activity" else None

    def round(self, task: str, number: int) -> RoundView | None:
        return sample(RoundView) if (task, number) == ("activity", 3) else None

    def rounds(self, task: str, limit: int) -> RoundList | None:
        return sample(RoundList) if task == "activity" else None

    async def report(self, task: str, number: int) -> ReportView | None:
        return sample(ReportView) if (task, number) == ("activity", 3) else None

    def gateways(self) -> Names:
        return sample(Names)

    def gateway(self, gateway: str) -> GatewayView | None:
        return sample(GatewayView) if gateway == "ward-7" else None

    def consent(self, consent: bytes) -> ConsentView | None:
        return sample(ConsentView) if consent == ID else None

    def validators(self) -> ValidatorsView:
        return sample(ValidatorsView)

    async def take_update(self, data: bytes, signature: bytes) -> Receipt:
        self.asked.append((data, signature))
        return Receipt(bytes(33), bytes(64))

    async def blob(self, digest: bytes, key: bytes, time_ms: int, signature: bytes) -> bytes | None:
        self.asked.append((key, time_ms, signature))
        return b"blob" if digest == ID else None

    async def approve(self, candidate: bytes) -> Approval:
        return sample(Approval)

    async def events(self, height: int, position: int) -> AsyncIterator[tuple[Event, ...]]:
        self.asked.append((height, position))
        yield (Event(f"{height}-0", "block", height, {"digest": ID}),)
        yield ()


class Asked:
    """A client of the application over one table."""

    def __init__(self) -> None:
        self.table = Table()
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(self.table)), base_url="http://validator"
        )

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.get(path, **more)
