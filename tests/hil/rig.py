"""A wearable's surroundings for tests: task, data, packages, releases, a real broker and a small gateway."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import tomli_w
from cryptography.hazmat.primitives.asymmetric import ec

from salus_chain.keys import KeySigner
from salus_chain.proto.release_pb2 import Golden, Manifest, Quantisation
from salus_coordinator.data import DataSet, Recording, Span
from salus_edge.frontend import cut, manifest_frontend, quantise
from salus_edge.link import (
    Connection,
    FeatureBatch,
    Label,
    Sealer,
    WindowBatch,
    decode_labels,
    derive_keys,
    open_packet,
    parse,
    topic,
)
from salus_edge.link.release_sender import Transfer, next_messages
from salus_edge.proto.link_pb2 import Ack, Calibrate, Command, Event, Range, ReleaseStatus, State
from salus_edge.release import sign_manifest
from salus_edge.task import Task
from salus_hil.virtual.config import Wearable, read_wearable
from salus_hil.virtual.engine import FakeEngine

CHAIN_ID = bytes(range(32))
SECRET = bytes(range(32, 64))
CONSENT = b"c" * 32
SIGNER = KeySigner(ec.derive_private_key(7, ec.SECP256R1()))
START_MS = 1_767_225_600_000
TASK = msgspec.convert(
    {
        "name": "sway",
        "title": "Sway",
        "channels": ["ax", "ay", "az"],
        "rate_hz": 50.0,
        "classes": ["still", "sway"],
        "window": {"samples": 32, "hop": 16},
        "frontend": [
            {"block": "filter", "parameters": {"sos": [[0.5, 0.5, 0.0, 1.0, 0.0, 0.0]]}},
            {"block": "magnitude", "parameters": {"groups": [[0, 1, 2]]}},
            {"block": "scale", "parameters": {"offset": [0.0] * 4, "gain": [1.0, 1.0, 1.0, 0.5]}},
        ],
        "base": [{"layer": "conv", "filters": 8, "taps": 4, "stride": 2}, {"layer": "average_pool"}],
        "trunk": [],
        "feature": {"scale": 6 / 255, "zero_point": -128},
        "budget": {"flash_bytes": 65536, "arena_bytes": 32768, "macs": 1_000_000},
    },
    Task,
)


def dataset(subjects: int = 2, samples: int = 2000, recordings: int = 2) -> DataSet:
    """People who sway in the second half of every 200 samples."""
    found = []
    for subject in range(subjects):
        for session in range(recordings):
            rng = np.random.default_rng([subject, session])
            signal = rng.normal(0.0, 0.3, (samples, 3)).astype(np.float32)
            spans = [
                Span(start + half * 100, start + half * 100 + 100, TASK.classes[half])
                for start in range(0, samples, 200)
                for half in (0, 1)
            ]
            channels = ("ax", "ay", "az")
            found.append(Recording(f"p{subject}", str(session), channels, 50.0, signal, tuple(spans)))
    return DataSet("sway", "Sway", "none", tuple(found))


def windows(n: int = 6) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Real front end output, float32 (n, 32, 4)."""
    return cut(TASK, dataset().recordings[0].samples, 0).windows[:n]


def fake_release(version: int, size: int = 9000, **changes: object) -> tuple[bytes, bytes]:
    """(manifest, model) for the fake engine, right in every respect but `changes` to the manifest."""
    model = (b"fake %d " % version).ljust(size, b".")
    scale = 2.0**-5
    inputs = quantise(windows(3), scale, 0)
    features = FakeEngine(model, 0).run(inputs)
    frontend = manifest_frontend(TASK)
    manifest = Manifest(
        task=TASK.name,
        version=version,
        kind=Manifest.BASE,
        signer_role=Manifest.RELEASE_KEY,
        sha256=sha256(model).digest(),
        size_bytes=len(model),
        arena_bytes=1024,
        input=Quantisation(scale=scale, zero_point=0, shape=[32, 4]),
        output=Quantisation(scale=TASK.feature.scale, zero_point=-128, shape=[FakeEngine.WIDTH]),
        golden_inputs=[each.tobytes() for each in inputs],
        goldens=[Golden(name="feature", outputs=[each.tobytes() for each in features])],
        frontend=frontend,
        frontend_sha256=sha256(frontend.SerializeToString(deterministic=True)).digest(),
        chain_id=CHAIN_ID,
    )
    manifest.MergeFrom(Manifest(**changes))  # type: ignore[arg-type]
    return manifest.SerializeToString(deterministic=True), model


