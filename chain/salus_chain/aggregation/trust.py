"""`trust`: the clipped mean with each weight multiplied by the score that the gateway's hospital attested.

Trust scores times norm-bounded updates are FLTrust's form (Cao et al., arXiv 2012.13995, section 4.2); there
a server scores by a cosine with data of its own, here a hospital attests 0 to 1000 per mille on chain. A
gateway without a score, or with 0, is left out.
"""

from __future__ import annotations

from typing import Final

from salus_chain.aggregation.clipped_mean import clip
from salus_chain.aggregation.rule import AggregationRule, Combined, Method, Outcome, Updates, Verdict
from salus_chain.aggregation.weighted import weigh


def combine(rule: AggregationRule, updates: Updates) -> Combined:
    """Weights times scores sum to less than 2^32 * 1000 < 2^42. At least one score must be above 0."""
    rows, clipped = clip(rule, updates)
    weighed = weigh(
        rows, [weight * max(score, 0) for weight, score in zip(updates.weights, updates.scores, strict=True)]
    )
    verdicts = (_verdict(score, verdict) for score, verdict in zip(updates.scores, clipped, strict=True))
    return Combined(weighed.mean, tuple(verdicts), weighed.without)


def _verdict(score: int, verdict: Verdict) -> Verdict:
    if score < 0:
        return Verdict(Outcome.NO_SCORE)
    return verdict if score else Verdict(Outcome.ZERO_SCORE)


def scored(score: int) -> bool:
    """Whether an update counts: a round needs as many of these as its minimum of updates."""
    return score > 0


TRUST: Final = Method(combine, eligible=scored)
