"""A model is used only with proof; one validator that lies about it is not believed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from salus_chain.errors import ProofError
from salus_chain.views import RoundView, Settlement
from salus_edge.config import Settings
from salus_edge.provenance import require_proven, settled_by
from salus_edge.store import Database, models
from tests.edge.world import first_model, round_view

GOOD, OTHER = bytes([1]) * 32, bytes([2]) * 32


@dataclass
class ScriptedChain:
    """A validator's views, and what proofs that verify say of the model after each round."""

    views: dict[int, RoundView] = field(default_factory=dict)
    proofs: dict[int, bytes] = field(default_factory=dict)

    async def round(self, task: str, round: int) -> RoundView | None:
        return self.views.get(round)

    async def settlement(self, task: str, round: int) -> Settlement:
        if round not in self.proofs:
            raise ProofError("quorum: too few signatures")
        return Settlement(task, round, 9, bytes(32), self.proofs[round], bytes(32), {}, {})


def settled(settings: Settings, number: int, after: bytes) -> RoundView:
    return replace(round_view(settings, number, status="settled"), model_after=after)


async def test_the_last_settled_round_is_found_by_its_proof(settings: Settings) -> None:
    views = {1: settled(settings, 1, OTHER), 2: settled(settings, 2, GOOD), 3: round_view(settings, 3)}
    chain = ScriptedChain(views, {1: OTHER, 2: GOOD})
    assert await settled_by(chain, "wave", 3, GOOD) == views[2]
    assert await settled_by(chain, "wave", 1, OTHER) == views[1]
    assert await settled_by(chain, "wave", 3, OTHER) is None


@pytest.mark.parametrize("proofs", [{}, {1: OTHER}], ids=["no proof", "another proof"])
async def test_a_validator_that_claims_a_settlement_without_proof_is_not_believed(
    proofs: dict[int, bytes], settings: Settings, database: Database
) -> None:
    chain = ScriptedChain({1: settled(settings, 1, GOOD)}, proofs)
    with pytest.raises(ProofError):
        await require_proven(chain, database, settings, "wave", 1, GOOD)


async def test_a_model_from_nowhere_is_not_used(settings: Settings, database: Database) -> None:
    with pytest.raises(ProofError, match="neither the package's, nor released, nor settled"):
        await require_proven(ScriptedChain(), database, settings, "wave", 0, GOOD)


async def test_the_packages_model_needs_no_proof_and_nor_does_one_that_was_proved_before(
    settings: Settings, database: Database
) -> None:
    first = settings.package.model_digest
    assert await require_proven(ScriptedChain(), database, settings, "wave", 0, first) is None
    models.put_model(database, "wave", settings.package.base_sha256, 1, GOOD, first_model(settings))
    assert await require_proven(ScriptedChain(), database, settings, "wave-60", 0, GOOD) is None
