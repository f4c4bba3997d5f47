"""What the fake does for each command of the console, and what it keeps: the provisioning, and its flash."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from salus_chain.proto.release_pb2 import Manifest, ReleaseMessage
from salus_edge.errors import Refused
from salus_edge.link import BootCounter, decode_labels
from salus_edge.link.messages import read
from salus_edge.proto import console_pb2 as pb
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.release import golden_inputs
from salus_edge.task import Task
from salus_hil.fake.first_model import FirstModel
from salus_hil.fake.port import MAX_FRAME_BYTES, VERSION, Port
from salus_hil.fake.session import Session
from salus_hil.fake.telling import add_statistics, add_status, as_config
from salus_hil.virtual.engine import load_tflm
from salus_hil.virtual.flash import Flash
from salus_hil.virtual.slots import Slots

IDENTITY: Final = ("device", "federation", "chain_id", "link_secret", "release_public_key", "gateway_public_key")
ENROLLED: Final = ("device", "federation", "chain_id", "link_secret", "release_public_key", "broker_url")


class FakeWearable:
    """One process. `handle` takes a frame; `ended` is set when it is to restart."""

    def __init__(self, folder: Path, link: Path, task: Task, bridged: bool) -> None:
        self._folder, self._task, self._bridged = folder, task, bridged
        self._kept = folder / "provision.pb"
        self._provisioned = pb.Provision.FromString(self._kept.read_bytes()) if self._kept.exists() else pb.Provision()
        self._first = FirstModel(task)
        self._latency = [0] * 32
        self._inferences = 0
        self._ring_high_water = 0
        self._clock_ms = 0
        self._began_s = time.monotonic()
        self._wanted = True
        self._session: Session | None = None
        self.restarting = asyncio.Event()
        self._port = Port(link, self.handle)
        self._start()
        self._log(pb.Log.INFO, "started")

    def handle(self, frame: pb.Frame) -> None:
        """Answer one frame."""
        which = frame.WhichOneof("body")
        try:
            if frame.version != VERSION:
                raise Refused("version", f"console version {frame.version}, not {VERSION}")
            act = _ACTS.get(which or "")
            if act is None:
                raise Refused("unsupported", f"{which or 'an empty frame'} is no request")
            answer = act(self, getattr(frame, which or ""))
        except Refused as error:
            answer = pb.Frame(failure=pb.Failure(code=error.code, detail=error.reason))
        if frame.request_id:
            answer.request_id = frame.request_id
            self._port.send(answer)

    async def drain(self) -> None:
        await self._port.drain()

    def _start(self) -> None:
        """Start a session when there is who it is, and a model."""
        kept = self._provisioned
        if self._session is not None or not all(getattr(kept, name) for name in ENROLLED):
            return
        config = as_config(kept, self._folder)
        flash = Flash.open(self._folder, kept.device.encode() + kept.chain_id + kept.link_secret)
        if not Slots(flash).versions:
            flash.close()
            return
        path = self._folder / "boot"
        boots = BootCounter(path) if path.exists() else BootCounter.create(path)
        self._session = Session(self._task, flash, boots, config, self._port.send if self._bridged else None)
        if self._wanted:
            self._session.connect()

    def _session_or_refuse(self) -> Session:
        if self._session is None:
            raise Refused("not_ready", "not provisioned, or no model yet")
        return self._session

    def _hello(self, message: pb.Hello) -> pb.Frame:
        session = self._session
        manifest = session.device.slots.active.manifest if session else Manifest()
        return pb.Frame(
            hello_reply=pb.HelloReply(
                device=self._provisioned.device,
                firmware_version="0.0.0-fake",
                board="fake",
                task=manifest.task,
                model_version=manifest.version,
                base_sha256=manifest.sha256,
                provisioned=all(getattr(self._provisioned, name) for name in ENROLLED),
                max_frame_bytes=MAX_FRAME_BYTES,
            )
        )

    def _provision(self, message: pb.Provision) -> pb.Frame:
        for name in IDENTITY:
            new, old = getattr(message, name), getattr(self._provisioned, name)
            if new and old and new != old:
                raise Refused("already_set", f"{name} is set once; FactoryErase first")
        self._provisioned.MergeFrom(message)
        _write(self._kept, self._provisioned.SerializeToString(deterministic=True))
        self._start()
        return _done()

    def _status(self, message: pb.StatusRequest) -> pb.Frame:
        uptime_ms = round((time.monotonic() - self._began_s) * 1000)
        said = pb.Status(clock_ms=self._now_ms(), link_wanted=self._wanted, uptime_ms=uptime_ms)
        said.reset_cause = pb.Status.POWER_ON
        if self._session is not None:
            add_status(said, self._session)
        return pb.Frame(status=said)

    def _inject(self, message: pb.InjectSamples) -> pb.Frame:
        session = self._session_or_refuse()
        reply = session.inject(message)
        self._clock_ms = max(self._clock_ms, reply.clock_ms)
        self._ring_high_water = max(self._ring_high_water, reply.ring_packets)
        return pb.Frame(inject_reply=reply)

    def _golden(self, message: pb.RunGolden) -> pb.Frame:
        slot = self._session_or_refuse().device.slots.active
        inputs, began = golden_inputs(slot.manifest), time.perf_counter()
        outputs = load_tflm(slot.model, self._task.budget.arena_bytes).run(inputs)
        wanted = next(golden.outputs for golden in slot.manifest.goldens if golden.name == "feature")
        wrong = sum(output.tobytes() != due for output, due in zip(outputs, wanted, strict=True))
        spent_us = round((time.perf_counter() - began) * 1e6)
        return pb.Frame(golden_result=pb.GoldenResult(inputs=len(inputs), mismatches=wrong, duration_us=spent_us))

    def _infer(self, message: pb.RunInference) -> pb.Frame:
        device = self._session_or_refuse().device
        shape = tuple(device.slots.active.manifest.input.shape)
        if len(message.input) != int(np.prod(shape)):
            raise Refused("wrong_size", f"{len(message.input)} bytes; the input is {shape}")
        began = time.perf_counter()
        output = device.engine.run(np.frombuffer(message.input, np.int8).reshape(1, *shape))
        spent_us = max(1, round((time.perf_counter() - began) * 1e6))
        self._latency[spent_us.bit_length() - 1] += 1
        self._inferences += 1
        return pb.Frame(inference_result=pb.InferenceResult(output=output.tobytes(), duration_us=spent_us))

    def _set_clock(self, message: pb.SetClock) -> pb.Frame:
        self._clock_ms = message.clock_ms
        if self._session is not None:
            self._session.flash.set("clock_ms", message.clock_ms)
        return _done()

    def _release(self, message: pb.ReleaseChunk) -> pb.Frame:
        said = read(ReleaseMessage, message.message)
        status = self._session.release(said) if self._session is not None else self._first_model(said)
        return pb.Frame(release_reply=pb.ReleaseReply(status=status.SerializeToString() if status else b""))

    def _first_model(self, said: ReleaseMessage) -> ReleaseStatus | None:
        kept = self._provisioned
        if not (kept.release_public_key and kept.chain_id):
            raise Refused("not_ready", "not provisioned")
        status = self._first.take(said)
        if self._first.whole is not None:
            flash = Flash.open(self._folder, kept.device.encode() + kept.chain_id + kept.link_secret)
            Slots(flash).provision(*self._first.whole)
            flash.close()
            self._first = FirstModel(self._task)
            self._start()
        return status

    def _link(self, message: pb.LinkControl) -> pb.Frame:
        self._wanted = message.up
        if self._session is not None:
            if message.up:
                self._session.connect()
            else:
                self._session.disconnect()
        return _done()

    def _say(self, message: pb.SayLabels) -> pb.Frame:
        self._session_or_refuse().say(decode_labels(message.labels))
        return _done()

    def _reset(self, message: pb.Reset) -> pb.Frame:
        self.restarting.set()
        return _done()

    def _erase(self, message: pb.FactoryErase) -> pb.Frame:
        if self._session is not None:
            self._session.stop()
            self._session = None
        for path in self._folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.restarting.set()
        return _done()

    def _statistics(self, message: pb.StatisticsRequest) -> pb.Frame:
        said = pb.Statistics(
            latency_us_log2=self._latency,
            ring_high_water_packets=self._ring_high_water,
            inferences=self._inferences,
            console=self._port.counters,
        )
        if self._session is not None:
            add_statistics(said, self._session)
        return pb.Frame(statistics=said)

    def _bridge(self, message: pb.BridgeStart) -> pb.Frame:
        serial = self._session.serial if self._session else None
        return pb.Frame(link_open=serial.opening) if serial is not None and self._wanted else _done()

    def _link_state(self, message: pb.LinkState) -> pb.Frame:
        if self._session is not None and self._session.serial is not None:
            self._session.serial.link_state(message.up)
        return _done()

    def _publish_done(self, message: pb.PublishDone) -> pb.Frame:
        if self._session is not None and self._session.serial is not None:
            self._session.serial.confirmed(message.id)
        return _done()

    def _deliver(self, message: pb.Deliver) -> pb.Frame:
        serial = self._session.serial if self._session else None
        if serial is not None and not serial.deliver(message):
            raise Refused("busy", "too many messages wait; say it again")
        return _done()

    def _now_ms(self) -> int:
        return self._session.device.clock_ms if self._session is not None else self._clock_ms

    def _log(self, level: pb.Log.Level.ValueType, text: str) -> None:
        self._port.send(pb.Frame(log=pb.Log(level=level, text=text)))


_ACTS: Final[dict[str, Callable[[FakeWearable, Any], pb.Frame]]] = {
    "hello": FakeWearable._hello,
    "provision": FakeWearable._provision,
    "status_request": FakeWearable._status,
    "inject_samples": FakeWearable._inject,
    "run_golden": FakeWearable._golden,
    "run_inference": FakeWearable._infer,
    "set_clock": FakeWearable._set_clock,
    "release_chunk": FakeWearable._release,
    "link_control": FakeWearable._link,
    "say_labels": FakeWearable._say,
    "reset": FakeWearable._reset,
    "factory_erase": FakeWearable._erase,
    "statistics_request": FakeWearable._statistics,
    "echo": lambda fake, message: pb.Frame(echo=message),
    "bridge_start": FakeWearable._bridge,
    "link_state": FakeWearable._link_state,
    "publish_done": FakeWearable._publish_done,
    "deliver": FakeWearable._deliver,
}


def _done() -> pb.Frame:
    return pb.Frame(done=pb.Done())


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(data)
    temporary.replace(path)
