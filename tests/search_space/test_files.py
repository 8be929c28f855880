"""Blocks and spaces out of files: what they may hold, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.architecture.lowering import lower
from nas.architecture.spec import LAYER_TYPES
from nas.architecture.text import parse, to_text
from nas.errors import ArchitectureError, InputError, SpaceError
from nas.search_space.files import load_blocks, reference
from nas.search_space.named import get_space

BLOCK = """
from dataclasses import dataclass
from typing import ClassVar

from nas.architecture.lowering import lower
from nas.architecture.operations import ConvOp
from nas.architecture.spec import Field, Layer, register_layer


@register_layer
@dataclass(frozen=True)
class Plain(Layer):
    channels: int

    TOKEN: ClassVar[str] = "{token}"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field("c", "channels"),)


@lower.register
def lower_plain(layer: Plain, prefix: str, shape: tuple) -> tuple:
    return (ConvOp(f"{{prefix}}.conv", shape, {kernel}, 1, layer.channels),)
"""
SPACE = """
from nas.architecture.spec import LAYER_TYPES, Conv, Dense, GlobalAveragePool
from nas.search_space.space import OneOf, Space

Plain = LAYER_TYPES["plain"]
LAYERS = (Conv(3, 2, 8), Plain(8), OneOf("a", (Conv(3, 1, 8), Conv(5, 1, 8))))
SPACE = Space("own", 16, (*LAYERS, GlobalAveragePool(), Dense(3)))
"""


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    records = dict(LAYER_TYPES)
    yield
    LAYER_TYPES.clear()
    LAYER_TYPES.update(records)


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_a_block_of_a_file_is_known_once_it_is_loaded(tmp_path: Path) -> None:
    path = written(tmp_path / "b.py", BLOCK.format(token="plain", kernel=3))
    load_blocks([path])
    load_blocks([path])  # again, as a run that goes on in the same process
    text = "in_s16 cn_r1_k3_s2_c8 plain_c8 gap fc_c3"
    assert to_text(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("x = 1", "a record in .* that `nas.architecture.spec.register_layer` made known"),
        (BLOCK.format(token="ir", kernel=3), "a token of letters that no other layer uses"),
        (
            BLOCK.format(token="plain", kernel=3).replace("@lower.register", ""),
            "a function in .* that lowers Plain",
        ),
    ],
)
def test_a_file_that_is_no_block_is_refused(text: str, message: str, tmp_path: Path) -> None:
    before = dict(LAYER_TYPES)
    with pytest.raises(InputError, match=f"(?s){message}.*Fix:"):
        load_blocks([written(tmp_path / "b.py", text)])
    assert before == LAYER_TYPES


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(InputError, match="(?s)a Python file for --blocks.*which does not exist"):
        load_blocks(["/nowhere.py"])
    with pytest.raises(InputError, match="(?s)a Python file for --space.*which does not exist"):
        get_space("/nowhere.py")


def test_a_space_is_a_value_or_a_function(tmp_path: Path) -> None:
    load_blocks([written(tmp_path / "b.py", BLOCK.format(token="plain", kernel=3))])
    path = written(tmp_path / "s.py", SPACE)
    assert get_space(path).name == "own" and get_space(path, 16, 3) == get_space(path)
    with pytest.raises(SpaceError, match="(?s)32 px and 3 classes.*16 px and 3 classes"):
        get_space(path, 32, 3)
    function = SPACE.replace(
        "SPACE = Space(", "def space(image_size, num_classes):\n    return Space("
    )
    function = function.replace("16, (*", "image_size, (*").replace(
        "Dense(3)", "Dense(num_classes)"
    )
    made = get_space(written(tmp_path / "f.py", function), 24, 5)
    assert (made.image_size, made.num_classes) == (24, 5)
    with pytest.raises(InputError, match="a value SPACE or a function space"):
        get_space(written(tmp_path / "n.py", "SPACE = 3"))
    gated = SPACE.replace("Dense(3)", "Dense(3, 'sigmoid')")
    with pytest.raises(ArchitectureError, match="a classifier without an activation"):
        get_space(written(tmp_path / "g.py", gated))


def test_the_fingerprint_knows_the_formats_of_a_block(tmp_path: Path) -> None:
    space = written(tmp_path / "s.py", SPACE)
    prints = set()
    for bits in (1, 2, 4):
        LAYER_TYPES.pop("plain", None)
        lowered = f"layer.channels, formats=Formats(weights=ScaledInteger({bits}))"
        block = BLOCK.format(token="plain", kernel=3).replace("layer.channels)", lowered + ")")
        block = block.replace("import ConvOp", "import ConvOp, Formats")
        imports = "from nas.architecture.number_formats import ScaledInteger\n"
        load_blocks([written(tmp_path / f"b{bits}.py", imports + block)])
        prints.add(get_space(space).fingerprint())
    assert len(prints) == 3


def test_the_fingerprint_knows_how_a_block_is_lowered(tmp_path: Path) -> None:
    space = written(tmp_path / "s.py", SPACE)
    prints = []
    for kernel in (3, 5):
        LAYER_TYPES.pop("plain", None)
        path = tmp_path / f"b{kernel}.py"
        load_blocks([written(path, BLOCK.format(token="plain", kernel=kernel))])
        prints.append(get_space(space).fingerprint())
    assert prints[0] != prints[1]
    assert prints[0] == "73ab8d60bed9", "tables of earlier versions are found by it"
    assert lower.dispatch(LAYER_TYPES["plain"]) is not lower.dispatch(object)


def test_a_run_keeps_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert reference("tiny") == "tiny"
    assert reference("s.py") == str(tmp_path / "s.py")


@pytest.mark.parametrize("text", ["1 / 0", "import sys; sys.exit(3)", "raise SystemExit", "def ("])
def test_a_file_that_breaks_off_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "own.py", text)
    with pytest.raises(InputError, match="(?s)for --blocks that runs to its end.*own.py"):
        load_blocks([path])
    with pytest.raises(InputError, match="(?s)for --space that runs to its end.*own.py"):
        get_space(path)
