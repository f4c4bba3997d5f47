"""Every decoder of the chain under atheris: arbitrary bytes raise its own error, and nothing else.

    python -m tests.fuzz.decoders -max_total_time=300 folder-of-finds

The first byte chooses the decoder. Options are libFuzzer's. `CASES` and `run` need no atheris.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Final

from salus_chain.audit.archive import read_blocks, read_head
from salus_chain.candidates import decode_candidate, decode_release
from salus_chain.codec import Value, decode, encode, fields, items, octets
from salus_chain.errors import ChainError, DecodeError, ProofError
from salus_chain.genesis import read_genesis
from salus_chain.keys import verify
from salus_chain.layout import Layout
from salus_chain.light.proofs import check_proof
from salus_chain.node.network.wire import decode_frame, decode_lock
from salus_chain.node.recovery.sources import read_decided
from salus_chain.node.storage.records import read_records
from salus_chain.reports import decode_report
from salus_chain.rules.blocks import Certificate, decode_block
from salus_chain.rules.restore import state_of
from salus_chain.rules.transactions import read_transaction
from salus_chain.tls import member_of
from salus_chain.updates import decode_model, decode_update
from salus_chain.views import Status, from_json
from tests.chain.federation import LAYOUT, MODEL, Federation, federation


@cache
def _federation() -> Federation:
    return federation()


def _file(read: Callable[[Path], object], data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        read(Path(file.name))


def _archive(data: bytes) -> None:
    file = BytesIO(data)
    _, height = read_head(file)
    for _ in read_blocks(file, height):
        pass


def _entries(data: bytes) -> None:
    """A database's entries of the state, here as one array of pairs."""

    def pair(value: Value) -> tuple[bytes, bytes]:
        key, entry = fields(value, 2, "pair")
        return octets(key, "key"), octets(entry, "entry")

    state_of(_federation().genesis, 1, 1, bytes(32), items(decode(data), pair, "entries"))


Case = tuple[Callable[[bytes], object], type[Exception] | tuple[type[Exception], ...]]

CASES: Final[dict[str, Case]] = {
    "frame": (decode_frame, DecodeError),
    "block": (decode_block, DecodeError),
    "certificate": (lambda data: Certificate.read(decode(data)), DecodeError),
    "transaction": (read_transaction, DecodeError),
    "update": (decode_update, DecodeError),
    "model": (decode_model, DecodeError),
    "proof": (lambda data: check_proof(_federation().genesis, data, verify), ProofError),
    "candidate": (decode_candidate, DecodeError),
    "release": (decode_release, DecodeError),
    "vote records": (lambda data: _file(read_records, data), ChainError),
    "lock": (decode_lock, DecodeError),
    "entries": (_entries, DecodeError),
    "layout": (lambda data: Layout.from_json(data.decode(errors="replace")), DecodeError),
    "genesis": (lambda data: _file(read_genesis, data), ChainError),
    "final block": (read_decided, DecodeError),
    "archive": (_archive, DecodeError),
    "report": (decode_report, DecodeError),
    "view": (lambda data: from_json(data, Status), DecodeError),
    "peer certificate": (member_of, DecodeError),
}
NAMES: Final = tuple(CASES)


def run(data: bytes) -> None:
    """One input; raises what no decoder may."""
    if data:
        decoder, errors = CASES[NAMES[data[0] % len(NAMES)]]
        with suppress(*(errors if isinstance(errors, tuple) else (errors,))):
            decoder(data[1:])


def seeds() -> list[bytes]:
    """A good input of most decoders, for a fuzzer to begin with."""
    from salus_chain.node.network.wire import encode_frame
    from salus_chain.rules.blocks import encode_block
    from salus_chain.rules.state import entries
    from salus_chain.tls import credentials
    from tests.chain.light.trail import PROOF
    from tests.chain.node.test_wire import BLOCK, FRAMES

    f = _federation()
    state = f.opened(f.enrolled())
    good: list[tuple[str, bytes]] = [("frame", encode_frame(frame)) for frame in FRAMES]
    good += [("transaction", data) for data in BLOCK.transactions]
    good += [
        ("block", encode_block(BLOCK)),
        ("update", f.update(state, 0)),
        ("model", MODEL),
        ("entries", encode(tuple(entries(state)))),
        ("layout", LAYOUT.to_json().encode()),
        ("proof", PROOF),
        ("peer certificate", credentials(f.validators[0]).certificate),
    ]
    return [bytes([NAMES.index(name)]) + data for name, data in good]


def main(arguments: list[str]) -> None:
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed; see the extra `fuzz` (PyPI has wheels for Python 3.11 on Linux)")
    for name in [name for name in sys.modules if name.startswith(("salus_chain", "tests."))]:
        del sys.modules[name]  # to be imported once more, so that atheris sees which branches an input takes
    with atheris.instrument_imports(include=["salus_chain"], enable_loader_override=False):
        here = import_module("tests.fuzz.decoders")
        good = here.seeds()
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(good):
            (Path(folder) / f"seed-{number}").write_bytes(data)
        atheris.Setup([*arguments, folder], here.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
