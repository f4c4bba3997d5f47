"""An example of each view, for the document of the HTTP interface."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from salus_chain.inspection import (
    Batch,
    BlockLine,
    BlockList,
    BlockView,
    ConsentView,
    Health,
    MemberView,
    Names,
    ReportRow,
    ReportView,
    RoundLine,
    RoundList,
    Submitted,
    TxView,
    ValidatorsView,
)
from salus_chain.rules.transactions import OpenRound
from salus_chain.standing import with_report
from salus_chain.views import (
    Approval,
    GatewayView,
    Refusal,
    ReleaseView,
    RoundView,
    SeatView,
    Status,
    TaskView,
    TxStatus,
)

_MS: Final = 1_767_225_600_000
_HASH: Final = bytes.fromhex("ab" * 32)
_KEY: Final = bytes.fromhex("02" + "cd" * 32)


def _seat(number: int) -> SeatView:
    heard_ms = 0 if number == 2 else _MS
    url = f"https://hospital-{number}.example:7601"
    return SeatView(f"hospital-{number}", _KEY, url, 11, 3, heard_ms, there=number != 2)


def _member(number: int) -> MemberView:
    host = f"hospital-{number}.example"
    return MemberView(f"hospital-{number}", _KEY, f"{host}:7600", f"https://{host}:7601")


_OPEN: Final = OpenRound(
    "activity", 3, "feature", _HASH, _HASH, ("trunk0/kernel", "head/kernel"), "fedavg", (("epochs", 2),),
    "clipped_mean", 1 << 24, 3, 100, _MS + 60_000, _MS + 120_000,
)  # fmt: skip
_SEATS: Final = tuple(map(_seat, range(4)))
_MEMBERS: Final = tuple(map(_member, range(4)))
_TX: Final = TxView(_HASH, "revoke", _KEY, 7, 180, {"gateway": "ward-7"})

SAMPLES: Final[Mapping[type, Any]] = MappingProxyType(
    {
        Refusal: Refusal("wrong_nonce", "nonce 4 where 5 is next of 02cdcdcdcdcdcdcd"),
        Status: with_report(Status("hospital-0", _HASH, 11, _MS, 3, _MS + 900, _MS + 40, 0, 3, 2, "", _SEATS)),
        TxStatus: TxStatus("final", 12),
        Batch: Batch((Submitted(_HASH), Submitted(None, "wrong_nonce", "nonce 4 where 5 is next"))),
        BlockView: BlockView(12, _MS, _HASH, _HASH, _HASH, _HASH, _HASH, _HASH, 0, (0, 1, 3), (_TX,)),
        BlockList: BlockList(12, (BlockLine(12, _MS, _HASH, 0, 1),)),
        Names: Names(("activity", "fall")),
        TaskView: TaskView(
            "activity", 3, _HASH, '[["head/kernel",[5,3],"head"]]', _HASH, 1, ReleaseView(2, _HASH, _HASH, _HASH)
        ),
        RoundView: RoundView(
            "activity", 3, "open", _OPEN, _HASH, 35, 12, None, None, _HASH, None, None,
            {"ward-7": _HASH}, {"ward-7": 4}, (), "",
        ),
        RoundList: RoundList((RoundLine("activity", 3, "expired", 2, 12, "too_few_updates"),)),
        ReportView: ReportView(
            "activity", 3, "clipped_mean", 4, (ReportRow("ward-7", 4, 950, 1 << 24, "clipped", 1 << 23, 1 << 20, 990),)
        ),
        GatewayView: GatewayView("ward-7", _KEY, 4, revoked=False),
        ConsentView: ConsentView(_HASH, _HASH, _KEY, withdrawn=True),
        ValidatorsView: ValidatorsView(12, 5, 3, 1, _MEMBERS, _MEMBERS, (), pending=False, convicted=()),
        Approval: Approval(0, 33, _HASH, bytes.fromhex("ef" * 64)),
        Health: Health(),
    }
)  # fmt: skip
