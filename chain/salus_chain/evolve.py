"""`dataclasses.replace` in a tenth of its time, for the two states that change many times for each block.

For frozen dataclasses without slots and without `__post_init__`. To a type checker it is `replace` itself, so that
it knows the fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import replace as evolve
else:

    def evolve(noun: Any, /, **changes: Any) -> Any:
        """A copy of `noun` with other values of some fields."""
        new = object.__new__(type(noun))
        new.__dict__.update(noun.__dict__)
        new.__dict__.update(changes)
        return new


__all__ = ["evolve"]
