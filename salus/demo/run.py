"""The demo: starts every part as its own process, follows the campaign, and reports what happened."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import httpx
import msgspec
from rich.console import Console

from salus.broker import start_broker
from salus.demo import gather
from salus.demo.follow import Follower, phases_done, told
from salus.demo.options import Options
from salus.demo.prepare import Prepared, prepare
from salus.demo.stages import Stages
from salus.demo.workspace import Workspace
from salus.errors import DemoError
from salus.processes import Processes, listening, salus_command
from salus.report import page, screen
from salus.report.facts import Facts, ModelFacts
from salus_hil import firmware
from salus_hil.errors import MissingTool

START_TIMEOUT_S: Final = 90.0
BUILD_TIMEOUT_S: Final = 240.0
REPLAY_TIMEOUT_S: Final = 180.0
CAMPAIGN_TIMEOUT_S: Final = 300.0


def run(options: Options, console: Console | None = None) -> Facts:
    """Run the whole demo and write its report. Raises DemoError naming what failed and its log."""
    shown = console or Console()
    stages = Stages(shown)
    with stages.stage("keys, genesis and configuration"):
        prepared = prepare(options)
    with Processes(prepared.space.logs) as processes:
        kind = _bring_up(prepared, options, processes, stages)
        _campaign(prepared, processes, stages, options.patience)
        facts = _facts(prepared, options, kind, stages)
    _report(prepared, facts, shown)
    if not facts.verified:
        raise DemoError(f"the last settlement does not verify:\n{facts.verify_output}")
    return facts


def _bring_up(prepared: Prepared, options: Options, processes: Processes, stages: Stages) -> str:
    """Everything up to the first day; how the wearables run."""
    space, roles = prepared.space, prepared.roles
    build = ["--out", str(space.model), "--data", options.data, "--seed", str(options.seed)]
    build += ["--serve", str(prepared.builder_port), *(["--quick"] if options.quick else [])]
    processes.start("builder", salus_command("model", "build", prepared.task.name, *build))
    pool = ThreadPoolExecutor(1, "firmware")
    built = pool.submit(_build_firmware, options, space)  # beside the model
    with stages.stage(f"broker and {len(roles.hospitals)} validators"):
        if prepared.broker_port:
            broker = start_broker(processes, space.folder / "broker", prepared.broker_port)
            stages.say(f"broker: {broker.kind} at {broker.url}")
        for hospital in roles.hospitals:
            processes.start(hospital, salus_command("chain", "run", str(space.folder / hospital)))
        ports = [int(validator.url.rsplit(":", 1)[1]) for validator in prepared.genesis.validators]
        processes.wait_until(lambda: all(map(listening, ports)), "validators", START_TIMEOUT_S)
    with stages.stage("model: pre-train the base, quantise, compile the training program"):
        processes.wait_until(lambda: _ready(prepared.builder_port), "the model", BUILD_TIMEOUT_S)
        report = json.loads((space.model / "report.json").read_text())
        cached = ": cached" in processes.children["builder"].log.read_text()
        stages.say(f"{'cached' if cached else 'built'}: flash {report['flash_bytes']:,} B, "
                   f"arena {report['arena_bytes']:,} B, {report['macs']:,} MACs")  # fmt: skip
    with stages.stage("firmware: built for this machine"):
        kind = _wearables(options, built.result(), stages)
    with stages.stage(f"{len(roles.gateways)} gateways, {len(roles.patients)} wearables: first day over MQTT"):
        for gateway in roles.gateways:
            processes.start(gateway, salus_command("gateway", "run", str(space.config(gateway))))
        configs = [str(space.config(patient.device)) for patient in roles.patients]
        command = {"native": "replay", "tflm": "simulate"}[kind]
        processes.start("wearables", salus_command("wearable", command, *configs))
        processes.wait_until(lambda: phases_done(prepared) >= 1, "the first day", REPLAY_TIMEOUT_S)
    return kind


def _build_firmware(options: Options, space: Workspace) -> str:
    """Build the native wearable, unless it is not wanted; why it cannot be built, else empty."""
    if options.wearable == "tflm":
        return "not wanted"
    try:
        firmware.build("native", space.logs / "firmware.log")
    except MissingTool as error:
        return str(error)
    return ""


def _wearables(options: Options, missing: str, stages: Stages) -> str:
    """`native` or `tflm`. Raises DemoError when the firmware is wanted and cannot be built."""
    if not missing:
        return "native"
    if options.wearable == "native":
        raise DemoError(missing)
    if options.wearable == "auto":
        stages.say("the firmware cannot be built here: the wearables run in Python on the genuine TFLM instead")
        stages.say(f"({missing.splitlines()[0]})")
    return "tflm"


def _campaign(prepared: Prepared, processes: Processes, stages: Stages, patience: float) -> None:
    """Rounds and releases, while the wearables go on with whatever release they have."""
    progress = Follower(prepared.space.progress)

    def tell() -> bool:
        for row in progress.new():
            stages.say(told(row))
        return processes.children["coordinator"].process.poll() is not None

    with stages.stage("rounds and releases"):
        config = str(prepared.space.config("coordinator"))
        processes.start("coordinator", salus_command("coordinator", "run", config))
        processes.wait_until(tell, "the campaign", CAMPAIGN_TIMEOUT_S * max(1.0, patience))
        processes.wait_exit("coordinator", START_TIMEOUT_S)
        tell()
    with stages.stage("later days with the new release, to the last acknowledged packet"):
        processes.wait_exit("wearables", REPLAY_TIMEOUT_S)


def _facts(prepared: Prepared, options: Options, kind: str, stages: Stages) -> Facts:
    report = json.loads((prepared.space.model / "report.json").read_text())
    with stages.stage("scores on the unseen part, proofs"):
        scores = gather.scores(prepared)
        rounds = gather.rounds(prepared)
        last = max((row for row in rounds if row.proof), key=lambda row: row.settled_height, default=None)
        if last is None:
            raise DemoError("no round was settled; see the logs of coordinator and gateways")
        command, output, verified = gather.verify(prepared, last.proof)
    return Facts(
        data=options.data,
        data_title=prepared.data_title,
        pretrained_on=list(prepared.roles.pretrain),
        patients=[patient.subject for patient in prepared.roles.patients],
        broker=prepared.broker_url,
        wearables=kind,
        chain_id=prepared.genesis.chain_id.hex(),
        classes=list(prepared.task.classes),
        scores=scores,
        traffic=gather.traffic(prepared),
        model=ModelFacts(
            flash_bytes=report["flash_bytes"],
            arena_bytes=report["arena_bytes"],
            macs=report["macs"],
            parameters=sum(layer["weights"] for layer in report["layers"]),
        ),
        rounds=rounds,
        stages=list(stages.done),
        total_s=stages.elapsed_s(),
        verify_command=command,
        verify_output=output,
        verified=verified,
    )


def _report(prepared: Prepared, facts: Facts, console: Console) -> None:
    folder = prepared.space.folder
    (folder / "report.html").write_text(page.render(facts), encoding="utf-8")
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(facts), indent=1))
    screen.show(facts, console)
    console.print(f"\nThe report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
    console.print("The last settlement, checked from two files alone:", highlight=False)
    console.print(f"  {facts.verify_command}", highlight=False, soft_wrap=True)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
