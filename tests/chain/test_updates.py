from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.codec import encode
from salus_chain.errors import DecodeError
from salus_chain.updates import (
    UpdateHeader,
    aggregate_digest,
    decode_model,
    decode_update,
    encode_model,
    encode_update,
    model_digest,
    sign_upload,
    update_digest,
    verify_upload,
)
from tests.chain.federation import signer

INT32S = st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=20)


def header(d: int) -> UpdateHeader:
    return UpdateHeader(bytes(32), "fall", 3, "gateway-1", bytes([1]) * 32, bytes([2]) * 32, 4, d)


@given(INT32S)
def test_an_update_is_read_back_and_named_by_all_its_bytes(values: list[int]) -> None:
    data = encode_update(header(len(values)), np.array(values, np.int32))
    read, numbers = decode_update(data)
    assert read == header(len(values)) and numbers.tolist() == values
    assert update_digest(data) == sha256(data).digest()


@given(INT32S)
def test_a_model_is_read_back(values: list[int]) -> None:
    data = encode_model(bytes([9]) * 32, np.array(values, np.int32))
    layout, numbers = decode_model(data)
    assert (layout, numbers.tolist()) == (bytes([9]) * 32, values)
    assert model_digest(bytes([9]) * 32, np.array(values, np.int32)) == sha256(data).digest()


def test_the_body_is_little_endian() -> None:
    assert encode_update(header(1), np.array([1], np.int32)).endswith(b"\x44\x01\0\0\0")


def test_the_digest_of_a_model_is_its_documented_form() -> None:
    wanted = sha256(encode((b"salus/model", bytes(32), b"\x02\0\0\0"))).digest()
    assert model_digest(bytes(32), np.array([2], np.int32)) == wanted
    assert aggregate_digest(np.array([2], np.int32)) != wanted


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_decode_error(data: bytes) -> None:
    for read in (decode_update, decode_model):
        with pytest.raises(DecodeError):
            read(data)


def test_a_body_of_another_length_than_d_is_refused() -> None:
    with pytest.raises(DecodeError, match="d = 3"):
        encode_update(header(3), np.zeros(2, np.int32))
    with pytest.raises(DecodeError, match="update body: 12 bytes"):
        decode_update(encode((header(3).value(), bytes(8))))


def test_an_upload_is_signed_by_its_gateway() -> None:
    signature = sign_upload(signer(1), bytes(32))
    assert verify_upload(signer(1).public_key, signature, bytes(32))
    assert not verify_upload(signer(2).public_key, signature, bytes(32))
