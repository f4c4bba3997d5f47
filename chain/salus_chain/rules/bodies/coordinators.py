"""What a coordinator says: which round to open, within the genesis policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from salus_chain.codec import Value, fields, identifier, integer, items, octets, text

ROUND_KINDS: Final = ("feature", "calibration")


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A coordinator opens a round of a task.

    `variables` are names of the task's layout in flat order; `parameters` are sorted by name; `norm_bound` is
    the L2 bound C as an integer at 2^-24; deadlines are Unix milliseconds.
    """

    task: str
    round: int
    kind: str
    base_sha256: bytes
    program_digest: bytes
    variables: tuple[str, ...]
    algorithm: str
    parameters: tuple[tuple[str, int], ...]
    rule: str
    norm_bound: int
    min_updates: int
    w_max: int
    deadline_ms: int
    settle_deadline_ms: int

    def value(self) -> Value:
        return (
            self.task.encode(),
            self.round,
            self.kind.encode(),
            self.base_sha256,
            self.program_digest,
            tuple(name.encode() for name in self.variables),
            self.algorithm.encode(),
            tuple((name.encode(), number) for name, number in self.parameters),
            self.rule.encode(),
            self.norm_bound,
            self.min_updates,
            self.w_max,
            self.deadline_ms,
            self.settle_deadline_ms,
        )

    @classmethod
    def read(cls, value: Value) -> OpenRound:
        f = fields(value, 14, "open_round")
        return cls(
            task=identifier(f[0], "task"),
            round=integer(f[1], "round"),
            kind=identifier(f[2], "kind"),
            base_sha256=octets(f[3], "base_sha256", 32),
            program_digest=octets(f[4], "program_digest", 32),
            variables=items(f[5], lambda name: text(name, "variables", 256), "variables", 4096),
            algorithm=identifier(f[6], "algorithm"),
            parameters=items(f[7], _parameter, "parameters", 256),
            rule=identifier(f[8], "rule"),
            norm_bound=integer(f[9], "norm_bound"),
            min_updates=integer(f[10], "min_updates"),
            w_max=integer(f[11], "w_max"),
            deadline_ms=integer(f[12], "deadline_ms"),
            settle_deadline_ms=integer(f[13], "settle_deadline_ms"),
        )


def _parameter(value: Value) -> tuple[str, int]:
    name, number = fields(value, 2, "parameter")
    return text(name, "parameter", 64), integer(number, "parameter", low=-(1 << 63))
