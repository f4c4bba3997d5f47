"""Signed releases for the wearable's C++ updater: what Python signs, and what Python says of each.

`python -m tests.firmware.release_vectors` writes tests/golden/release/vectors.txt, which GoogleTest reads
(firmware/test/test_release). A line is `key NAME HEX`, `model NAME HEX-BEGIN SIZE HEX-END` (dots between), or
`case NAME MODEL CODE HEX`: a signed manifest that is offered on top of what runs, sent MODEL, and ends in CODE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec

from salus_chain.keys import KeySigner
from salus_chain.proto.release_pb2 import Decision, Golden, Manifest, Quantisation, Region, SignedManifest, Template
from salus_edge.errors import Refused
from salus_edge.personal_release import verify_personal
from salus_edge.release import sign_manifest, verify_release
from salus_hil.virtual.engine import FakeEngine
from tests.hil.rig import CHAIN_ID, SIGNER, TASK, fake_release

PATH: Final = Path(__file__).parents[1] / "golden" / "release" / "vectors.txt"
GATEWAY: Final = KeySigner(ec.derive_private_key(11, ec.SECP256R1()))
STRANGER: Final = KeySigner(ec.derive_private_key(13, ec.SECP256R1()))
TEMPLATE_BYTES: Final = 5000
REGIONS: Final = ((64, 256), (320, 4), (4992, 8))  # (offset, size): apart, adjacent, and at the very end
LOGITS_SCALE: Final = 0.125
ARENA: Final = TASK.budget.arena_bytes


@dataclass(frozen=True)
class Case:
    """One offer: the bytes, the model's name, and the code of its refusal; `` when it is taken."""

    name: str
    model: str
    code: str
    signed: bytes


def template() -> bytes:
    """The form of every personal model here."""
    content = bytearray(b"fake p".ljust(TEMPLATE_BYTES, b"."))
    for offset, size in REGIONS:
        content[offset : offset + size] = bytes(size)
    return bytes(content)


def personal_model(number: int) -> bytes:
    content = bytearray(template())
    for offset, size in REGIONS:
        content[offset : offset + size] = bytes((number * 37 + at) % 251 for at in range(size))
    return bytes(content)


def base(version: int) -> tuple[Manifest, bytes]:
    """A right base release that allows personal ones."""
    data, model = fake_release(version)
    manifest = Manifest.FromString(data)
    regions = [Region(name=f"r{offset}", offset=offset, size_bytes=size) for offset, size in REGIONS]
    manifest.personal_template.CopyFrom(
        Template(sha256=sha256(template()).digest(), size_bytes=TEMPLATE_BYTES, regions=regions, arena_bytes=512)
    )
    return manifest, model


def personal(version: int, parent: Manifest, model: bytes) -> Manifest:
    """A right personal release for a base."""
    inputs = np.arange(3 * FakeEngine.WIDTH, dtype=np.int8).reshape(3, -1)
    outputs = FakeEngine(model, 0).run(inputs)
    return Manifest(
        task=TASK.name,
        version=version,
        kind=Manifest.PERSONAL,
        signer_role=Manifest.GATEWAY_KEY,
        parent_sha256=parent.sha256,
        sha256=sha256(model).digest(),
        size_bytes=len(model),
        arena_bytes=512,
        input=Quantisation(scale=parent.output.scale, zero_point=parent.output.zero_point, shape=[FakeEngine.WIDTH]),
        output=Quantisation(scale=LOGITS_SCALE, zero_point=0, shape=[FakeEngine.WIDTH]),
        golden_inputs=[each.tobytes() for each in inputs],
        goldens=[Golden(name="logits", outputs=[each.tobytes() for each in outputs])],
        chain_id=CHAIN_ID,
        decision=Decision(classes=2, alarm_classes=[1], confirm_windows=3, threshold=0.75, refractory_ms=60_000),
    )


def sign(manifest: Manifest, signer: KeySigner = SIGNER) -> bytes:
    return sign_manifest(manifest.SerializeToString(deterministic=True), signer)


def models() -> dict[str, bytes]:
    found = {f"v{version}": fake_release(version)[1] for version in (1, 2, 3)}
    found["v2-bit"] = found["v2"][:-1] + b"!"
    found["v2-long"] = found["v2"] + b"!"
    found["junk"] = b"junk" + found["v2"][4:]
    found["none"] = b""
    found |= {f"p{number}": personal_model(number) for number in (1, 2)}
    found["p-grown"] = personal_model(1)[:400] + b"?" + personal_model(1)[401:]
    return found


