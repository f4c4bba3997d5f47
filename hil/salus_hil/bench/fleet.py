"""What one wearable's host program costs: processor time per hour of recording, and memory; so, how many fit on a core.

Processor time is the kernel's account of the programs alone: injecting, broker and gateway are not in it, and other
work on the machine changes it little.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

from salus_hil.errors import RigError
from salus_hil.rig.broker import Mosquitto
from salus_hil.rig.driver import Wearable
from salus_hil.rig.enrolment import Settings
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.identity import Identity
from salus_hil.rig.package import TASK, make_release, recording
from salus_hil.rig.rigfile import Entry, RigWearable
from salus_hil.rig.runners import NativeRunner

START_MS: Final = 1_767_225_600_000
IDLE_S: Final = 10.0
SETTINGS: Final = Settings(ring_packets=4096, features_per_packet=8, windows_per_packet=4, ack_timeout_ms=10_000)


@dataclass(frozen=True, slots=True)
class Cost:
    """Per wearable. `processor_s_per_hour` is of a core, for one hour of the suite's task at 50 Hz."""

    wearables: int
    minutes: float
    features: int
    processor_s_per_hour: float
    idle_processor_s_per_hour: float
    resident_bytes: int
    private_bytes: int
    wearables_per_core: int


def measure(program: Path, wearables: int, minutes: float) -> Cost:
    """Raises RigError: a program does not start, or loses a feature."""
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        broker = Mosquitto(folder / "broker")
        broker.start()
        stack.callback(broker.kill)
        fleet = [_one(stack, program, folder / str(number), broker, number) for number in range(wearables)]
        pids = [runner.pid for _, runner, _ in fleet]
        before_s = sum(map(processor_s, pids))
        features = sum(_work(wearable, gateway, minutes, number) for number, (wearable, _, gateway) in enumerate(fleet))
        worked_s = sum(map(processor_s, pids)) - before_s
        began_s, before_s = time.monotonic(), sum(map(processor_s, pids))
        time.sleep(IDLE_S)
        idle_hours = (time.monotonic() - began_s) / 3600 * wearables
        idle_s = sum(map(processor_s, pids)) - before_s
        per_hour = worked_s / (wearables * minutes / 60)
        waiting_per_hour = idle_s / idle_hours
        return Cost(
            wearables=wearables,
            minutes=minutes,
            features=features,
            processor_s_per_hour=round(per_hour, 3),
            idle_processor_s_per_hour=round(waiting_per_hour, 3),
            resident_bytes=sum(_memory(pid, "Rss:") for pid in pids) // wearables,
            private_bytes=sum(_memory(pid, "Private_Dirty:") for pid in pids) // wearables,
            wearables_per_core=int(3600 / (per_hour + waiting_per_hour)),
        )


def table(cost: Cost) -> Table:
    """As a person reads it."""
    shown = Table("of one wearable", "", title=f"{cost.wearables} wearables, {cost.minutes:g} minutes each")
    shown.add_row("processor time for an hour of recording", f"{cost.processor_s_per_hour:.2f} s")
    shown.add_row("processor time for an hour connected and idle", f"{cost.idle_processor_s_per_hour:.2f} s")
    shown.add_row("memory resident", f"{cost.resident_bytes / 2**20:.1f} MiB")
    shown.add_row("of it its own, not shared", f"{cost.private_bytes / 2**20:.1f} MiB")
    shown.add_row("wearables per core, in real time", f"{cost.wearables_per_core:,}")
    return shown


def as_json(cost: Cost) -> dict[str, int | float]:
    return asdict(cost)


def processor_s(pid: int) -> float:
    """User and system time of a process so far. Raises RigError where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError as error:
        raise RigError(f"processor time is read from /proc, which is Linux's ({error})") from None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _one(
    stack: ExitStack, program: Path, folder: Path, broker: Mosquitto, number: int
) -> tuple[Wearable, NativeRunner, RigGateway]:
    """Enrolled, with a model, connected."""
    identity = Identity(device=f"fleet-{number}")
    gateway = stack.enter_context(RigGateway(broker, identity))
    runner = NativeRunner(program, folder)
    rig = RigWearable(Entry(id=identity.device, product="salus-wearable", runner="native", program="-"), program)
    wearable = stack.enter_context(Wearable(rig, runner, folder / "serial.log"))
    wearable.start()
    wearable.enrol(identity, broker.url, SETTINGS)
    wearable.must_take(make_release(1, identity.chain_id).signed(identity))
    wearable.wait(lambda said: said.link_up, "link")
    return wearable, runner, gateway


def _work(wearable: Wearable, gateway: RigGateway, minutes: float, number: int) -> int:
    """Inject, and wait until the gateway has it all; the features."""
    reply = wearable.inject_patiently(recording(60.0 * minutes, number, TASK), START_MS)
    wearable.wait(lambda said: said.ring_packets == 0, "empty ring", 60.0)
    if gateway.feature_count != reply.windows:
        raise RigError(f"{wearable.rig.id}: {gateway.feature_count} features of {reply.windows} came")
    return gateway.feature_count


def _memory(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(name))
