"""Everything a wearable checks of a personal release before it takes it. Nothing here changes any state."""

from __future__ import annotations

from typing import Final

import numpy as np

from salus_chain.proto.release_pb2 import Decision, Golden, Manifest, Quantisation
from salus_edge.errors import Refused
from salus_edge.personal_release.template import check_template
from salus_edge.signed import (
    MAX_GOLDENS,
    RunGolden,
    check_arena,
    check_bytes,
    check_place,
    read_signed,
    usable_quantisation,
)

MAX_CLASSES: Final = 16
MAX_CONFIRM: Final = 32


def check_personal(
    signed: bytes, *, gateway_public_key: bytes, base: Manifest, newer_than: int, chain_id: bytes, arena_limit: int
) -> Manifest:
    """What can be checked before a byte of the model is fetched; `base` is the active release's manifest.

    Raises Refused: `bad_signature`, `malformed`, `wrong_chain`, `wrong_task`, `older_version`, `wrong_size`,
    `other_base`, `other_template`, `arena_too_large`.
    """
    manifest = read_signed(signed, gateway_public_key)
    _check_form(manifest)
    if manifest.task != base.task:
        raise Refused("wrong_task", f"a personal model for task {manifest.task!r}; this wearable runs {base.task!r}")
    theirs, mine = manifest.input, base.output
    if (theirs.scale, theirs.zero_point, np.prod(theirs.shape)) != (mine.scale, mine.zero_point, np.prod(mine.shape)):
        raise Refused("malformed", "the personal model's input is not the base's feature")
    check_place(manifest, chain_id=chain_id, newer_than=newer_than)
    if manifest.parent_sha256 != base.sha256:
        raise Refused("other_base", "a personal model for another base than the active one")
    template = base.personal_template
    if not template.sha256 or template.size_bytes != manifest.size_bytes:
        raise Refused("other_template", "the active base allows no personal model of this size")
    check_arena(manifest, arena_limit)
    return manifest


def verify_personal(
    signed: bytes,
    model: bytes,
    *,
    gateway_public_key: bytes,
    base: Manifest,
    newer_than: int,
    chain_id: bytes,
    run_golden: RunGolden,
    arena_limit: int,
) -> Manifest:
    """The manifest of a personal release that may be taken: all of `check_personal`, then the model itself.

    Raises Refused as `check_personal`, and `wrong_hash`, `bad_model`, `golden_differs`.
    """
    manifest = check_personal(
        signed,
        gateway_public_key=gateway_public_key,
        base=base,
        newer_than=newer_than,
        chain_id=chain_id,
        arena_limit=arena_limit,
    )
    check_bytes(manifest, model)
    check_template(base.personal_template, model)
    inputs = np.frombuffer(b"".join(manifest.golden_inputs), np.int8).reshape(len(manifest.golden_inputs), -1)
    outputs = run_golden(model, inputs, arena_limit)
    wanted = _logits(manifest)[0].outputs
    if [output.astype(np.int8).tobytes() for output in outputs] != list(wanted):
        raise Refused("golden_differs", "a golden feature gives other logits than the manifest's")
    return manifest


def _logits(manifest: Manifest) -> list[Golden]:
    return [golden for golden in manifest.goldens if golden.name == "logits"]


def _check_form(manifest: Manifest) -> None:
    """Raises Refused `malformed`: parts of the manifest do not fit each other."""
    size, width = (int(np.prod(each.shape, dtype=np.int64)) if each.shape else 0 for each in _ends(manifest))
    logits, inputs = _logits(manifest), manifest.golden_inputs
    checks = {
        "kind and signer are a personal release of the gateway's key": (
            manifest.kind == Manifest.PERSONAL and manifest.signer_role == Manifest.GATEWAY_KEY
        ),
        "sha256 has 32 bytes": len(manifest.sha256) == 32,
        "input and output quantisations are such": all(usable_quantisation(each) for each in _ends(manifest)),
        "the decision is one": manifest.HasField("decision") and _usable_decision(manifest.decision, width),
        f"1 to {MAX_GOLDENS} golden features": (
            len(manifest.input.shape) == 1
            and 0 < len(inputs) <= MAX_GOLDENS
            and all(len(each) == size > 0 for each in inputs)
        ),
        "golden logits for each": (
            len(logits) == 1
            and len(logits[0].outputs) == len(inputs)
            and all(len(each) == width > 0 for each in logits[0].outputs)
        ),
    }
    if failed := [claim for claim, holds in checks.items() if not holds]:
        raise Refused("malformed", f"personal manifest of version {manifest.version} breaks: {'; '.join(failed)}")


def _ends(manifest: Manifest) -> tuple[Quantisation, Quantisation]:
    return manifest.input, manifest.output


def _usable_decision(decision: Decision, width: int) -> bool:
    return (
        2 <= decision.classes <= min(MAX_CLASSES, width)
        and all(each < decision.classes for each in decision.alarm_classes)
        and 1 <= decision.confirm_windows <= MAX_CONFIRM
        and 0 < decision.threshold <= 1
    )
