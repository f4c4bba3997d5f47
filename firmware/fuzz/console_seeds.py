"""Seeds for the console's fuzz target: one file per request and per kind of noise, into a folder.

Run it as: python firmware/fuzz/console_seeds.py corpus/console
"""

from __future__ import annotations

import sys
from pathlib import Path

from google.protobuf.message import Message

from salus_edge.proto import console_pb2 as pb
from salus_hil.console import encode_frame, frame_of

REQUESTS: tuple[Message, ...] = (
    pb.Hello(),
    pb.Provision(
        device="w1",
        wifi_ssid="ward",
        wifi_password="secret",  # noqa: S106  nobody's
        broker_url="mqtts://user:password@broker:8883",
        broker_ca_pem=b"-----BEGIN CERTIFICATE-----",
        link_secret=bytes(32),
        release_public_key=bytes(33),
        gateway_public_key=bytes(33),
        chain_id=bytes(32),
        federation="north",
        wrist=pb.Provision.RIGHT,
        ring_packets=512,
        features_per_packet=8,
        windows_per_packet=4,
        ack_timeout_ms=10_000,
        client_certificate_pem=b"-----BEGIN CERTIFICATE-----",
        client_key_pem=b"-----BEGIN PRIVATE KEY-----",
    ),
    pb.StatusRequest(),
    pb.InjectSamples(start_ms=1_767_225_600_000, channels=3, values=[0.5] * 30, first_sample=10, ends_piece=True),
    pb.RunGolden(personal=True),
    pb.RunInference(input=bytes(range(64))),
    pb.SetClock(clock_ms=1_767_225_600_000),
    pb.ReleaseChunk(message=bytes(40)),
    pb.SayLabels(labels=bytes(20)),
    pb.LinkControl(up=True),
    pb.Reset(),
    pb.FactoryErase(),
    pb.StatisticsRequest(),
    pb.Echo(data=b"echo"),
    pb.BridgeStart(),
    pb.LinkState(up=True),
    pb.PublishDone(id=7),
    pb.Deliver(topic="salus/1/north/w1/ack", payload=bytes(30)),
)
NOISE = (b"ets Jun  8 2016 00:22:57\r\n", b"\x00" * 20, b"\xff" * 600, b"\x05\x01\x02\x00")


def seeds() -> dict[str, bytes]:
    """By file name. The first byte tells the target what follows: odd a payload, even bytes of the line."""
    found = {}
    for body in REQUESTS:
        payload = frame_of(body, 41).SerializeToString()
        found[f"payload-{body.DESCRIPTOR.name}"] = b"\x01" + payload
        found[f"line-{body.DESCRIPTOR.name}"] = b"\x06" + encode_frame(payload)
    for number, noise in enumerate(NOISE):
        found[f"noise-{number}"] = b"\x02" + noise + encode_frame(frame_of(pb.Hello(), 1).SerializeToString())
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        (folder / name).write_bytes(data)
