"""A small task, its model package, and a gateway's folder, for the edge's tests. No TensorFlow at import."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from salus_chain.genesis import Genesis, Policy, Validator, write_genesis
from salus_chain.keys import PemSigner
from salus_edge.task import Budget, Feature, Layer, Task, Window

FEDERATION = "trial"
TASK = "motion"
CLASSES = ("still", "slow", "fast")
SAMPLES, CHANNELS, FEATURES = 20, 2, 8
WINDOW_MS = 1_000
DAY_MS = 1_767_225_600_000  # when the tests' recordings begin


def small_task() -> Task:
    """20 samples of two channels at 20 Hz; a convolution, two bins, a trunk of 6, three classes, batch 8."""
    return Task(
        name=TASK,
        title="How fast something moves",
        channels=["x", "y"],
        rate_hz=20.0,
        classes=list(CLASSES),
        window=Window(samples=SAMPLES, hop=SAMPLES),
        frontend=[],
        base=[Layer(layer="conv", filters=4, taps=4, stride=2), Layer(layer="average_pool", bins=2)],
        trunk=[Layer(layer="dense", units=6, relu=True)],
        feature=Feature(scale=6 / 255, zero_point=-128),
        budget=Budget(flash_bytes=20_000, arena_bytes=16_384, macs=100_000),
        batch=8,
    )


def motion(label: int, count: int, rng: np.random.Generator, offset: float = 0.0) -> NDArray[np.float32]:
    """Windows (count, samples, channels) of one class: the class is how strong the waves are."""
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    time = np.arange(SAMPLES)[None, :, None] * (0.6 + 0.5 * np.arange(CHANNELS))[None, None, :]
    waves = (0.2 + 0.9 * label) * np.sin(time + phase) + offset
    return (waves + rng.normal(0, 0.1, waves.shape)).astype(np.float32)


def write_secret(path: Path) -> bytes:
    """32 random bytes as the gateway reads them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_bytes(32)
    path.touch(0o600)
    path.write_text(secret.hex() + "\n")
    return secret


def write_house(
    folder: Path,
    package: Path,
    broker: str = "mqtt://127.0.0.1:1",
    patients: int = 2,
    arms: tuple[dict[str, Any], ...] = ({"task": TASK, "labels": ["setup"]},),
    **changes: Any,
) -> Path:
    """A gateway's folder: keys, a genesis of four absent validators, gateway.toml; the last one's path.

    Patients are `p0`, `p1`, … with devices `wear-0`, …; each consents with 32 bytes of its number plus 1.
    """
    keys = folder / "keys"
    write_genesis(folder / "genesis.toml", _genesis(keys))
    PemSigner.generate(keys / "gateway.pem")
    write_secret(keys / "store.key")
    content: dict[str, Any] = {
        "gateway": "gateway-0",
        "key": "keys/gateway.pem",
        "genesis": "genesis.toml",
        "validators": ["http://127.0.0.1:1"],
        "federation": FEDERATION,
        "store": "gateway.sqlite",
        "store_key": "keys/store.key",
        "model": str(package),
        "retention_days": 30,
        "mqtt": {"url": broker},
        "patients": [_patient(keys, number) for number in range(patients)],
        "arms": [dict(arm) for arm in arms],
        **changes,
    }
    path = folder / "gateway.toml"
    path.write_text(tomli_w.dumps(content))
    return path


def consent(number: int) -> bytes:
    return bytes([number + 1]) * 32


def _patient(keys: Path, number: int) -> dict[str, Any]:
    write_secret(keys / f"wear-{number}.link")
    return {
        "patient": f"p{number}",
        "device": f"wear-{number}",
        "link_secret": f"keys/wear-{number}.link",
        "consent": consent(number).hex(),
        "calibrate": True,
    }


def _genesis(keys: Path) -> Genesis:
    seats = tuple(
        Validator(f"hospital-{seat}", PemSigner.generate(keys / f"v{seat}.pem").public_key, "127.0.0.1:1", "")
        for seat in range(4)
    )
    coordinator = PemSigner.generate(keys / "coordinator.pem").public_key
    release = PemSigner.generate(keys / "release.pem").public_key
    return Genesis(FEDERATION, DAY_MS, seats, (coordinator,), (release,), Policy(), False)