def base_cases() -> Iterator[Case]:
    """Offers on top of base 1."""
    yield Case("v2", "v2", "", sign(base(2)[0]))
    yield Case("v3", "v3", "", sign(base(3)[0]))
    changes: dict[str, tuple[str, str, Callable[[Manifest], object]]] = {
        "wrong-task": ("none", "wrong_task", lambda m: setattr(m, "task", "other")),
        "wrong-chain": ("none", "wrong_chain", lambda m: setattr(m, "chain_id", bytes(32))),
        "no-chain": ("none", "wrong_chain", lambda m: m.ClearField("chain_id")),
        "same-version": ("none", "older_version", lambda m: setattr(m, "version", 1)),
        "no-version": ("none", "older_version", lambda m: setattr(m, "version", 0)),
        "no-size": ("none", "wrong_size", lambda m: setattr(m, "size_bytes", 0)),
        "huge": ("none", "wrong_size", lambda m: setattr(m, "size_bytes", 1 << 30)),
        "longer": ("v2-long", "wrong_size", lambda m: None),
        "bit": ("v2-bit", "wrong_hash", lambda m: None),
        "window": ("none", "wrong_frontend", lambda m: setattr(m.frontend, "hop_samples", 17)),
        "frontend-hash": ("none", "wrong_frontend", lambda m: setattr(m, "frontend_sha256", bytes(32))),
        "arena": ("none", "arena_too_large", lambda m: setattr(m, "arena_bytes", ARENA + 1)),
        "golden": ("v2", "golden_differs", lambda m: m.goldens[0].outputs.__setitem__(1, bytes(FakeEngine.WIDTH))),
        "no-golden": ("none", "malformed", lambda m: m.ClearField("golden_inputs")),
        "golden-count": ("none", "malformed", lambda m: m.goldens[0].outputs.append(bytes(FakeEngine.WIDTH))),
        "golden-name": ("none", "malformed", lambda m: setattr(m.goldens[0], "name", "logits")),
        "golden-twice": ("none", "malformed", lambda m: m.goldens.add().CopyFrom(m.goldens[0])),
        "golden-size": ("none", "malformed", lambda m: m.golden_inputs.__setitem__(0, b"short")),
        "shape": ("none", "malformed", lambda m: m.input.shape.append(1)),
        "turned": ("none", "malformed", lambda m: m.input.shape.__setitem__(slice(0, 2), [4, 32])),
        "scale": ("none", "malformed", lambda m: setattr(m.input, "scale", float("nan"))),
        "no-scale": ("none", "malformed", lambda m: setattr(m.output, "scale", 0.0)),
        "zero-point": ("none", "malformed", lambda m: setattr(m.output, "zero_point", 128)),
        "other-feature": ("none", "malformed", lambda m: setattr(m.output, "scale", 0.5)),
        "no-kind": ("none", "malformed", lambda m: setattr(m, "kind", Manifest.KIND_UNSPECIFIED)),
        "other-role": ("none", "malformed", lambda m: setattr(m, "signer_role", Manifest.GATEWAY_KEY)),
        "short-digest": ("none", "malformed", lambda m: setattr(m, "sha256", bytes(31))),
    }
    for name, (model, code, change) in changes.items():
        manifest = base(2)[0]
        change(manifest)
        yield Case(name, model, code, sign(manifest))
    manifest = base(2)[0]
    manifest.sha256 = sha256(models()["junk"]).digest()
    yield Case("junk", "junk", "bad_model", sign(manifest))
    yield Case("stranger", "none", "bad_signature", sign(base(2)[0], STRANGER))
    yield Case("gateway-signs-base", "none", "bad_signature", sign(base(2)[0], GATEWAY))
    message = SignedManifest.FromString(sign(base(2)[0]))
    yield Case("flipped", "none", "bad_signature", _with(message, message.manifest[:-1] + b"\0"))
    yield Case("no-message", "none", "malformed", b"\xff\xff")
    yield Case("no-manifest", "none", "malformed", sign_manifest(b"\xff\xff", SIGNER))


