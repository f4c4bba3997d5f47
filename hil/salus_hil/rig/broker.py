"""A Mosquitto of the rig's own, which a test may stop, kill and start again."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from salus_hil.errors import RigError
from salus_hil.rig.authority import Authority

START_TIMEOUT_S: Final = 10.0
_PLACES: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"


def mosquitto_path() -> str | None:
    """Where it is, also when only root's PATH would show it."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:{_PLACES}")


class Mosquitto:
    """On a free port. `host` other than the loopback listens on all interfaces: a board has to reach it.

    With an `authority` also by TLS on a second port, where clients need a certificate; its own is for `certified`, or
    for `host`.
    """

    def __init__(
        self, folder: Path, host: str = "127.0.0.1", authority: Authority | None = None, certified: str = ""
    ) -> None:
        self.host, self.port, self.tls_port = host, _free_port(), _free_port() if authority else 0
        listen = "127.0.0.1" if host == "127.0.0.1" else "0.0.0.0"  # noqa: S104  boards reach it over the network
        folder.mkdir(parents=True, exist_ok=True)
        self._config, self._log = folder / "mosquitto.conf", folder / "mosquitto.log"
        self._config.write_text(
            f"listener {self.port} {listen}\n"
            f"{_tls(folder, self.tls_port, listen, authority, certified or host) if authority else ''}"
            "allow_anonymous true\n"  # payloads are sealed end to end
            f"user {getpass.getuser()}\n"
            f"persistence true\npersistence_location {folder}/\nautosave_interval 1\n"
            "max_queued_messages 100000\nmax_inflight_messages 100\nset_tcp_nodelay true\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As the wearable reaches it."""
        return f"mqtt://{self.host}:{self.port}"

    @property
    def tls_url(self) -> str:
        """As the wearable reaches it by TLS."""
        return f"mqtts://{self.host}:{self.tls_port}"

    @property
    def refusals(self) -> int:
        """How many TLS handshakes one side or the other has ended."""
        return self._log.read_text(errors="replace").count("OpenSSL Error[0]")

    @property
    def local_url(self) -> str:
        """As this machine reaches it."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Listens when it returns. Raises RigError: not installed, or it does not listen."""
        program = mosquitto_path()
        if program is None:
            raise RigError("mosquitto is not installed: apt install mosquitto")
        with self._log.open("ab") as out:
            self._process = subprocess.Popen([program, "-c", str(self._config)], stdout=out, stderr=out)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _listening(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RigError(f"mosquitto does not listen on port {self.port}; see {self._log}")
            time.sleep(0.02)

    def freeze(self) -> None:
        """It keeps its connections and answers nothing, until `kill`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        """As a service manager would: sessions and queued messages are saved."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """As a power cut: nothing is saved."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _tls(folder: Path, port: int, listen: str, authority: Authority, certified: str) -> str:
    """The lines of the configuration for the TLS port; its files are written beside."""
    issued = authority.issue("broker", certified)
    for name, content in (("ca", authority.pem), ("certificate", issued.certificate_pem), ("key", issued.key_pem)):
        (folder / f"{name}.pem").write_bytes(content)
    return (
        f"listener {port} {listen}\nrequire_certificate true\n"
        f"cafile {folder}/ca.pem\ncertfile {folder}/certificate.pem\nkeyfile {folder}/key.pem\n"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
