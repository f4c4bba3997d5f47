"""A validator's Prometheus metrics, in a registry of its own. What can be read is read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

FINALITY_S: Final = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What went between this validator and one peer."""

    peer: str
    frames_in: int
    frames_out: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a validator shows now."""

    height: int
    round: int
    since_block_s: float
    peers: int
    waiting: int
    waiting_bytes: int
    round_changes: int
    convicted: int
    blob_bytes: int
    traffic: tuple[Traffic, ...] = ()


class Metrics:
    """Counts what passes, and writes it down together with a reading."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._reading: Reading | None = None
        self._finality = Histogram(
            "salus_finality_seconds",
            "From a transaction's first sight here to its final block.",
            buckets=FINALITY_S,
            registry=self._registry,
        )
        self._refused = Counter(
            "salus_refusals", "Requests refused, by the code of the reason.", ["code"], registry=self._registry
        )
        self._registry.register(_Collector(self))

    def refused(self, code: str) -> None:
        self._refused.labels(code).inc()

    def became_final(self, after_ms: Iterable[int]) -> None:
        """How long transactions of a block took."""
        for each in after_ms:
            self._finality.observe(each / 1_000)

    def text(self, reading: Reading) -> bytes:
        """Prometheus's text format."""
        self._reading = reading
        return generate_latest(self._registry)

    def families(self) -> Iterator[Metric]:
        reading = self._reading
        if reading is None:
            return
        yield GaugeMetricFamily("salus_height", "Height of the last final block.", reading.height)
        yield GaugeMetricFamily("salus_round", "Consensus round at the height after it.", reading.round)
        yield GaugeMetricFamily("salus_block_age_seconds", "Since the last final block came.", reading.since_block_s)
        yield GaugeMetricFamily("salus_peers_reachable", "Peers that are connected.", reading.peers)
        yield GaugeMetricFamily("salus_mempool_transactions", "Transactions that wait.", reading.waiting)
        yield GaugeMetricFamily("salus_mempool_bytes", "Their bytes.", reading.waiting_bytes)
        yield GaugeMetricFamily("salus_convicted", "Validators proven on chain to have equivocated.", reading.convicted)
        yield GaugeMetricFamily("salus_blob_bytes", "Updates, models and releases stored here.", reading.blob_bytes)
        yield CounterMetricFamily(
            "salus_round_changes", "Consensus rounds given up (view changes).", reading.round_changes
        )
        frames = CounterMetricFamily("salus_peer_frames", "Frames by peer and direction.", labels=["peer", "direction"])
        size = CounterMetricFamily("salus_peer_bytes", "Bytes by peer and direction.", labels=["peer", "direction"])
        for each in reading.traffic:
            frames.add_metric([each.peer, "in"], each.frames_in)
            frames.add_metric([each.peer, "out"], each.frames_out)
            size.add_metric([each.peer, "in"], each.bytes_in)
            size.add_metric([each.peer, "out"], each.bytes_out)
        yield frames
        yield size


class _Collector:
    """What Prometheus's registry asks at each scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.families()
