"""A small federation on disk: genesis, keys, gateway.toml; and people whose data is in a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tomli_w

from salus_chain.fixed import SCALE, Int32s
from salus_chain.genesis import Genesis, Policy, Validator, write_genesis
from salus_chain.keys import PemSigner
from salus_chain.layout import Group
from salus_chain.rules.transactions import OpenRound
from salus_chain.updates import model_digest
from salus_chain.views import RoundView
from salus_edge import bases
from salus_edge.config import Settings
from salus_edge.link.messages import FeatureBatch, Label, WindowBatch
from salus_edge.store import Database, labels, windows
from salus_edge.store.windows import Windows
from salus_edge.training.schedules import Parameters
from tests.edge.people import CLASSES, make_windows

CONSENT = bytes(range(32))
PATIENTS = ("anna", "bert")
WINDOW_MS = 1600
START_MS = 1_767_225_600_000
ROWS = 60  # labelled windows of each source


def write_world(
    folder: Path, package: Path, broker: str = "mqtt://127.0.0.1:1", changes: Mapping[str, object] | None = None
) -> Path:
    """gateway.toml and all that it names; `changes` replace top-level keys. Keys that exist stay."""
    keys = folder / "keys"
    if not (folder / "genesis.toml").exists():
        names = ("hospital", "coordinator", "release", "gateway")
        public = {name: PemSigner.generate(keys / f"{name}.pem").public_key for name in names}
        seat = Validator("hospital", public["hospital"], "127.0.0.1:1", "http://127.0.0.1:1")
        genesis = Genesis(
            "test", 1, (seat,), (public["coordinator"],), (public["release"],), Policy(min_updates=1), True
        )
        write_genesis(folder / "genesis.toml", genesis)
    for index, name in enumerate(("store", *PATIENTS)):
        secret = keys / name
        if not secret.exists():
            secret.write_text(bytes([index + 1] * 32).hex() + "\n")
            secret.chmod(0o600)
    content: dict[str, object] = {
        "gateway": "gateway-0",
        "key": "keys/gateway.pem",
        "genesis": "genesis.toml",
        "federation": "test",
        "store": "gateway.sqlite",
        "store_key": "keys/store",
        "model": str(package),
        "mqtt": {"url": broker},
        "patients": [
            {
                "patient": name,
                "device": f"wearable-{name}",
                "link_secret": f"keys/{name}",
                "consent": CONSENT.hex(),
                "calibrate": True,
            }
            for name in PATIENTS
        ],
        "arms": [{"task": "wave", "labels": ["setup"]}, {"task": "wave-60", "labels": ["setup", "diary"]}],
    }
    path = folder / "gateway.toml"
    path.write_text(tomli_w.dumps({**content, **(changes or {})}))
    return path


def live(
    settings: Settings, database: Database, patient: str, sources: Sequence[str] = ("setup",), twist: float = 0.0
) -> None:
    """Give a patient labelled windows, ROWS for each source one after another, and features of the packaged base."""
    rng, at = np.random.default_rng(len(patient)), START_MS
    for source in sources:
        truth = rng.integers(0, len(CLASSES), ROWS)
        starts = at + WINDOW_MS * np.arange(ROWS, dtype=np.int64)
        with database.transaction() as cursor:
            raw = Windows(starts, starts + WINDOW_MS, make_windows(truth, rng, twist))
            windows.add(cursor, settings.store_key, patient, raw, CONSENT, START_MS)
            for index, label in enumerate(truth):
                begin = int(starts[index])
                name = f"{source}-{index}"
                said = Label(name, begin, begin + WINDOW_MS, CLASSES[label], source, "wave")
                labels.add(cursor, f"wearable-{patient}", patient, said)
        at += WINDOW_MS * ROWS
    bases.fill(database, settings, patient, settings.package.base_sha256)


def first_model(settings: Settings) -> Int32s:
    return settings.package.fixed


def round_view(
    settings: Settings,
    number: int = 1,
    *,
    task: str = "wave",
    kind: str = "feature",
    algorithm: str = "fedrep",
    groups: Sequence[Group] = ("trunk",),
    parameters: Parameters | None = None,
    status: str = "open",
    deadline_ms: int = 1 << 60,
) -> RoundView:
    """A round as a validator would tell of it, from the packaged model."""
    layout = settings.package.layout
    names = layout.names(groups)
    chosen = parameters or Parameters(lr_shared=0.02, lr_personal=0.05, momentum=0.5, clip=2.0)
    opened = OpenRound(
        task,
        number,
        kind,
        settings.package.base_sha256,
        settings.package.program_digest,
        names,
        algorithm,
        chosen.to_chain(),
        "clipped_mean",
        2 * SCALE,
        1,
        100,
        deadline_ms,
        deadline_ms + 1000,
    )
    before = model_digest(layout.digest, first_model(settings))
    return RoundView(
        task,
        number,
        status,  # type: ignore[arg-type]
        opened,
        layout.digest,
        len(layout.indices(names)),
        1,
        None,
        None,
        before,
        None,
        None,
        {},
        {},
        (),
        "",
    )


def feature_batch(settings: Settings, count: int = 3, start_ms: int = START_MS, base: bytes = b"") -> FeatureBatch:
    """Features such as a wearable sends."""
    width = 8
    return FeatureBatch(
        "wave",
        1,
        base or settings.package.base_sha256,
        start_ms + WINDOW_MS * np.arange(count, dtype=np.int64),
        WINDOW_MS,
        np.arange(count * width, dtype=np.int64).reshape(count, width).astype(np.int8),
        np.empty((count, 0), np.int16),
    )


def window_batch(count: int = 2, consent: bytes = CONSENT) -> WindowBatch:
    """Calibration windows such as a wearable sends."""
    values = make_windows(np.arange(count) % 3, np.random.default_rng(1))
    return WindowBatch("wave", START_MS + WINDOW_MS * np.arange(count, dtype=np.int64), WINDOW_MS, values, consent)
