from __future__ import annotations

from dataclasses import replace

import pytest

from salus_chain.standing import report, unready
from salus_chain.views import SeatView, Status


def seat(number: int, height: int = 11, round_: int = 3, there: bool = True) -> SeatView:
    return SeatView(f"hospital-{number}", bytes(33), "", height, round_, 0, there)


def status(*seats: SeatView) -> Status:
    return Status("hospital-0", bytes(32), 11, 0, 3, quorum=3, seats=seats)


ALL = tuple(map(seat, range(4)))


@pytest.mark.parametrize(
    ("seats", "words"),
    [
        (ALL, "height 12, round 3: 4 of 4 are there"),
        ((*ALL[:3], seat(3, there=False)), "height 12, round 3: hospital-3 does not answer, 3 of 4 are there"),
        (
            (*ALL[:2], seat(2, there=False), seat(3, there=False)),
            "height 12, round 3: hospital-2 and hospital-3 do not answer, 2 of 4 are there, 3 are needed",
        ),
        (
            (ALL[0], seat(1, 9, 0), *ALL[2:]),
            "height 12, round 3: hospital-1 is at height 10, round 0, 4 of 4 are there",
        ),
        (
            (ALL[0], *(seat(number, there=False) for number in (1, 2, 3))),
            "height 12, round 3: hospital-1, hospital-2 and hospital-3 do not answer, 1 of 4 are there, 3 are needed",
        ),
    ],
)
def test_a_stall_names_who_is_where_and_who_is_missing(seats: tuple[SeatView, ...], words: str) -> None:
    assert report(status(*seats)) == words


def test_a_validator_is_ready_with_a_quorum_and_the_height_of_others() -> None:
    assert unready(status(*ALL)) == ""
    assert "3 are needed" in unready(status(*ALL[:2], seat(2, there=False), seat(3, there=False)))
    ahead = (ALL[0], seat(1, 14), seat(2, 13), ALL[3])
    assert unready(status(*ahead)) == "behind: height 11 where others have 13"


def test_one_liar_cannot_make_a_validator_seem_behind() -> None:
    assert unready(status(*ALL[:3], seat(3, 1 << 40))) == ""


def test_an_observer_and_a_chain_of_one_are_judged_alike() -> None:
    assert unready(replace(status(seat(0)), quorum=1)) == ""
