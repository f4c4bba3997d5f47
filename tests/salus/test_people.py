from __future__ import annotations

import pytest

from salus.demo.people import cast

SUBJECTS = ("5", "6", "7", "8", "9", "10")


def test_every_patient_has_one_gateway_and_every_gateway_a_hospital() -> None:
    roles = cast(("1", "2", "3", "4"), SUBJECTS, patients=6, gateways=3, validators=4)
    assert [patient.subject for patient in roles.patients] == list(SUBJECTS)
    assert all(len(roles.of_gateway(gateway)) == 2 for gateway in roles.gateways)
    enrolled = [gateway for hospital in roles.hospitals for gateway in roles.of_hospital(hospital)]
    assert sorted(enrolled) == sorted(roles.gateways)


def test_nobody_is_both_patient_and_pre_training() -> None:
    roles = cast(("1", "2"), SUBJECTS, patients=4, gateways=2, validators=4)
    assert not set(roles.pretrain) & {patient.subject for patient in roles.patients}


@pytest.mark.parametrize(("patients", "gateways", "word"), [(7, 3, "people are left"), (2, 3, "each needs one")])
def test_asking_for_too_many_says_what_there_is(patients: int, gateways: int, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        cast((), SUBJECTS, patients=patients, gateways=gateways, validators=4)
