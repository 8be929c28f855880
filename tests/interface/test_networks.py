"""Networks as text and as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.architecture.references.named import reference
from nas.data import Dataset, Split
from nas.errors import ArchitectureError, InputError
from nas.interface.networks import (
    build_model,
    count,
    network_for_images,
    read_architecture,
    read_network,
)
from nas.runs.data import DataSource

NETWORK = "in_s32 cn_r1_k3_s2_c8 ir_r1_k3_s1_e3_c8 gap fc_c12"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "network.txt"
    path.write_text(NETWORK, "utf-8")
    return path


def test_a_file_and_its_text_are_the_same_network(written: Path) -> None:
    assert read_architecture(str(written)) == read_architecture(NETWORK)
    assert count(str(written)) == count(NETWORK)


def test_a_network_longer_than_any_file_name_is_read_as_text() -> None:
    # Linux refuses names of more than 255 bytes and paths of more than 4096.
    blocks = " ".join(["ir_r1_k3_s1_e3_c8"] * 300)
    text = NETWORK.replace("ir_r1_k3_s1_e3_c8", blocks)
    assert len(text) > 4096
    assert arch_text.to_text(read_architecture(text)) == arch_text.to_text(arch_text.parse(text))


def test_a_path_that_cannot_be_looked_up_is_read_as_text(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise OSError("File name too long")

    monkeypatch.setattr(Path, "is_file", refuse)
    assert read_architecture(NETWORK) == arch_text.parse(NETWORK)


def test_a_file_that_is_no_text_is_refused_by_name(written: Path) -> None:
    written.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArchitectureError, match="UTF-8 text") as caught:
        read_architecture(str(written))
    assert caught.value.received == str(written)
    assert "architecture.json" in caught.value.fix


@pytest.mark.parametrize("name", ["gone.txt", "gone.json", "below/gone", "with spaces/gone"])
def test_a_file_that_is_not_there_is_not_taken_for_a_network(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        read_architecture(str(tmp_path / name))
    assert "--arch" in caught.value.fix


@pytest.mark.parametrize(
    "text", ["in_s32 cn_k3_s2 gap fc_c2", "timm:nowhere in_s32", '{"kind": "other"}', "{"]
)
def test_what_is_wrong_in_a_file_is_told_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "network.json"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_architecture(str(path))
    assert caught.value.received.endswith(f" in {path}")


def images(classes: int, size: int = 32) -> Dataset:
    """As few images as have these classes."""
    labels = np.arange(classes, dtype=np.int32)
    split = Split(np.zeros((classes, size, size, 3), np.uint8), labels)
    names = tuple(map(str, range(classes)))
    return Dataset("few", split, split, names, size, "0" * 16, False)


def test_a_name_is_a_network_of_the_images_size_and_classes() -> None:
    found = network_for_images("mobilenetv2_x0.5", {}, dataset=images(7, 64))
    assert found.architecture == reference("mobilenetv2_x0.5", 64, 7)
    assert found.takes_any_classes and "@published" in found.notes[0]


def test_a_name_without_images_is_for_the_sample() -> None:
    found = network_for_images("resnet9_x0.25", {}).architecture
    assert (found.image_size, found.num_classes) == (32, 12)
    assert network_for_images("resnet9", {"image_size": 48}).architecture.image_size == 48


def test_a_name_by_itself_is_the_published_network() -> None:
    assert count("mobilenetv2").params == 3_504_872
    assert count("mobilenetv2", 32, 10) == count(reference("mobilenetv2", 32, 10))
    model = build_model("resnet9_x0.25", num_classes=3)
    assert model.output_shape == (None, 3)
    assert model.name == "network"


def test_images_are_looked_at_without_decoding_any(tmp_path: Path) -> None:
    x, y = np.zeros((4, 24, 24, 3), np.uint8), np.array([0, 1, 2, 2])
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    source = DataSource("files", str(tmp_path / "a.npz"))
    found = network_for_images("resnet9_x0.25", {}, source).architecture
    assert (found.image_size, found.num_classes) == (24, 3)


@pytest.mark.parametrize("text", ["timm", "ours", "file"])
def test_networks_of_other_classes_than_the_images_are_refused(text: str, written: Path) -> None:
    forms = {
        "timm": "timm:mobilenetv2 in_s32 stem_c16 ir_r1_k3_s1_e3_c16 head_c32 fc_c1000",
        "ours": NETWORK,
        "file": str(written),
    }
    with pytest.raises(InputError) as refused:
        network_for_images(forms[text], {}, dataset=images(10))
    assert "10 classes" in refused.value.expected
    assert ("1000 classes" if text == "timm" else "12 classes") in refused.value.received
    assert "dense layer of 10 units" in refused.value.fix


def test_blocks_of_timm_and_of_ours_are_read() -> None:
    text = "timm:mobilenetv2 in_s32 stem_c16 ir_r1_k3_s1_e3_c16 head_c32 fc_c10"
    assert network_for_images(text, {}, dataset=images(10)).architecture == arch_text.loads(text)
    with pytest.raises(InputError, match="'a1.1'"):
        read_network("timm:mobilenetv2 in_s32 stem_c16 ir_r1_k3_a1.1_s1_e6_c24 head_c32 fc_c10")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("mobilnetv2", "'mobilenetv2'"),
        ("resnet9_x0", "'_x0'"),
        ("model.onnx", "NAME.keras"),
        ("model.h5", "NAME.keras"),
        ("gone.keras", "does not exist"),
        ("gone.json", "does not exist"),
        ("below/gone", "does not exist"),
    ],
)
def test_what_is_no_network_is_refused(value: str, named: str) -> None:
    with pytest.raises(InputError) as refused:
        read_network(value)
    message = str(refused.value)
    assert named in message
    assert all(part in message for part in ("Expected", "Received", "Fix"))


def test_the_text_of_an_architecture_is_no_name() -> None:
    with pytest.raises(InputError, match="--network resnet9") as refused:
        read_architecture("resnet9")
    assert "published" in refused.value.received


def test_sizes_and_classes_that_a_network_has_not_are_refused() -> None:
    assert count(NETWORK, 32, 12) == count(NETWORK)
    with pytest.raises(InputError, match="image_size 32"):
        count(NETWORK, image_size=64)
    with pytest.raises(InputError, match="num_classes 12"):
        count(NETWORK, num_classes=10)
