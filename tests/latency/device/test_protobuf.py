"""Fields of protocol buffers, as the library of onnx writes them and as nobody should."""

from __future__ import annotations

import struct

import onnx
import pytest

from latency.device.protobuf import fields, numbers, parts, text


def view(*pieces: bytes) -> memoryview:
    return memoryview(b"".join(pieces))


def test_numbers_are_read_one_by_one_and_packed() -> None:
    wanted = [0, 1, 127, 128, 2**31, 2**63 - 1, -1, -(2**63)]
    attribute = onnx.AttributeProto(name="pads", ints=wanted)
    assert numbers(memoryview(attribute.SerializeToString()), 8) == wanted
    # The same field as a later version of the format would write it.
    tensor = onnx.TensorProto(int64_data=wanted)
    assert numbers(memoryview(tensor.SerializeToString()), 7) == wanted
    assert numbers(memoryview(attribute.SerializeToString()), 7) == []


def test_numbers_of_a_fixed_size_are_passed_over_and_given_as_bytes() -> None:
    attribute = onnx.AttributeProto(name="alpha", f=0.5, i=-3, s=b"\xff")
    message = memoryview(attribute.SerializeToString())
    found = dict(fields(message))
    assert bytes(memoryview(found[2])) == struct.pack("<f", 0.5)  # type: ignore[arg-type]
    assert numbers(message, 3) == [-3]
    assert text(message, 1) == "alpha" and text(message, 4) == "\ufffd" and text(message, 9) == ""
    # Field 1, eight bytes; then field 2, a text.
    message = view(b"\x09", struct.pack("<d", 2.5), b"\x12\x02ab")
    assert [bytes(part) for part in parts(message, 1)] == [struct.pack("<d", 2.5)]
    assert text(message, 2) == "ab"


@pytest.mark.parametrize("broken", [b"\x0b", b"\x0c", b"\x0e", b"\x0f"])
def test_kind_of_field_that_is_unknown_ends_the_message(broken: bytes) -> None:
    assert numbers(view(b"\x08\x05", broken, b"\x08\x06"), 1) == [5]
