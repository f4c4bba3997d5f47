"""An MQTT broker for a demo or a test: Mosquitto where it is installed, else the embedded amqtt."""

from __future__ import annotations

import getpass
import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from salus.errors import MissingToolError
from salus.processes import Child, Processes, listening

SYSTEM_PATHS: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
START_TIMEOUT_S: Final = 10.0
AMQTT: Final = "from amqtt.scripts.broker_script import main; main()"


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker on the loopback interface."""

    kind: str
    port: int
    child: Child

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


def mosquitto_path() -> str | None:
    """Where Mosquitto is, also when only root's PATH would show it."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATHS}")


def start_broker(processes: Processes, folder: Path, port: int) -> Broker:
    """Start a broker on 127.0.0.1:`port` that keeps sessions and queued messages in `folder`.

    Raises MissingToolError when neither Mosquitto nor amqtt is installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mosquitto = mosquitto_path()
    if mosquitto:
        child = processes.start("broker", [mosquitto, "-c", str(_mosquitto_config(folder, port))])
        kind = "mosquitto"
    elif importlib.util.find_spec("amqtt"):
        child = processes.start("broker", [sys.executable, "-c", AMQTT, "-c", str(_amqtt_config(folder, port))])
        kind = "amqtt"
    else:
        raise MissingToolError(
            "no MQTT broker: install Mosquitto (apt install mosquitto) or the embedded one (pip install 'salus[demo]')"
        )
    processes.wait_until(lambda: listening(port), f"the broker ({kind}) to listen", START_TIMEOUT_S)
    return Broker(kind, port, child)


def _mosquitto_config(folder: Path, port: int) -> Path:
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\n"
        "allow_anonymous true\n"  # loopback only; payloads are sealed end to end
        f"user {getpass.getuser()}\n"
        "persistence true\n"
        f"persistence_location {folder}/\n"
        "autosave_interval 1\n"
        "max_inflight_messages 100\n"
        "max_queued_messages 100000\n"
        "set_tcp_nodelay true\n"
    )
    return config


def _amqtt_config(folder: Path, port: int) -> Path:
    config = folder / "amqtt.yaml"
    config.write_text(
        "listeners:\n"
        f"  default: {{type: tcp, bind: '127.0.0.1:{port}'}}\n"
        "plugins:\n"
        "  amqtt.plugins.authentication.AnonymousAuthPlugin: {allow_anonymous: true}\n"
    )
    return config
