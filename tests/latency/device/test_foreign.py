"""Files that are something else, told by their first bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from latency.device import strict_json
from latency.device.errors import WorkerError
from latency.device.foreign import foreign_kind
from latency.device.sessions import create_session
from latency.device.settings import SessionSettings
from latency.errors import FileFormatError, LatencyError
from latency.measurement.result import read_result
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import chain

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    # Dated by the format's first day: both processes of the suite have to name the same tests.
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "fix"),
    [
        (LFS, "a git-LFS pointer", "git lfs pull"),
        (b"/annex/objects/SHA256E-s1--0\n", "a git-annex pointer", "git annex get"),
        (b"\n <!DOCTYPE html><html>", "a web page", "download button"),
        (b"\xef\xbb\xbf<HTML><body>404", "a web page", "download button"),
        (b'{"error": "Repository not found"}', "XML or JSON", "download the file itself"),
        (b"<?xml version='1.0'?><Error/>", "XML or JSON", "download the file itself"),
        (zipped("archive/data.pkl", "archive/version"), "a PyTorch file", "torch.onnx.export"),
        (zipped("config.json", "model.weights.h5"), "a Keras model", "model.export"),
        (zipped("a.npy", "b.npy"), "an .npz file", "model's file"),
        (zipped("deep/net.onnx"), "a zip archive with deep/net.onnx", "unpack it"),
        (zipped("a.txt")[:-9], "a zip archive", "unpack it"),
        (b"\x80\x02}q\x00.", "a pickle", "torch.onnx.export"),
        (b"\x89HDF\r\n\x1a\n....", "an HDF5 file", "model.export"),
        (b"\x1c\0\0\0TFL3", "a TensorFlow Lite model", "tf2onnx.convert --tflite"),
        (b"\x08\0\0\0ORTM", "onnxruntime's own format", ".onnx"),
        (b'\x50\0\0\0\0\0\0\0{"w":', "a safetensors file", "to ONNX"),
        (b"GGUF\x03\0\0\0", "a GGUF file", "to ONNX"),
        (b"\x1f\x8b\x08", "a gzip archive", "unpack it"),
        (b"\0" * 257 + b"ustar", "a tar archive", "unpack it"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image", "model's file"),
        (b"ir_version: 8\nopset_import {", "ONNX as text", "onnx.save"),
    ],
)
def test_what_a_file_is_instead_is_named_with_what_to_do(data: bytes, name: str, fix: str) -> None:
    kind = foreign_kind(data)
    assert kind is not None and name in kind.name and fix in kind.fix


@pytest.mark.parametrize("data", [b"", b"\x08", chain(1), b"some words of a person", b"\x9a\x01"])
def test_what_the_first_bytes_do_not_tell_is_left_open(data: bytes) -> None:
    assert foreign_kind(data) is None


@pytest.mark.parametrize("data", [LFS, b"<html>login</html>"])
def test_a_table_that_is_a_pointer_or_a_page_is_named_as_such(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match="whole JSON in .*table.json") as info:
        strict_json.read_object(path)
    kind = foreign_kind(data)
    assert kind and (info.value.received, info.value.fix) == (kind.name, kind.fix)


def test_a_pointer_in_the_place_of_a_table_or_a_result_keeps_its_fix(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(LFS)
    for read in (LatencyTable.load, read_result):
        with pytest.raises(LatencyError, match="a git-LFS pointer") as info:
            read(path)
        assert "git lfs pull" in info.value.fix


def test_a_model_of_a_hand_made_folder_is_named_as_a_pointer_when_it_is_loaded() -> None:
    with pytest.raises(WorkerError, match="a git-LFS pointer") as info:
        create_session(LFS, SessionSettings())
    assert "git lfs pull" in info.value.fix
