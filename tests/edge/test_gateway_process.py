"""The gateway as a process: killed at any moment it loses and doubles nothing, and ends when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from salus.broker import mosquitto_path, start_broker
from salus.processes import Processes, free_ports
from salus_edge.config import Settings, read_settings
from salus_edge.link.messages import encode_labels
from salus_edge.proto import link_pb2
from salus_edge.store import Database, features, packets
from tests.edge.test_intake import LABEL
from tests.edge.wearable import Wearable
from tests.edge.world import START_MS, WINDOW_MS, feature_batch, write_world

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed"),
]
PACKETS = 400
DEADLINE_S = 25.0


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with Processes(tmp_path / "logs") as processes:
        yield start_broker(processes, tmp_path / "broker", free_ports(1)[0]).port


@pytest.fixture
def world(tmp_path: Path, package_folder: Path, port: int) -> Settings:
    return read_settings(write_world(tmp_path, package_folder, f"mqtt://127.0.0.1:{port}"))


def start(settings: Settings) -> subprocess.Popen[bytes]:
    log = (settings.path.parent / "gateway.log").open("ab")
    command = [sys.executable, "-m", "salus_edge", "run", str(settings.path)]
    return subprocess.Popen(
        command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def wait(condition: Callable[[], bool], what: str, again: Callable[[], None] | None = None) -> None:
    deadline, tries = time.monotonic() + DEADLINE_S, 0
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)
        tries += 1
        if again is not None and tries % 20 == 0:
            again()


def test_killed_in_mid_stream_it_loses_and_doubles_nothing(world: Settings, port: int) -> None:
    gateway = start(world)
    try:
        with Wearable(world, 0, port) as wearable:
            wearable.say("label", encode_labels([LABEL]))
            for at in range(PACKETS):
                wearable.say("feature", feature_batch(world, 2, START_MS + 2 * at * WINDOW_MS).encode())
                if at in (PACKETS // 3, 2 * PACKETS // 3):
                    wait(lambda: len(wearable.ring) < PACKETS // 4, "acks", wearable.send_again)
                    gateway.send_signal(signal.SIGKILL)
                    gateway.wait()
                    gateway = start(world)
            wait(lambda: not wearable.ring, "the last ack", wearable.send_again)
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(10) == 0
    finally:
        gateway.kill()
    with Database(world.store) as database:
        found = features.read(database, "anna", world.package.base_sha256)
        assert found.start_ms.tolist() == [START_MS + at * WINDOW_MS for at in range(2 * PACKETS)]
        assert packets.count(database, wearable.device) == PACKETS + 1
        assert database.row("SELECT COUNT(*) FROM labels") == (1,)


def test_it_calibrates_refuses_and_predicts(world: Settings, port: int) -> None:
    gateway = start(world)
    try:
        with Wearable(world, 0, port) as wearable:
            state = link_pb2.State(
                link=link_pb2.State.ONLINE,
                task="wave",
                model_version=1,
                base_sha256=world.package.base_sha256,
                clock_ms=START_MS,
            )
            wearable.say("state", state.SerializeToString())
            wearable.publish(wearable.topic("feature"), b"\x08\x01garbage")
            wearable.say("label", b"")
            wearable.say("feature", feature_batch(world).encode())
            wait(lambda: not wearable.ring and bool(wearable.commands), "acks and a command", wearable.send_again)
            assert wearable.refused == {2: "malformed"}
            (command,) = {each.SerializeToString() for each in wearable.commands}
            order = link_pb2.Command.FromString(command).calibrate
            assert order.until_ms == START_MS + world.retention_ms
            assert order.consent == world.patients[0].consent
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(10) == 0
    finally:
        gateway.kill()
    with Database(world.store) as database:
        rows = database.rows("SELECT start_ms, arm, personal, historical FROM predictions ORDER BY start_ms")
        assert [row[0] for row in rows] == [START_MS + at * WINDOW_MS for at in range(3)]
        assert {row[1:3] for row in rows} == {("wave", 0)}


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
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
