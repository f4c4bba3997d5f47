"""After the run: scores from the gateways, rounds and proofs from the chain, traffic from the wearables."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from salus.demo.people import Patient
from salus.demo.prepare import Prepared
from salus.demo.workspace import Arm
from salus.errors import DemoError
from salus.processes import salus_command
from salus.report.facts import RoundFacts, Score, Traffic
from salus_chain.client import ChainClient

COMMAND_TIMEOUT_S = 120.0
LABEL_PARTS = {(): "calibrated", ("setup",): "20 %", ("setup", "diary"): "60 %"}


def scores(prepared: Prepared) -> list[Score]:
    """Every gateway's own scoring of its patients (`salus gateway evaluate`), all at once."""
    files = {gateway: prepared.space.folder / f"{gateway}.scores.json" for gateway in prepared.roles.gateways}
    running = {
        gateway: subprocess.Popen(
            salus_command("gateway", "evaluate", str(prepared.space.config(gateway)), "--json", str(file)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for gateway, file in files.items()
    }
    for gateway, process in running.items():
        output, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
        if process.returncode != 0:
            raise DemoError(
                f"`salus gateway evaluate {gateway}.toml` ended with {process.returncode}:\n{output.decode()[-2000:]}"
            )
    by_task = {arm.task: arm for arm in prepared.arms}
    rows = [row for file in files.values() for row in json.loads(file.read_text())]
    order = [patient.subject for patient in prepared.roles.patients]
    return sorted(
        (_score(row, by_task) for row in rows),
        key=lambda score: (order.index(score.patient), score.arm, score.labels),
    )


def _score(row: dict[str, Any], by_task: dict[str, Arm]) -> Score:
    arm = by_task.get(row["arm"])
    name = row["arm"] if arm is None else "fedavg" if arm.algorithm == "fedavg" else "personal"
    return Score(
        patient=row["patient"],
        arm=name,
        labels=LABEL_PARTS[tuple(row["labels"])],
        algorithm=row["algorithm"],
        accuracy=row["accuracy"],
        macro_f1=row["macro_f1"],
        windows=row["windows"],
        train_windows=row["train_windows"],
    )


def traffic(prepared: Prepared) -> list[Traffic]:
    """Each wearable's own count of what it sent."""
    return [
        _traffic(patient, prepared.space.state(patient.device) / "report.json") for patient in prepared.roles.patients
    ]


def _traffic(patient: Patient, file: Path) -> Traffic:
    report = json.loads(file.read_text())
    return Traffic(
        patient=patient.subject,
        device=patient.device,
        sent_bytes=report["sent_bytes"],
        features=report["features"],
        windows=report["windows"],
        feature_bytes=report["sent_bytes"].get("feature", 0),
        raw_window_bytes=report["raw_window_bytes"],
        arena_bytes=report["arena_bytes"],
        model_versions=report["model_versions"],
    )


def rounds(prepared: Prepared) -> list[RoundFacts]:
    """All rounds on the chain; each settlement's proof is written under `proofs/`."""
    return asyncio.run(_rounds(prepared))


async def _rounds(prepared: Prepared) -> list[RoundFacts]:
    prepared.space.proofs.mkdir(exist_ok=True)
    facts = []
    async with ChainClient(prepared.genesis) as client:
        for arm in prepared.arms:
            number = 1
            while (view := await client.round(arm.task, number)) is not None:
                proof = ""
                if view.status == "settled":
                    path = prepared.space.proofs / f"{arm.task}-{number}.cbor"
                    path.write_bytes(await client.settlement_proof(arm.task, number))
                    proof = str(path.relative_to(prepared.space.folder))
                facts.append(
                    RoundFacts(
                        task=arm.task,
                        round=number,
                        kind=view.open.kind,
                        algorithm=view.open.algorithm,
                        status=view.status,
                        opened_height=view.opened_height,
                        closed_height=view.closed_height or 0,
                        settled_height=view.settled_height or 0,
                        updates=len(view.commits),
                        parameters=view.d,
                        proof=proof,
                    )
                )
                number += 1
    return facts


def verify(prepared: Prepared, proof: str) -> tuple[str, str, bool]:
    """The command that checks a proof as a reader would type it, what it said, and whether it held."""
    folder = prepared.space.folder
    near = Path(os.path.relpath(folder))
    seen = folder if ".." in near.parts else near
    shown = f"salus chain verify {seen / proof} --genesis {seen / 'genesis.toml'}"
    done = subprocess.run(
        salus_command("chain", "verify", str(folder / proof), "--genesis", str(prepared.space.genesis)),
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    return shown, (done.stdout + done.stderr).strip(), done.returncode == 0
