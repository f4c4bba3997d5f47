"""The declared order of a task's variables: what makes a flat vector mean something.

A layout lists every variable of the shared model, base first, then trunk, then head. A round shares some of
them; an update is the concatenation of those, in the layout's order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from salus_chain.errors import DecodeError

Group = Literal["base", "trunk", "head"]
MAX_SIZE: Final = 1 << 24  # a model file of 64 MiB
GROUPS: Final[tuple[Group, ...]] = get_args(Group)


@dataclass(frozen=True, slots=True)
class Variable:
    """One tensor of the model. A convolution's kernel is (taps, in, out), a dense one's (in, out)."""

    name: str
    shape: tuple[int, ...]
    group: Group

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Layout:
    """All variables of a model, in flat order."""

    variables: tuple[Variable, ...]

    @cached_property
    def size(self) -> int:
        return sum(variable.size for variable in self.variables)

    @cached_property
    def digest(self) -> bytes:
        return sha256(self.to_json().encode()).digest()

    def names(self, groups: Iterable[Group]) -> tuple[str, ...]:
        """The variables of these groups, in flat order."""
        wanted = set(groups)
        return tuple(variable.name for variable in self.variables if variable.group in wanted)

    def indices(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Positions in the flat vector of these variables, in flat order.

        Raises KeyError on an unknown name.
        """
        unknown = set(names) - {variable.name for variable in self.variables}
        if unknown:
            raise KeyError(f"no variable {sorted(unknown)[0]!r} in the layout")
        spans, start = [], 0
        for variable in self.variables:
            if variable.name in names:
                spans.append(np.arange(start, start + variable.size))
            start += variable.size
        return np.concatenate(spans) if spans else np.empty(0, np.int64)

    def split(self, flat: NDArray[np.generic]) -> dict[str, NDArray[np.generic]]:
        """Name to array of its shape, views into `flat` (size,)."""
        parts, start = {}, 0
        for variable in self.variables:
            parts[variable.name] = flat[start : start + variable.size].reshape(variable.shape)
            start += variable.size
        return parts

    def to_json(self) -> str:
        """One line, one way of writing it: what `digest` hashes."""
        rows = [[variable.name, list(variable.shape), variable.group] for variable in self.variables]
        return json.dumps(rows, separators=(",", ":"), ensure_ascii=True)

    @staticmethod
    def from_json(text: str) -> Layout:
        """Raises DecodeError when the text is not a layout in its one form."""
        try:
            rows = json.loads(text)
            layout = Layout(
                tuple(Variable(str(name), tuple(int(n) for n in shape), group) for name, shape, group in rows)
            )
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise DecodeError(f"not a layout: {error}") from None
        names = [variable.name for variable in layout.variables]
        if layout.to_json() != text:
            raise DecodeError("not a layout: it has another spelling than the canonical one")
        if len(set(names)) != len(names) or not names:
            raise DecodeError("not a layout: variables need names, each its own")
        for variable in layout.variables:
            if variable.group not in GROUPS or not variable.shape or min(variable.shape) < 1:
                raise DecodeError(
                    f"not a layout: {variable.name!r} has group {variable.group!r}, shape {variable.shape}"
                )
        if layout.size > MAX_SIZE:
            raise DecodeError(f"not a layout: {layout.size} numbers where at most {MAX_SIZE} are taken")
        order = [GROUPS.index(variable.group) for variable in layout.variables]
        if order != sorted(order):
            raise DecodeError("not a layout: groups go base, trunk, head")
        return layout