def write_package(folder: Path, manifest: bytes, model: bytes) -> None:
    """The three files of a model package that a wearable reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(tomli_w.dumps(msgspec.to_builtins(TASK)))
    (folder / "manifest.pb").write_bytes(manifest)
    (folder / "base.tflite").write_bytes(model)


def write_config(folder: Path, port: int, device: str = "w-p0", **changes: object) -> Path:
    """A wearable's TOML with all the files that it names."""
    (folder / "link.hex").write_text(SECRET.hex() + "\n")
    (folder / "release.hex").write_text(SIGNER.public_key.hex() + "\n")
    if not (folder / "model").exists():
        write_package(folder / "model", *fake_release(1))
    content: dict[str, object] = {
        "device": device,
        "federation": "test",
        "mqtt": f"mqtt://127.0.0.1:{port}",
        "link_secret": "link.hex",
        "release_public_key": "release.hex",
        "chain_id": CHAIN_ID.hex(),
        "model": "model",
        "state": f"state-{device}",
        "ack_timeout_s": 0.5,
        "replay": {
            "data": "sway",
            "subject": device[2:],
            "start_ms": START_MS,
            "phases": [{"parts": ["setup", "diary"]}],
        },
    }
    path = folder / f"{device}.toml"
    path.write_text(tomli_w.dumps({**content, **changes}))
    return path


def config(folder: Path, port: int, device: str = "w-p0", **changes: object) -> Wearable:
    return read_wearable(write_config(folder, port, device, **changes))


class Mosquitto:
    """A real broker that can be stopped and started again on its port."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 100000\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def path() -> str | None:
        return shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")

    def start(self) -> None:
        command = [self.path() or "mosquitto", "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError("mosquitto does not listen")

    def stop(self) -> None:
        """Kill: nothing it held survives."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@dataclass
class Gateway:
    """Acks what it hears, once it should; asks for calibration; sends a release. Remembers all."""

    port: int
    device: str = "w-p0"
    acking: bool = True
    calibrate_until_ms: int = 0
    transfer: Transfer | None = None
    seen: set[tuple[int, int]] = field(default_factory=set)
    duplicates: int = 0
    features: list[FeatureBatch] = field(default_factory=list)
    windows: list[WindowBatch] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    statuses: list[ReleaseStatus] = field(default_factory=list)
    raw: list[tuple[str, bytes]] = field(default_factory=list)
    lost: int = 0

    def __post_init__(self) -> None:
        self.keys = derive_keys(SECRET, CHAIN_ID, self.device)
        self.sealer = Sealer(self.keys.down, 1)
        self.connection = Connection(
            f"mqtt://127.0.0.1:{self.port}",
            f"gateway-{self.device}",
            [f"salus/1/test/{self.device}/{kind}" for kind in ("state", "feature", "window", "event", "label")],
        )

    async def run(self) -> None:
        await self.connection.run(self._handle)

    async def send(self, kind: str, plaintext: bytes) -> None:
        name = topic("test", self.device, kind)
        await self.connection.publish(name, self.sealer.seal(name, plaintext).payload)

    async def calibrate(self, until_ms: int) -> None:
        while not self.states:
            await asyncio.sleep(0.02)
        base = self.states[-1].base_sha256
        command = Command(calibrate=Calibrate(until_ms=until_ms, consent=CONSENT, base_sha256=base))
        await self.send("command", command.SerializeToString())

    async def offer(self, transfer: Transfer) -> None:
        self.transfer = transfer
        for message in next_messages(transfer, None):
            await self.send("release", message)

    async def _handle(self, name: str, payload: bytes) -> None:
        self.raw.append((name, payload))
        if payload == b"lost":
            self.lost += 1
            return
        opened = open_packet(self.keys.up, name, payload)
        key = (opened.boot, opened.sequence)
        if self.acking:
            fresh = key not in self.seen
            self.seen.add(key)
            self.duplicates += not fresh
            ranges = [Range(boot=key[0], first_sequence=key[1], last_sequence=key[1])]
            asyncio.get_running_loop().create_task(self.send("ack", Ack(ranges=ranges).SerializeToString()))
            if fresh:
                await self._take(parse(name).kind, opened.plaintext)

    async def _take(self, kind: str, data: bytes) -> None:
        if kind == "feature":
            self.features.append(FeatureBatch.decode(data))
        elif kind == "window":
            self.windows.append(WindowBatch.decode(data))
        elif kind == "label":
            self.labels.extend(decode_labels(data))
        elif kind == "state":
            self.states.append(State.FromString(data))
            if self.calibrate_until_ms and not self.states[-1].calibrating:
                until_ms, self.calibrate_until_ms = self.calibrate_until_ms, 0
                asyncio.get_running_loop().create_task(self.calibrate(until_ms))
        elif kind == "event":
            status = Event.FromString(data).release
            self.statuses.append(status)
            if self.transfer is not None:
                for message in next_messages(self.transfer, status):
                    asyncio.get_running_loop().create_task(self.send("release", message))


def signed_transfer(manifest: bytes, model: bytes) -> Transfer:
    return Transfer(sign_manifest(manifest, SIGNER), model)
