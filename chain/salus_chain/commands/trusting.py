"""Let tools that check TLS themselves know the validators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from salus_chain.commands.options import GenesisOption


def anchors(
    genesis: GenesisOption,
    out: Annotated[Path, typer.Option("--out", help="The PEM file to write.")] = Path("anchors.pem"),
) -> None:
    """Write the validators' keys as certificates to trust, for curl, Prometheus and other clients of their HTTPS.

    Example: salus chain anchors --genesis federation/genesis.toml --out anchors.pem
    """
    from salus_chain.genesis import read_genesis
    from salus_chain.tls import HOST, anchors_pem

    keys = read_genesis(genesis).keys
    out.write_bytes(anchors_pem(keys))
    typer.echo(f"{out}: {len(keys)} validators")
    typer.echo(f"curl --cacert {out} --connect-to {HOST}:443:HOST:PORT https://{HOST}/status")
    typer.echo(f"Prometheus: tls_config: {{ca_file: {out}, server_name: {HOST}}}")
