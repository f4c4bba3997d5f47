"""The chain's state as views for clients. Pure."""

from __future__ import annotations

from collections.abc import Callable

from salus_chain.aggregation.report import Report, Row
from salus_chain.genesis import Validator, faults, quorum
from salus_chain.inspection import (
    BlockLine,
    ConsentView,
    MemberView,
    ReportRow,
    ReportView,
    RoundLine,
    ValidatorsView,
)
from salus_chain.rules.blocks import Block, Certificate
from salus_chain.rules.state import Release, Round, State
from salus_chain.views import (
    GatewayView,
    ReleaseView,
    RoundView,
    TaskView,
)


def task_view(state: State, task: str) -> TaskView | None:
    known = state.tasks.get(task)
    if known is None:
        return None
    return TaskView(
        task,
        known.round,
        known.model_digest,
        known.layout_json,
        known.program_digest,
        known.sequence,
        _release_view(known.release),
    )


def _release_view(release: Release) -> ReleaseView | None:
    if not release.version:
        return None
    return ReleaseView(release.version, release.blob_digest, release.model_sha256, release.settled_model_digest)


def round_view(each: Round, is_missing: Callable[[bytes], bool]) -> RoundView:
    """`is_missing` says whether the bytes of a digest should be stored here and are not."""
    return RoundView(
        each.open.task,
        each.open.round,
        each.status.value,
        each.open,
        each.layout_digest,
        each.d,
        each.opened_height,
        each.closed_height or None,
        each.settled_height or None,
        each.model_before,
        each.model_after or None,
        each.aggregate_digest or None,
        {commit.gateway: commit.digest for commit in each.commits},
        {commit.gateway: commit.weight for commit in each.commits},
        tuple(commit.digest for commit in each.commits if is_missing(commit.digest)),
        each.reason,
    )


def report_view(each: Round, report: Report) -> ReportView:
    return ReportView(
        each.open.task, each.open.round, each.open.rule, report.total_weight, tuple(map(_report_row, report.rows))
    )


def _report_row(row: Row) -> ReportRow:
    known = row.contribution
    return ReportRow(
        row.gateway,
        row.weight,
        row.score,
        row.norm,
        row.outcome.value,
        row.detail,
        known.influence if known else None,
        known.alignment if known else None,
    )


def round_line(each: Round) -> RoundLine:
    body = each.open
    return RoundLine(body.task, body.round, each.status.value, len(each.commits), each.opened_height, each.reason)


def block_line(block: Block, certificate: Certificate) -> BlockLine:
    header = block.header
    return BlockLine(header.height, header.time_ms, header.digest, certificate.round, len(block.transactions))


def gateway_view(state: State, gateway: str) -> GatewayView | None:
    known = state.gateways.get(gateway)
    return None if known is None else GatewayView(known.id, known.public_key, known.patients, known.revoked)


def consent_view(state: State, consent: bytes) -> ConsentView | None:
    known = state.consents.get(consent)
    return None if known is None else ConsentView(known.consent, known.device, known.validator, known.withdrawn)


def validators_view(state: State) -> ValidatorsView:
    """Who decides, who observes, and who was convicted, member or not."""
    convicted = sorted(key for key, standing in state.standings.items() if standing.convicted_height)

    def member(each: Validator) -> MemberView:
        standing = state.standings.get(each.public_key)
        height = standing.convicted_height if standing else 0
        return MemberView(each.name, each.public_key, each.peer, each.url, height)

    def gone(key: bytes) -> Validator:
        return Validator(key.hex()[:16], key, "", "")

    return ValidatorsView(
        state.height,
        state.roster.sequence,
        quorum(len(state.validators)),
        faults(len(state.validators)),
        tuple(map(member, state.seats)),
        tuple(map(member, state.next_seats)),
        tuple(map(member, state.observers)),
        state.roster.pending,
        tuple(member(state.members.get(key) or gone(key)) for key in convicted),
    )
