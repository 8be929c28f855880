"""External data of ONNX files: read, or refused unread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from latency.onnx_files.model_file import (
    read_model,
)
from tests.support.model_files import (
    WEIGHT,
    branching,
    edited,
    move_out,
    refusal,
    run,
    save,
    weighted,
)


def test_external_data_comes_into_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.bin").write_bytes(b"\xff" * 8 + WEIGHT.tobytes() + b"\xff" * 4)
    entries = {"location": "sub/w.bin", "offset": "8", "length": str(WEIGHT.nbytes)}
    path = save(tmp_path / "m.onnx", weighted(**entries))
    before = path.read_bytes()
    data = read_model(path)
    (tmp_path / "sub" / "w.bin").unlink()
    tensor = onnx.ModelProto.FromString(data).graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), WEIGHT)
    assert not tensor.external_data and tensor.data_location == TensorProto.DEFAULT
    assert run(data)[0].shape == (1, 4, 8, 8)
    assert path.read_bytes() == before


def test_external_data_without_a_length_ends_with_its_shape(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes() + b"\xff" * 40)
    data = read_model(save(tmp_path / "m.onnx", weighted(location="w.bin")))
    tensor = onnx.ModelProto.FromString(data).graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), WEIGHT)


def test_external_data_of_attributes_and_subgraphs(tmp_path: Path) -> None:
    def outside(model: onnx.ModelProto) -> None:
        for branch in model.graph.node[1].attribute:
            tensor = branch.g.node[0].attribute[0].t
            tensor.ClearField("raw_data")
            move_out(tensor, location="w.bin", length="12")

    plain = branching()
    (tmp_path / "w.bin").write_bytes(np.full(3, 2, np.float32).tobytes())
    data = read_model(save(tmp_path / "m.onnx", edited(plain, outside)))
    assert run(data)[0].tolist() == [2, 2, 2]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Lists the files that are opened by Python during a test."""
    import builtins

    names: list[str] = []
    real_open = builtins.open

    def recording_open(file: Any, *arguments: Any, **keywords: Any) -> Any:
        names.append(os.path.realpath(file) if not isinstance(file, int) else "")
        return real_open(file, *arguments, **keywords)

    monkeypatch.setattr(builtins, "open", recording_open)
    yield names


@pytest.mark.parametrize("kind", ["absolute", "parent", "inner_parent", "windows", "drive"])
def test_external_data_outside_is_refused_unread(
    tmp_path: Path, opened: list[str], kind: str
) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(WEIGHT.tobytes())
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    location = {
        "absolute": str(secret),
        "parent": "../secret.bin",
        "inner_parent": "sub/../../secret.bin",
        "windows": "..\\secret.bin",
        "drive": "C:\\secret.bin",
    }[kind]
    message = refusal(save(folder / "m.onnx", weighted(location=location)))
    assert "inside its folder" in message and "not read" in message
    assert str(secret.resolve()) not in opened


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_that_leads_outside_is_refused_unread(
    tmp_path: Path, opened: list[str], link: str
) -> None:
    (tmp_path / "far").mkdir()
    secret = tmp_path / "far" / "w.bin"
    secret.write_bytes(WEIGHT.tobytes())
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "w.bin").symlink_to(secret)
    (folder / "sub").symlink_to(tmp_path / "far")
    location = "w.bin" if link == "file" else "sub/w.bin"
    message = refusal(save(folder / "m.onnx", weighted(location=location)))
    assert "a link to" in message and "not read" in message
    assert str(secret.resolve()) not in opened


def test_links_inside_the_models_folder_are_followed(tmp_path: Path, opened: list[str]) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    (tmp_path / "link.bin").symlink_to(tmp_path / "w.bin")
    path = save(tmp_path / "m.onnx", weighted(location="link.bin"))
    assert run(read_model(path))[0].shape == (1, 4, 8, 8)
    assert str((tmp_path / "w.bin").resolve()) in opened


@pytest.mark.parametrize("linked", [False, True], ids=["beside_the_file", "beside_the_link"])
def test_external_data_of_a_linked_model(tmp_path: Path, linked: bool) -> None:
    far, near = tmp_path / "far", tmp_path / "near"
    far.mkdir()
    near.mkdir()
    save(far / "m.onnx", weighted(location="w.bin"))
    (near / "m.onnx").symlink_to(far / "m.onnx")
    # A download cache keeps both under other names and links to both.
    (far / ("blob" if linked else "w.bin")).write_bytes(WEIGHT.tobytes())
    if linked:
        (near / "w.bin").symlink_to(far / "blob")
    assert run(read_model(near / "m.onnx"))[0].shape == (1, 4, 8, 8)


@pytest.mark.parametrize(
    "location", ["gone.bin", "sub", "a\0b", "", "*/_ORT_MEM_ADDR_/*", "gone/w.bin", "w" * 300]
)
def test_external_data_that_is_no_file(tmp_path: Path, location: str) -> None:
    (tmp_path / "sub").mkdir()
    message = refusal(save(tmp_path / "m.onnx", weighted(location=location)))
    assert "external data" in message and repr(location) in message


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"offset": "4"}, "48 bytes from 4 in "),
        ({"offset": "4096", "length": "48"}, "48 bytes from 4096"),
        ({"length": "52"}, "52 bytes where its shape needs 48"),
        ({"length": "0"}, "0 bytes where its shape needs 48"),
        ({"offset": "-1"}, "offset '-1'"),
        ({"length": "many"}, "length 'many'"),
    ],
)
def test_external_data_beyond_its_file(tmp_path: Path, entries: dict[str, str], text: str) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    path = save(tmp_path / "m.onnx", weighted(location="w.bin", **entries))
    message = refusal(path)
    assert text in message and "'w'" in message


def test_a_data_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes()[:20])
    message = refusal(save(tmp_path / "m.onnx", weighted(location="w.bin")))
    assert f"48 bytes from 0 in {tmp_path / 'w.bin'} of 20 bytes" in message


def test_external_text_and_negative_shapes_are_refused(tmp_path: Path) -> None:
    def set_type(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].data_type = TensorProto.STRING

    def set_dims(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[0] = -1

    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    for change, text in ((set_type, "type STRING"), (set_dims, "[-1, 3, 1, 1]")):
        data = edited(weighted(location="w.bin"), change)
        assert text in refusal(save(tmp_path / "m.onnx", data))


def test_external_data_above_protobufs_limit_is_not_read(tmp_path: Path, opened: list[str]) -> None:
    def set_dims(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[0] = 2**31 // 12

    (tmp_path / "w.bin").touch()
    os.truncate(tmp_path / "w.bin", 2**31)
    message = refusal(save(tmp_path / "m.onnx", edited(weighted(location="w.bin"), set_dims)))
    assert "protobuf's limit is 2 GB" in message
    assert str((tmp_path / "w.bin").resolve()) not in opened
