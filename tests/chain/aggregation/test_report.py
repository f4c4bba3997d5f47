from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.aggregation.report import Contribution, Report, Row
from salus_chain.aggregation.rule import AggregationRule, Outcome
from salus_chain.codec import Value, decode, encode
from salus_chain.errors import DecodeError

COUNT = st.integers(0, (1 << 63) - 1)
ROWS = st.builds(
    Row,
    gateway=st.from_regex(r"[A-Za-z][A-Za-z0-9._:/@+~-]{0,63}", fullmatch=True),
    weight=COUNT,
    score=st.integers(-1, 1_000),
    norm=COUNT,
    outcome=st.sampled_from(Outcome),
    detail=COUNT,
    contribution=st.none() | st.builds(Contribution, COUNT, st.integers(-1_000, 1_000)),
)
RULES = st.builds(AggregationRule, st.sampled_from(["mean", "trust"]), COUNT, COUNT, COUNT, COUNT)
REPORTS = st.builds(Report, RULES, COUNT, st.lists(ROWS, max_size=4).map(tuple))


@given(REPORTS)
def test_a_report_is_read_back_from_its_bytes(report: Report) -> None:
    assert Report.read(decode(encode(report.value()))) == report


ROW = (b"g", 1, -1, 5, b"kept", 0, ())
RULE = (b"mean", 1, 0, 0, 0)


@pytest.mark.parametrize(
    "value",
    [
        (),
        (RULE, 1),
        (RULE[:4], 1, ()),
        (RULE, -1, ()),
        (RULE, 1, 7),
        (RULE, 1, (ROW[:6],)),
        (RULE, 1, ((*ROW[:2], -2, *ROW[3:]),)),
        (RULE, 1, ((*ROW[:4], b"lost", *ROW[5:]),)),
        (RULE, 1, ((*ROW[:6], (1,)),)),
        (RULE, 1, ((*ROW[:6], (1, 1_001)),)),
        (RULE, 1, ((*ROW[:6], (1, -1_001)),)),
        (RULE, 1, ((*ROW[:6], (-1, 0)),)),
    ],
)
def test_what_is_not_a_report_is_refused(value: Value) -> None:
    Report.read((RULE, 1, (ROW,)))
    with pytest.raises(DecodeError):
        Report.read(value)