def personal_cases() -> Iterator[Case]:
    """Offers on top of base 1, and of what was taken before them."""
    parent, other = base(1)[0], base(2)[0]
    yield Case("personal", "p1", "", sign(personal(5, parent, personal_model(1)), GATEWAY))
    yield Case("personal-next", "p2", "", sign(personal(6, parent, personal_model(2)), GATEWAY))
    changes: dict[str, tuple[str, str, Callable[[Manifest], object]]] = {
        "personal-task": ("none", "wrong_task", lambda m: setattr(m, "task", "other")),
        "personal-feature": ("none", "malformed", lambda m: setattr(m.input, "scale", 0.5)),
        "personal-chain": ("none", "wrong_chain", lambda m: setattr(m, "chain_id", bytes(32))),
        "personal-no-size": ("none", "wrong_size", lambda m: setattr(m, "size_bytes", 0)),
        "personal-base": ("none", "other_base", lambda m: setattr(m, "parent_sha256", other.sha256)),
        "personal-template-size": ("none", "other_template", lambda m: setattr(m, "size_bytes", TEMPLATE_BYTES - 1)),
        "personal-arena": ("none", "arena_too_large", lambda m: setattr(m, "arena_bytes", ARENA + 1)),
        "personal-role": ("none", "malformed", lambda m: setattr(m, "signer_role", Manifest.RELEASE_KEY)),
        "personal-no-rule": ("none", "malformed", lambda m: m.ClearField("decision")),
        "personal-classes": ("none", "malformed", lambda m: setattr(m.decision, "classes", 9)),
        "personal-alarm": ("none", "malformed", lambda m: m.decision.alarm_classes.append(2)),
        "personal-confirm": ("none", "malformed", lambda m: setattr(m.decision, "confirm_windows", 33)),
        "personal-threshold": ("none", "malformed", lambda m: setattr(m.decision, "threshold", 1.5)),
        "personal-goldens": ("none", "malformed", lambda m: setattr(m.goldens[0], "name", "feature")),
        "personal-golden": ("p1", "golden_differs", lambda m: m.goldens[0].outputs.__setitem__(2, bytes(8))),
        "personal-hash": ("p2", "wrong_hash", lambda m: None),
    }
    for name, (model, code, change) in changes.items():
        manifest = personal(5, parent, personal_model(1))
        change(manifest)
        yield Case(name, model, code, sign(manifest, GATEWAY))
    grown = models()["p-grown"]
    yield Case("personal-graph", "p-grown", "other_template", sign(personal(5, parent, grown), GATEWAY))
    yield Case("release-key-signs-personal", "none", "bad_signature", sign(personal(5, parent, personal_model(1))))


def factory() -> bytes:
    """The unsigned first release."""
    manifest = base(1)[0]
    manifest.ClearField("chain_id")
    return SignedManifest(manifest=manifest.SerializeToString(deterministic=True)).SerializeToString()


def python_code(case: Case) -> str:
    """What Python's checks say of it on top of base 1."""

    def run_golden(data: bytes, inputs: np.ndarray[tuple[int, ...], np.dtype[np.int8]], arena: int) -> object:
        return FakeEngine(data, arena).run(inputs)

    common = {"newer_than": 1, "chain_id": CHAIN_ID, "run_golden": run_golden, "arena_limit": ARENA}
    model = models()[case.model]
    try:
        if case.name.startswith(("personal", "release-key")):
            verify_personal(case.signed, model, gateway_public_key=GATEWAY.public_key, base=base(1)[0], **common)  # type: ignore[arg-type]
        else:
            verify_release(case.signed, model, release_public_key=SIGNER.public_key, task=TASK, **common)  # type: ignore[arg-type]
    except Refused as error:
        return error.code
    return ""


def text() -> str:
    """The whole file."""
    lines = ["# Generated by python -m tests.firmware.release_vectors. Do not edit."]
    keys = {"release": SIGNER.public_key, "gateway": GATEWAY.public_key, "chain": CHAIN_ID}
    lines += [f"key {name} {value.hex()}" for name, value in keys.items()]
    for name, model in models().items():
        begin, end = _ends(model)
        lines.append(f"model {name} {begin.hex() or '-'} {len(model)} {end.hex() or '-'}")
    lines.append(f"case factory v1 - {factory().hex()}")
    lines += [f"case {c.name} {c.model} {c.code or '-'} {c.signed.hex()}" for c in (*base_cases(), *personal_cases())]
    return "\n".join(lines) + "\n"


def _ends(model: bytes) -> tuple[bytes, bytes]:
    """What stands before and after the longest run of dots."""
    runs = [(len(run), model.index(run)) for run in sorted(set(_dots(model)), key=len)]
    length, start = runs[-1] if runs else (0, len(model))
    return model[:start], model[start + length :]


def _dots(model: bytes) -> Iterator[bytes]:
    run = b""
    for byte in model:
        if byte == ord("."):
            run += b"."
            continue
        if run:
            yield run
        run = b""
    if run:
        yield run


def _with(message: SignedManifest, manifest: bytes) -> bytes:
    return SignedManifest(manifest=manifest, signature=message.signature).SerializeToString()


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text())
