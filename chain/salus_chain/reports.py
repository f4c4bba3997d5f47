"""A round's report as a file: canonical CBOR [tag, settlement, report], kept by each validator beside the model.

Nobody signs it. It stays when the updates are erased, and whoever still holds them can recompute every number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from salus_chain.aggregation.report import Report
from salus_chain.codec import decode, encode, fields
from salus_chain.errors import DecodeError
from salus_chain.rules.transactions import Settle

REPORT_TAG: Final = b"salus/report/1"


@dataclass(frozen=True, slots=True)
class RoundReport:
    """What became of each update of a round, and the settlement that its aggregate went into."""

    settle: Settle
    report: Report


def encode_report(made: RoundReport) -> bytes:
    return encode((REPORT_TAG, made.settle.value(), made.report.value()))


def decode_report(data: bytes) -> RoundReport:
    """Raises DecodeError."""
    tag, settle, report = fields(decode(data), 3, "round report")
    if tag != REPORT_TAG:
        raise DecodeError("round report: not a report file")
    return RoundReport(Settle.read(settle), Report.read(report))
