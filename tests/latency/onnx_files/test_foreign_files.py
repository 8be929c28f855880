"""Paths that lead to something else than an ONNX file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.latency_graphs import chain
from tests.support.model_files import refusal, save, weighted

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"


@pytest.mark.parametrize(
    ("name", "data", "what", "fix"),
    [
        ("net.onnx", LFS, "a git-LFS pointer", "git lfs pull"),
        ("net.onnx", b"<!DOCTYPE html><html></html>", "a web page", "download button"),
        ("net.onnx", b"PK\x03\x04 and so on", "a zip archive", "unpack it"),
        ("net.pt", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a pickle", "torch.onnx.export"),
        ("net.h5", b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file", "format='onnx'"),
        ("net.tflite", b"\x1c\0\0\0TFL3\0\0", "TensorFlow Lite", "--tflite"),
        ("net.pb", b"\x0a\x02\x0a\x00", "a TensorFlow graph", "tf2onnx"),
        ("net.xml", b"<?xml version='1.0'?><net/>", "a model of OpenVINO", "to ONNX"),
        ("net.onnx.data", b"\x9a" * 99, "the weights of a model", "net.onnx"),
        ("net.onnx_data", b"\x9a" * 99, "the weights of a model", "net.onnx"),
    ],
)
def test_a_file_of_another_kind_is_named_as_such(
    tmp_path: Path, name: str, data: bytes, what: str, fix: str
) -> None:
    message = refusal(save(tmp_path / name, data))
    received, _, told_fix = message.partition("\nFix: ")
    assert what in received and str(tmp_path / name) in received and fix in told_fix


def test_external_data_that_is_a_pointer_is_named_as_such(tmp_path: Path) -> None:
    save(tmp_path / "w.bin", LFS)
    message = refusal(save(tmp_path / "net.onnx", weighted(location="w.bin")))
    assert f"{tmp_path / 'w.bin'}: a git-LFS pointer" in message and "git lfs pull" in message


def test_a_link_that_leads_nowhere_says_where(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").symlink_to("blobs/4d7a21")
    message = refusal(tmp_path / "net.onnx")
    assert "a link to blobs/4d7a21, where no file lies" in message
    (tmp_path / "annexed.onnx").symlink_to(".git/annex/objects/xy/SHA256E")
    assert "git annex get" in refusal(tmp_path / "annexed.onnx")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.onnx")
    assert "a pipe or a device" in refusal(tmp_path / "net.onnx")


def test_a_folder_is_answered_with_the_models_in_it(tmp_path: Path) -> None:
    assert f"Received: {tmp_path}, a folder.\nFix: check the path" in refusal(tmp_path)
    save(tmp_path / "saved_model.pb", b"\x08\x01\x12\x00")
    assert "a SavedModel of TensorFlow" in refusal(tmp_path)
    save(tmp_path / "net.onnx", chain(1))
    assert f"a folder with net.onnx.\nFix: name the file, such as {tmp_path}" in refusal(tmp_path)


def test_an_address_is_no_file() -> None:
    assert "an address and no file" in refusal(Path("https://example.org/net.onnx"))


@pytest.mark.parametrize("name", ["my net [v1].onnx", "net\n2.onnx", "Größe.onnx", "a=b:c.onnx"])
def test_names_may_hold_anything(tmp_path: Path, name: str) -> None:
    message = refusal(save(tmp_path / name, LFS))
    assert "a git-LFS pointer" in message
