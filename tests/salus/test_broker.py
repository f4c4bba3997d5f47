from __future__ import annotations

from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

import salus.broker
from salus.broker import mosquitto_path, start_broker
from salus.errors import MissingToolError
from salus.processes import Processes, free_ports


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_a_message_goes_through_either_broker(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "mosquitto" and mosquitto_path() is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    if kind == "amqtt":
        monkeypatch.setattr(salus.broker, "mosquitto_path", lambda: None)
    with Processes(tmp_path / "logs") as processes:
        broker = start_broker(processes, tmp_path / "broker", free_ports(1)[0])
        assert broker.kind == kind
        got: list[bytes] = []
        client = Client(CallbackAPIVersion.VERSION2)
        client.on_message = lambda _client, _data, message: got.append(bytes(message.payload))
        client.connect("127.0.0.1", broker.port)
        client.subscribe("salus/1/demo/+/feature", qos=1)
        client.loop_start()
        client.publish("salus/1/demo/w/feature", b"sealed", qos=1)
        try:
            processes.wait_until(lambda: got == [b"sealed"], "the message", 10)
        finally:
            client.loop_stop()


def test_without_any_broker_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(salus.broker, "mosquitto_path", lambda: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with (
        Processes(tmp_path / "logs") as processes,
        pytest.raises(MissingToolError, match=r"apt install mosquitto.*pip install"),
    ):
        start_broker(processes, tmp_path / "broker", 1)
