"""A release whose model would not fit the task's windows or features is refused before a byte of it is fetched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from salus_chain.proto.release_pb2 import Manifest
from salus_edge.errors import Refused
from salus_edge.release import check_offer, sign_manifest, verify_release
from tests.hil.rig import CHAIN_ID, SIGNER, TASK, fake_release


def _input_shape(manifest: Manifest) -> None:
    manifest.input.shape[:] = [4, 32]


def _feature_scale(manifest: Manifest) -> None:
    manifest.output.scale *= 2


def _feature_zero_point(manifest: Manifest) -> None:
    manifest.output.zero_point += 1


@pytest.mark.parametrize("spoil", [_input_shape, _feature_scale, _feature_zero_point])
def test_an_offer_for_other_windows_or_features_is_malformed(spoil: Callable[[Manifest], None]) -> None:
    manifest = Manifest.FromString(fake_release(2)[0])
    spoil(manifest)
    with pytest.raises(Refused, match="malformed"):
        check_offer(
            sign_manifest(manifest.SerializeToString(), SIGNER),
            release_public_key=SIGNER.public_key,
            task=TASK,
            newer_than=1,
            chain_id=CHAIN_ID,
            arena_limit=TASK.budget.arena_bytes,
        )


def test_an_engine_that_answers_fewer_golden_inputs_differs() -> None:
    def fewer(model: bytes, inputs: NDArray[np.int8], arena_bytes: int) -> NDArray[np.int8]:
        return np.zeros((len(inputs) - 1, 8), np.int8)

    manifest, model = fake_release(2)
    with pytest.raises(Refused, match="golden_differs"):
        verify_release(
            sign_manifest(manifest, SIGNER),
            model,
            release_public_key=SIGNER.public_key,
            task=TASK,
            newer_than=1,
            chain_id=CHAIN_ID,
            run_golden=fewer,
            arena_limit=TASK.budget.arena_bytes,
        )
