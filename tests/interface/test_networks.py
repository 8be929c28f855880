"""Networks as text and as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.architecture import text as arch_text
from nas.errors import ArchitectureError, InputError
from nas.interface.networks import count, read_architecture

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


@pytest.mark.parametrize("name", ["gone.txt", "gone.json", "below/gone"])
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
