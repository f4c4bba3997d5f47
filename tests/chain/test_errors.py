from __future__ import annotations

import asyncio

import pytest

from salus_chain.errors import ConfigError, Rejected, first_of

INNER = ConfigError("a wrong key")
GROUP = BaseExceptionGroup("tasks", [BaseExceptionGroup("inner", [INNER, Rejected("late", "too late")])])


def test_the_first_error_inside_a_group_comes_out_by_itself() -> None:
    assert first_of(GROUP) is INNER
    assert first_of(GROUP, (ConfigError, Rejected)) is INNER


@pytest.mark.parametrize("kinds", [ConfigError, Rejected, (KeyError, ValueError)])
def test_a_group_with_an_error_of_another_kind_stays_whole(kinds: type[Exception]) -> None:
    assert first_of(GROUP, kinds) is GROUP


def test_a_cancellation_is_never_hidden_by_an_error_beside_it() -> None:
    group = BaseExceptionGroup("tasks", [INNER, asyncio.CancelledError()])
    assert first_of(group) is group
