"""The layer table: sizes, order, and what it refuses."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from salus_coordinator.errors import ModelError
from salus_coordinator.model.layers import features, initial, layout, rows, window_shape
from salus_edge.task import Layer, Task
from tests.coordinator.tasks import small_task


def with_base(base: list[Layer]) -> Task:
    return msgspec.structs.replace(small_task(), base=base)


def test_rows_have_the_sizes_of_valid_strided_convolutions() -> None:
    sizes = [(row.length_in, row.channels_in, row.length_out, row.channels_out) for row in rows(small_task())]
    assert sizes == [(41, 8, 18, 5), (18, 5, 16, 7), (16, 7, 2, 7), (1, 14, 1, 6), (1, 6, 1, 3)]


def test_macs_and_weights_count_what_a_convolution_does() -> None:
    first = rows(small_task())[0]
    assert (first.macs, first.weights) == (18 * 6 * 8 * 5, 6 * 8 * 5 + 5)


def test_layout_goes_base_trunk_head_kernel_before_bias() -> None:
    names = [variable.name for variable in layout(small_task()).variables]
    assert names == [f"{layer}/{part}" for layer in ("base0", "base1", "trunk0", "head") for part in ("kernel", "bias")]


def test_magnitude_appends_a_channel_per_group() -> None:
    assert window_shape(small_task()) == (41, 8)


def test_features_are_bins_times_channels() -> None:
    assert features(small_task(bins=2)) == 14


def test_initial_weights_depend_only_on_the_seed() -> None:
    first, again = (initial(small_task(), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (layout(small_task()).size,)


@pytest.mark.parametrize(
    "base",
    [
        [Layer(layer="conv", filters=4, taps=5, stride=2), Layer(layer="average_pool")],
        [Layer(layer="conv", filters=0, taps=4, stride=2), Layer(layer="average_pool")],
        [Layer(layer="conv", filters=4, taps=60), Layer(layer="average_pool")],
        [Layer(layer="dense", units=4), Layer(layer="average_pool")],
        [Layer(layer="average_pool", bins=42)],
    ],
    ids=["taps not a multiple of stride", "no filters", "longer than the window", "dense in base", "too many bins"],
)
def test_an_impossible_layer_is_refused_by_name(base: list[Layer]) -> None:
    with pytest.raises(ModelError, match="bad_layer: base0"):
        rows(with_base(base))
