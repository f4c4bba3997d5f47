from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from salus_chain.node.http.metrics import Metrics, Reading, Traffic

READING = Reading(12, 3, 4.5, 2, 7, 900, 5, 1, 4_096, (Traffic("hospital-1", 1, 2, 3, 4),))


def samples(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(text.decode())
    return {(s.name, tuple(sorted(s.labels.values()))): s.value for family in families for s in family.samples}


def test_a_reading_and_what_passed_are_written_as_prometheus_reads_them() -> None:
    metrics = Metrics()
    for code in ("wrong_nonce", "wrong_nonce", "too_fast"):
        metrics.refused(code)
    metrics.became_final([8, 20, 400])
    seen = samples(metrics.text(READING))
    wanted = {
        ("salus_height", ()): 12,
        ("salus_round", ()): 3,
        ("salus_block_age_seconds", ()): 4.5,
        ("salus_peers_reachable", ()): 2,
        ("salus_mempool_transactions", ()): 7,
        ("salus_mempool_bytes", ()): 900,
        ("salus_round_changes_total", ()): 5,
        ("salus_convicted", ()): 1,
        ("salus_blob_bytes", ()): 4_096,
        ("salus_refusals_total", ("wrong_nonce",)): 2,
        ("salus_refusals_total", ("too_fast",)): 1,
        ("salus_finality_seconds_bucket", ("0.01",)): 1,
        ("salus_finality_seconds_count", ()): 3,
        ("salus_peer_frames_total", ("hospital-1", "in")): 1,
        ("salus_peer_bytes_total", ("hospital-1", "out")): 4,
    }
    assert {key: seen.get(key) for key in wanted} == wanted


def test_two_nodes_of_one_process_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.refused("wrong_nonce")
    assert ("salus_refusals_total", ("wrong_nonce",)) not in samples(second.text(READING))
