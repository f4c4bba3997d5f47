from __future__ import annotations

import pytest

from salus_chain.codec import encode
from salus_chain.errors import DecodeError
from salus_chain.node.settling.settler import explained, recompute
from salus_chain.reports import REPORT_TAG, RoundReport, decode_report, encode_report
from salus_chain.updates import update_digest
from tests.chain.federation import MODEL, TASK, federation

F = federation()
CLOSED = F.closed()
ROUND = CLOSED.rounds[TASK]
FILES = {update_digest(data): data for data in (F.update(CLOSED, number) for number in range(3))}
OUTCOME = recompute(CLOSED.tasks[TASK], ROUND, MODEL, FILES)
MADE = RoundReport(OUTCOME.settle, explained(ROUND, FILES))


def test_a_report_file_is_read_back_and_names_its_settlement() -> None:
    data = encode_report(MADE)
    assert decode_report(data) == MADE
    assert decode_report(data).settle == F.settle_body(CLOSED)
    assert [row.gateway for row in MADE.report.rows] == ["gateway-0", "gateway-1", "gateway-2"]
    assert all(row.contribution is not None for row in MADE.report.rows)


def test_whoever_holds_the_updates_makes_the_same_bytes() -> None:
    again = RoundReport(OUTCOME.settle, explained(ROUND, dict(reversed(FILES.items()))))
    assert encode_report(again) == encode_report(MADE)


@pytest.mark.parametrize(
    "data",
    [
        b"junk",
        encode(()),
        encode((b"salus/model", MADE.settle.value(), MADE.report.value())),
        encode((REPORT_TAG, MADE.report.value(), MADE.settle.value())),
        encode((REPORT_TAG, MADE.settle.value())),
    ],
)
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_report(data)
