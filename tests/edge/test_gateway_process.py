"""The gateway as a real process behind a real broker, both killed at will: nothing is lost, nothing counted twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from salus.broker import Broker, start_broker
from salus.errors import MissingToolError
from salus.processes import Processes, free_ports
from salus_edge.config import Settings, read_settings
from salus_edge.link import FeatureBatch, Label, WindowBatch, encode_labels
from salus_edge.proto import link_pb2
from tests.edge.people import make_windows
from tests.edge.wearable import Wearable
from tests.edge.world import CONSENT, START_MS, WINDOW_MS, write_world

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

PER_PACKET = 4


@dataclass
class Ward:
    """A broker, a gateway's configuration, and the wearable of its first patient."""

    processes: Processes
    folder: Path
    config: Path
    settings: Settings
    port: int
    wearable: Wearable

    def start_gateway(self) -> None:
        command = [sys.executable, "-m", "salus_edge", "run", str(self.config)]
        self.processes.start("gateway", command)

    def kill(self, name: str) -> None:
        child = self.processes.children.pop(name)
        child.process.send_signal(signal.SIGKILL)
        child.process.wait()

    def start_broker(self) -> Broker:
        return start_broker(self.processes, self.folder / "broker", self.port)

    def count(self, table: str) -> int:
        with sqlite3.connect(self.settings.store) as connection:
            return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])

    def starts(self, table: str) -> list[int]:
        with sqlite3.connect(self.settings.store) as connection:
            return [row[0] for row in connection.execute(f"SELECT start_ms FROM {table} ORDER BY start_ms")]


@pytest.fixture
def ward(tmp_path: Path, package_folder: Path) -> Iterator[Ward]:
    (port,) = free_ports(1)
    config = write_world(tmp_path, package_folder, broker=f"mqtt://127.0.0.1:{port}")
    settings = read_settings(config)
    with Processes(tmp_path / "logs") as processes:
        try:
            start_broker(processes, tmp_path / "broker", port)
        except MissingToolError as error:
            pytest.skip(str(error))
        with Wearable(settings, 0, port) as wearable:
            yield Ward(processes, tmp_path, config, settings, port, wearable)


def features(settings: Settings, at: int) -> bytes:
    """The batch of this number: `PER_PACKET` windows that follow those of the one before."""
    start = START_MS + (at * PER_PACKET + np.arange(PER_PACKET, dtype=np.int64)) * WINDOW_MS
    values = np.full((PER_PACKET, 8), at % 100, np.int8)
    digest = settings.package.base_sha256
    none = np.empty((PER_PACKET, 0), np.int16)
    return FeatureBatch("wave", 1, digest, start, WINDOW_MS, values, none).encode()


def windows(at: int) -> bytes:
    start = START_MS + (at * PER_PACKET + np.arange(PER_PACKET, dtype=np.int64)) * WINDOW_MS
    values = make_windows(np.full(PER_PACKET, at % 3), np.random.default_rng(at))
    return WindowBatch("wave", start, WINDOW_MS, values, CONSENT).encode()


def online(settings: Settings) -> bytes:
    base = settings.package.base_sha256
    state = link_pb2.State(
        link=link_pb2.State.ONLINE, task="wave", model_version=1, base_sha256=base, clock_ms=START_MS
    )
    return state.SerializeToString()


def test_killing_gateway_and_broker_mid_stream_loses_nothing_and_counts_nothing_twice(ward: Ward) -> None:
    rng, wearable, batches = random.Random(11), ward.wearable, 60
    ward.start_gateway()
    for at in range(batches):
        wearable.say("feature", features(ward.settings, at))
        if at % 3 == 0:
            wearable.say("window", windows(at // 3))
            begin = START_MS + at * PER_PACKET * WINDOW_MS
            label = Label(f"l{at}", begin, begin + PER_PACKET * WINDOW_MS, "slow", "setup", "wave")
            wearable.say("label", encode_labels([label]))
        if at % 15 == 14:
            wearable.drain_acks(rng.randint(1, 2))
            ward.kill("gateway")
            if at == 29:
                ward.kill("broker")
                ward.start_broker()
            ward.start_gateway()
    wearable.drain()
    wearable.replay()
    wearable.say("label", encode_labels([Label("last", START_MS, START_MS + 1, "fast", "diary", "wave")]))
    wearable.drain()
    ward.processes.stop("gateway")
    expected = [START_MS + index * WINDOW_MS for index in range(batches * PER_PACKET)]
    assert ward.starts("features") == expected
    assert ward.starts("windows") == expected[: 20 * PER_PACKET]
    assert ward.count("labels") == 21
    assert ward.count("packets") == len(wearable.sent)
    assert wearable.refused == {}
    assert ward.starts("predictions") == expected


def test_a_gateway_ends_with_exit_code_0_when_it_is_asked_to(ward: Ward) -> None:
    ward.start_gateway()
    ward.wearable.say("feature", features(ward.settings, 0))
    ward.wearable.drain()
    child = ward.processes.children["gateway"]
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait(10) == 0, child.tail()


def test_a_consenting_patients_wearable_is_asked_to_calibrate(ward: Ward) -> None:
    ward.start_gateway()
    ward.wearable.say("state", online(ward.settings))
    ward.wearable.drain(lambda: bool(ward.wearable.commands))
    order = ward.wearable.commands[0].calibrate
    assert (order.until_ms, order.consent) == (START_MS + ward.settings.retention_ms, CONSENT)


def test_what_is_not_the_wearables_is_not_stored_and_does_not_stop_the_gateway(ward: Ward) -> None:
    wearable = ward.wearable
    ward.start_gateway()
    where, payload = wearable.say("feature", features(ward.settings, 0))
    wearable.drain()
    wearable.publish(where, payload[:-7])
    wearable.publish(where, payload[:-1] + bytes([payload[-1] ^ 1]))
    wearable.publish(where, b"")
    wearable.publish(where.replace("/feature", "/window"), payload)
    wearable.publish(where, bytes(300_000))
    wearable.say("feature", b"\xff")
    wearable.say("label", encode_labels([Label("x", START_MS, START_MS + 9, "flying", "setup", "wave")]))
    wearable.say("feature", features(ward.settings, 1))
    wearable.drain()
    assert len(ward.starts("features")) == 2 * PER_PACKET
    assert wearable.refused == {2: "malformed", 3: "unknown_class"}
    log = ward.processes.children["gateway"].log.read_text()
    assert all(code in log for code in ("truncated", "wrong_key", "too_large"))


@pytest.mark.parametrize(
    ("change", "said"), [({"colour": "blue"}, "colour"), ({"key": "keys/nowhere.pem"}, "no such key file")]
)
def test_a_wrong_configuration_is_one_line_and_exit_code_2(
    change: dict[str, object], said: str, tmp_path: Path, package_folder: Path
) -> None:
    path = write_world(tmp_path, package_folder, changes=change)
    ended = subprocess.run(
        [sys.executable, "-m", "salus_edge", "run", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
