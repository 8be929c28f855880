"""classify.py, which is written beside the exported file, against our own way to pixels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from nas.architecture.text import parse, to_text
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import to_onnx
from nas.data.decoding import decode_image
from nas.data.preparation import RESIZES, Preparation, Resize
from nas.deployment.metadata import ModelMetadata, with_metadata
from nas.deployment.script import SCRIPT_NAME, classify_script
from tests.support.odd_images import write_png16
from tests.support.programs import ROOT

SIZE = 16
NETWORK = parse(f"in_s{SIZE} cn_k3_s2_c8 gap fc_c5")
CLASSES = ("a", "b b", "[red]", "d", "e")
# Runs a script where neither this project nor its larger libraries can be imported.
ALONE = """
import runpy, sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("nas", "latency", "onnx", "keras", "tensorflow"):
            raise ImportError(f"{name} is not to be had on a device")
sys.meta_path.insert(0, Refused())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def pictures(folder: Path) -> list[Path]:
    """Files of every kind that images come in: orientation, transparency, grey, palette."""
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (40, 61, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    colours.save(folder / "turned.jpg", exif=exif, quality=95)
    colours.convert("L").save(folder / "grey.jpg")
    clear = colours.convert("RGBA")
    clear.putalpha(Image.fromarray(rng.integers(0, 256, (40, 61), np.uint8)))
    clear.save(folder / "clear.png")
    clear.convert("LA").save(folder / "grey-clear.png")
    colours.quantize(16).save(folder / "palette.png", transparency=3)
    colours.resize((SIZE, SIZE)).save(folder / "small.png")
    colours.convert("CMYK").save(folder / "print.jpg")
    return sorted(folder.iterdir())


def written(folder: Path, preparation: Preparation) -> bytes:
    """The run's two files, the network's first."""
    metadata = ModelMetadata(
        class_names=CLASSES,
        architecture=to_text(NETWORK),
        image_size=SIZE,
        preparation=preparation,
    )
    data = with_metadata(to_onnx(NETWORK, random_weights(NETWORK)), metadata)
    (folder / "model.onnx").write_bytes(data)
    (folder / SCRIPT_NAME).write_text(classify_script(preparation), "utf-8")
    return data


def expected(data: bytes, path: Path, preparation: Preparation) -> str:
    """The line that the script has to print, by our own decoding."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    pixels = decode_image(path, preparation)[None].astype(np.float32)
    scores = session.run(None, {"image": pixels})[0][0]
    shares = np.exp(scores - scores.max())
    best = int(scores.argmax())
    return f"{path}: {CLASSES[best]} ({shares[best] / shares.sum():.1%})"


class Recorder:
    """Stands in for a session: keeps what the script feeds."""

    def __init__(self, data: bytes) -> None:
        self.own, self.fed = onnxruntime.InferenceSession(data), list[np.ndarray]()

    def get_modelmeta(self) -> object:
        return self.own.get_modelmeta()

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.fed.append(inputs["image"])
        return self.own.run(outputs, inputs)


def fed_pixels(
    folder: Path, data: bytes, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> list[np.ndarray]:
    """What the script makes of image files, in this process."""
    import runpy

    recorder = Recorder(data)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: recorder)
    monkeypatch.setattr(sys, "argv", [SCRIPT_NAME, *map(str, paths)])
    runpy.run_path(str(folder / SCRIPT_NAME), run_name="__main__")
    return recorder.fed


@pytest.mark.parametrize("resize", RESIZES)
def test_the_script_sees_the_pixels_that_the_training_saw(
    resize: Resize, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparation = Preparation(SIZE, resize)
    (tmp_path / "images").mkdir()
    paths = pictures(tmp_path / "images")
    data = written(tmp_path, preparation)
    found = fed_pixels(tmp_path, data, paths, monkeypatch)
    assert len(found) == len(paths)
    for path, pixels in zip(paths, found, strict=True):
        own = decode_image(path, preparation)
        assert np.array_equal(pixels[0], own.astype(np.float32)), path.name


@pytest.mark.parametrize("resize", RESIZES)
def test_grey_images_of_16_bits_have_the_white_of_the_data_set(
    resize: Resize, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparation = Preparation(SIZE, resize, 4095)
    (tmp_path / "images").mkdir()
    pictures(tmp_path / "images")
    values = np.random.default_rng(0).integers(0, 4096, (30, 44, 1)).astype(np.uint16)
    write_png16(tmp_path / "images" / "wide.png", values)
    paths = sorted((tmp_path / "images").iterdir())
    found = fed_pixels(tmp_path, written(tmp_path, preparation), paths, monkeypatch)
    for path, pixels in zip(paths, found, strict=True):
        own = decode_image(path, preparation)
        assert np.array_equal(pixels[0], own.astype(np.float32)), path.name


def test_values_that_no_training_image_had_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.full((8, 8, 1), 5000, np.uint16)
    path = write_png16(tmp_path / "wide.png", values)
    for white in (None, 4095):
        data = written(tmp_path, Preparation(SIZE, white=white))
        with monkeypatch.context() as patch, pytest.raises(SystemExit, match="no training image"):
            fed_pixels(tmp_path, data, [path], patch)


def test_the_script_needs_nothing_of_this_project(tmp_path: Path) -> None:
    preparation = Preparation(SIZE, "pad")
    (tmp_path / "images").mkdir()
    paths = pictures(tmp_path / "images")
    data = written(tmp_path, preparation)
    command = [sys.executable, "-I", "-c", ALONE, str(tmp_path / SCRIPT_NAME), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [expected(data, path, preparation) for path in paths]
    lines = (tmp_path / SCRIPT_NAME).read_text("utf-8").splitlines()
    assert len(lines) < 45 and json.dumps(str(ROOT)) not in "".join(lines)
    usage = subprocess.run(command[:5], capture_output=True, text=True, timeout=120)
    assert usage.returncode == 1 and "classify.py IMAGE..." in usage.stderr
