"""The releases that the C++ updater is tested with are current, and Python refuses each for the same reason."""

from __future__ import annotations

import pytest

from tests.firmware.release_vectors import PATH, Case, base_cases, personal_cases, python_code, text

CASES = [*base_cases(), *personal_cases()]


def test_the_vectors_are_current() -> None:
    assert PATH.read_text() == text(), "run python -m tests.firmware.release_vectors"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_python_says_the_same(case: Case) -> None:
    """Where C++ stops at the offer, Python may not look at the model either, so any model will do."""
    assert python_code(case) == case.code


def test_the_real_personal_releases_are_current() -> None:
    pytest.importorskip("tflite_micro", reason="the arena is measured with TFLM, whose wheel is for x86-64 Linux")
    from tests.firmware import personal_vectors

    assert personal_vectors.PATH.read_text() == personal_vectors.text(), "run python -m tests.firmware.personal_vectors"
