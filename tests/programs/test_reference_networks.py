"""Published networks and Keras files through the programs, at toy size."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import pytest
from keras import layers

from tests.support.programs import is_refusal, run_program

DONE = (0, 4)  # done, or that a budget cannot be told at toy size


def keras_file(path: Path, classes: int) -> Path:
    """A small model as a beginner writes it."""
    body = [layers.Conv2D(8, 3, strides=2, activation="relu"), layers.GlobalAveragePooling2D()]
    head = layers.Dense(classes, activation="softmax")
    keras.Sequential([layers.Input((32, 32, 3)), *body, head]).save(path)
    return path


@pytest.mark.slow
def test_a_name_and_a_keras_file_are_trained_measured_and_certified(tmp_path: Path) -> None:
    own = str(keras_file(tmp_path / "own.keras", 12))
    for number, network in enumerate(("resnet9_x0.125", own)):
        run = tmp_path / f"run{number}"
        done = run_program("main.py", "--network", network, "--smoke", "--run_dir", str(run))
        assert done.exit_code in DONE, done.err
        certificate = json.loads((run / "certificate.json").read_text())
        assert certificate["measured_ms"] and certificate["params"]
        assert (run / "model.onnx").is_file() and (run / "report.html").is_file()
        again = run_program("main.py", "--run", str(run), "--smoke")
        assert again.exit_code in DONE, again.err
    assert "weights are not read" in done.out


@pytest.mark.slow
def test_a_network_is_searched_around(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("--space", "around:resnet9_x0.125", "--lambda", "0.1", "--smoke")
    done = run_program("nas.py", *words, "--random_networks", "0", "--run_dir", str(run))
    assert done.exit_code == 0, done.err
    probabilities = json.loads((run / "search.json").read_text())["probabilities"]
    assert set(probabilities) == {"kernel", "width", "skip"}
    rows = json.loads((run / "table.json").read_text())["rows"]
    assert any(key.startswith("rb_k3_w8_") for key in rows)


def test_a_keras_file_of_other_classes_leaves_no_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    network = str(keras_file(tmp_path / "own.keras", 1000))
    done = run_program("main.py", "--network", network, "--smoke", "--run_dir", str(run))
    assert done.exit_code == 2 and is_refusal(done.err), done.err
    assert "12 classes" in done.err and "1000 classes" in done.err and not run.exists()
