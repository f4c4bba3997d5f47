"""A broker's address as one URL: `mqtt://host:port`, `mqtts://user:password@host:port?ca=…&cert=…&key=…`."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from salus_edge.errors import ConfigError

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_FILES: Final = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how this side proves itself. `ca`, `cert` and `key` are PEM files, or empty."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = None
    ca: str = ""
    cert: str = ""
    key: str = ""

    def __str__(self) -> str:
        """Without the password: for logs."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    def context(self) -> ssl.SSLContext | None:
        """TLS 1.2 or newer, host checked; None for mqtt. Raises ConfigError: a file does not load."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{self}: ca, cert or key does not load ({error})") from None
        return context


def read_url(url: str, beside: Path | None = None) -> Broker:
    """Read a broker URL; relative file names are beside the configuration file `beside`.

    Raises ConfigError: another scheme, no host, an unknown parameter, files without TLS.
    """
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.hostname}"
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigError(f"broker {shown}: write mqtt://host:port or mqtts://host:port")
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise ConfigError(f"broker {shown}: the port is no number from 1 to 65535") from None
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if unknown := sorted(set(query) - set(_FILES)):
        raise ConfigError(f"broker {shown}: unknown {', '.join(unknown)}; known are {', '.join(_FILES)}")
    if query and parts.scheme != "mqtts":
        raise ConfigError(f"broker {shown}: ca, cert and key are for mqtts://")
    if beside is not None:
        query = {name: str((beside.parent / value).resolve()) for name, value in query.items()}
    return Broker(
        parts.hostname,
        port,
        parts.scheme == "mqtts",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        **query,
    )
