"""The builder's service: requantising what it is asked, refusing what does not fit."""

from __future__ import annotations

from hashlib import sha256

import httpx
import numpy as np
import pytest

from salus_chain.codec import Value, decode, fields, octets
from salus_chain.errors import DecodeError
from salus_chain.fixed import Int32s
from salus_chain.proto.release_pb2 import Manifest
from salus_chain.updates import model_digest
from salus_coordinator.model.layers import initial
from salus_coordinator.model.package import Package, assemble
from salus_coordinator.model.service import Builder, application
from salus_coordinator.order import Order
from tests.coordinator.tasks import reference, small_task

pytest.importorskip("tflite_micro", reason="tflite-micro has a wheel for x86-64 Linux only")


@pytest.fixture(scope="module")
def package() -> Package:
    task = small_task()
    return assemble(task, b"program", initial(task, np.random.default_rng(0)), reference(task))


async def ask(package: Package, body: bytes | None = None) -> httpx.Response:
    """GET /ready, or POST /requantise with a body."""
    transport = httpx.ASGITransport(application(Builder(package)))
    async with httpx.AsyncClient(transport=transport, base_url="http://builder") as client:
        if body is None:
            return await client.get("/ready")
        return await client.post("/requantise", content=body)


def order(package: Package, model: Int32s) -> Order:
    digest = model_digest(package.layout.digest, model)
    return Order(model.astype("<i4").tobytes(), digest, 3, 2, sha256(package.base).digest())


def refused(answer: bytes) -> Value:
    code, _ = fields(decode(answer), 2, "refusal")
    return code


def both(answer: bytes) -> tuple[bytes, bytes]:
    base, manifest = fields(decode(answer), 2, "answer")
    return octets(base, "base"), octets(manifest, "manifest")


async def test_ready_names_task_and_base(package: Package) -> None:
    assert (await ask(package)).json() == {"task": "small", "base_sha256": sha256(package.base).hexdigest()}


async def test_settled_weights_come_back_as_a_base_and_its_manifest(package: Package) -> None:
    settled = (package.model.astype(np.int64) * 9 // 10).astype(np.int32)
    asked = order(package, settled)
    answer = await ask(package, asked.encode())
    assert answer.status_code == 200
    base, manifest = both(answer.content)
    told = Manifest.FromString(manifest)
    assert base != package.base
    assert told.sha256 == sha256(base).digest()
    assert (told.version, told.settled_round, told.settled_model_digest) == (2, 3, asked.settled_model_digest)
    assert told.parent_sha256 == sha256(package.base).digest()


async def test_the_first_model_comes_back_as_the_packages_own_base(package: Package) -> None:
    answer = await ask(package, order(package, package.model).encode())
    base, _ = both(answer.content)
    assert base == package.base


async def test_weights_of_another_digest_size_or_form_are_refused(package: Package) -> None:
    good = order(package, package.model)
    wrong_digest = Order(good.model, bytes(32), 3, 2, b"")
    short = Order(good.model[:-4], good.settled_model_digest, 3, 2, b"")
    for body, code in (
        (wrong_digest.encode(), b"wrong_model"),
        (short.encode(), b"wrong_model"),
        (b"\x00", b"malformed"),
    ):
        answer = await ask(package, body)
        assert (answer.status_code, refused(answer.content)) == (409, code)


def test_an_order_survives_its_bytes(package: Package) -> None:
    asked = order(package, package.model)
    assert Order.decode(asked.encode()) == asked
    with pytest.raises(DecodeError):
        Order.decode(asked.encode() + b"\x00")
