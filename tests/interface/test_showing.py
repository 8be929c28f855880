"""Layers, curves and predictions: what is there of networks, without training them."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import nas
from latency.errors import LatencyError
from nas.cost.counts import architecture_cost
from nas.data.decoding import decode_image
from nas.data.preparation import Preparation
from nas.errors import InputError
from nas.interface.named_networks import name_networks, split_words
from nas.interface.networks import read_architecture
from nas.interface.showing import draw_curves, shown_networks
from nas.pipeline.predict import softmax
from nas.runs.folder import RunFolder
from nas.runs.predictions import Predictions
from tests.support import trained_runs
from tests.support.programs import ROOT, Done, is_refusal, run_program

ORIENTATION, TURNED_RIGHT = 274, 6


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that looks trained, whose images were cropped."""
    data = trained_runs.dataset(preparation=Preparation(16, "crop"))
    return trained_runs.trained_run(tmp_path_factory.mktemp("runs") / "run", data=data).path


@pytest.fixture
def pixels() -> np.ndarray:
    """A picture that is not square and looks the same from no other side."""
    return np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)


def predicted(run: Path, *words: str) -> tuple[Done, Predictions]:
    done = run_program("main.py", "--run", str(run), *words)
    return done, RunFolder(run).read(Predictions)


def test_the_exported_file_says_what_it_says_by_itself(
    run: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    done, found = predicted(run, "--predict", str(path))
    assert done.exit_code == 0, done.err
    session = onnxruntime.InferenceSession(run / "model.onnx", providers=["CPUExecutionProvider"])
    image = decode_image(path, Preparation(16, "crop"))[None].astype(np.float32)
    (scores,) = session.run(None, {session.get_inputs()[0].name: image})[0]
    shares = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    (only,) = found.images
    assert [c.index for c in only.classes] == list(np.argsort(-shares)[:5])
    # One side is computed in float32, whose digits end at about 1e-7.
    told = [found_class.probability for found_class in only.classes]
    assert told == pytest.approx(sorted(shares, reverse=True)[:5], rel=1e-5)
    assert [c.name for c in only.classes] == [trained_runs.CLASSES[c.index] for c in only.classes]
    assert found.preparation == Preparation(16, "crop") and found.is_preparation_known
    assert only.best.name in done.out and "Warning" not in done.out
    assert (run / "predictions" / "sheet-1.png").read_bytes().startswith(b"\x89PNG")


def test_a_turned_photograph_is_predicted_as_it_is_seen(
    run: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_RIGHT
    Image.fromarray(pixels).save(tmp_path / "camera.png", exif=exif)
    Image.fromarray(np.rot90(pixels, -1)).save(tmp_path / "upright.png")
    Image.fromarray(pixels).save(tmp_path / "lying.png")
    names = ("camera.png", "upright.png", "lying.png")
    _, found = predicted(run, "--predict", *(str(tmp_path / name) for name in names))
    camera, upright, lying = (image.classes for image in found.images)
    assert camera == upright != lying


def test_what_is_no_image_stops_no_other(run: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    good, other = tmp_path / "good, of ours.webp", tmp_path / "below" / "other.gif"
    other.parent.mkdir()
    (tmp_path / "empty").mkdir()
    for path in (good, other):
        Image.fromarray(pixels).save(path)
    (tmp_path / "text.jpg").write_text("no image")
    cut = tmp_path / "cut.png"
    Image.fromarray(pixels).save(cut)
    cut.write_bytes(cut.read_bytes()[:-400])
    words = [f"{cut},{tmp_path / 'gone.png'}", str(good), str(tmp_path / "empty"), str(tmp_path)]
    done, found = predicted(run, "--predict", *words)
    assert done.exit_code == 2
    assert [image.path for image in found.images] == [str(good), str(other)]
    failed = {Path(f.path).name: f for f in found.failed}
    assert set(failed) == {"cut.png", "gone.png", "empty", "text.jpg"}
    assert "truncated" in failed["cut.png"].received
    assert "nothing there" in failed["gone.png"].received
    assert "no image of a format that is known" in failed["text.jpg"].received
    assert "a folder with images" in failed["empty"].expected
    for entry in found.failed:
        assert is_refusal(entry.text) and entry.text in done.err
        assert "skip_bad_images" not in entry.fix  # which is a flag of trainings
    assert "good, of ours.webp" in done.out


def test_spaces_behind_commas_are_no_part_of_a_path(
    run: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    for name in ("a b.png", "c.png", "d.png "):
        Image.fromarray(pixels).save(tmp_path / name, format="png")
    words = f"{tmp_path}/a b.png, {tmp_path}/c.png , {tmp_path}/gone,"
    done, found = predicted(run, "--predict", words, str(tmp_path / "d.png "))
    names = [Path(image.path).name for image in found.images]
    assert names == ["a b.png", "c.png", "d.png "]
    assert f"Received: {tmp_path}/gone: nothing there." in done.err
    done = run_program("main.py", "--run", str(run), "--predict", "~nobody_of_this_name/a.png")
    assert done.exit_code == 2 and "a home folder for `~`" in done.err


def test_a_folder_stands_for_its_images_as_those_of_data_do(
    run: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    no_data = ("._a.png", ".ipynb_checkpoints/a.png", "__MACOSX/in/a.png", "below/@eaDir/a.png")
    for name in ("a.png", "below/b.png", "elsewhere/c.png", *no_data):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "below" / "link").symlink_to(tmp_path / "elsewhere")
    folder = tmp_path / "below"
    _, found = predicted(run, "--predict", str(folder), str(tmp_path / "a.png"))
    paths = [folder / "b.png", folder / "link" / "c.png", tmp_path / "a.png"]
    assert [Path(image.path) for image in found.images] == paths
    _, found = predicted(run, "--predict", str(tmp_path))
    assert not found.failed
    assert {Path(image.path).name for image in found.images} == {"a.png", "b.png", "c.png"}
    assert not any(name in image.path for image in found.images for name in no_data)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--predict", "a.png", "--int8"], "8 bits"),
        (["--predict", "a.png", ""], "values of --predict"),
        (["--predict="], "a value for --predict"),
        (["a.png"], "flags only"),
        (["--curves", "a.png"], "flags only"),
    ],
)
def test_words_that_say_nothing(run: Path, words: list[str], text: str) -> None:
    done = run_program("main.py", "--run", str(run), *words)
    assert done.exit_code == 2 and text in done.err and is_refusal(done.err)


def test_a_run_that_cannot_predict(run: Path, tmp_path: Path) -> None:
    untrained = trained_runs.untrained_run(tmp_path / "untrained")
    with pytest.raises(InputError, match="a trained network") as caught:
        nas.Run(untrained.path).predict("a.png")
    assert f"--run {untrained.path}" in caught.value.fix
    model = untrained.path / "model.onnx"
    model.write_bytes(b"no network")
    with pytest.raises(InputError, match="that ONNX Runtime .* runs"):
        nas.Run(untrained.path).predict("a.png")
    other = trained_runs.trained_run(tmp_path / "other", "in_s16 cn_k3_s2_c4 gap fc_c3")
    model.write_bytes((other.path / "model.onnx").read_bytes())
    with pytest.raises(InputError, match="3 classes"):
        nas.Run(untrained.path).predict("a.png")


def test_a_run_that_does_not_know_how_its_images_were_made_says_so(
    pixels: np.ndarray, tmp_path: Path
) -> None:
    run = trained_runs.trained_run(tmp_path / "run").path
    Image.fromarray(pixels).save(tmp_path / "a.png")
    done, found = predicted(run, "--predict", str(tmp_path / "a.png"))
    assert not found.is_preparation_known and found.preparation == Preparation(16)
    assert "Warning: the run does not know" in done.out


def test_an_image_is_read_once_and_drawn_as_it_was(
    run: Path, pixels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / "pipe.png", Path.read_bytes
    Image.fromarray(pixels).save(path)

    def gone_afterwards(found: Path) -> bytes:
        content = read(found)
        if found == path:
            path.unlink()
        return content

    monkeypatch.setattr(Path, "read_bytes", gone_afterwards)
    done, found = predicted(run, "--predict", str(path))
    assert done.exit_code == 0 and not path.exists(), done.err
    assert found.images[0].best.name in done.out and "sheet-1.png" in done.out


@pytest.mark.parametrize("blocked", ["predictions/sheet-1.png/below", "predictions"])
def test_predictions_are_told_where_nothing_can_be_written(
    blocked: str, run: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    own = tmp_path / "own"
    shutil.copytree(run, own, ignore=shutil.ignore_patterns("predictions"))
    (own / blocked).parent.mkdir(parents=True, exist_ok=True)
    (own / blocked).write_text("a file where a folder should be, or in one that should be none")
    done = run_program("main.py", "--run", str(own), "--predict", str(tmp_path / "a.png"))
    best = nas.Run(run).predict(tmp_path / "a.png").images[0].best.name
    assert "image class probability" in " ".join(done.out.split()) and best in done.out
    says = "Warning: the pictures cannot be written" if "/" in blocked else "error"
    assert says in done.out + done.err and "Traceback" not in done.err


def test_predicting_starts_no_framework(run: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    words = ["main.py", "--run", str(run), "--predict", str(tmp_path / "a.png")]
    code = (
        f"import sys; from nas.cli.program import run_retrain; run_retrain({words!r}); "
        "print({'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()" and "sheet-1.png" in done.stdout


def test_probabilities_of_large_scores_are_numbers() -> None:
    shares = softmax(np.array([1000.0, 0.0, 1000.0]))
    assert shares.tolist() == [0.5, 0.0, 0.5]


# Layers.


def test_the_table_of_layers_for_other_programs(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "layers.csv"
    words = ("--summary", "--csv", str(path))
    done = run_program("main.py", *words, "--compare", f"resnet9,{run},{trained_runs.WIDER}")
    assert done.exit_code == 0, done.err
    # Of the source: 6,573,120 that are trained and 4,480 statistics.
    assert "params 6,577,600 (trainable 6,573,120, not trainable 4,480" in done.out
    rows = list(csv.DictReader(path.read_text().splitlines()))
    totals = {row["network"]: row for row in rows if row["layer"] == "total"}
    assert list(totals) == ["resnet9", "run", "network-3"]
    cost = architecture_cost(read_architecture(trained_runs.NETWORK))
    own = [row for row in rows if row["network"] == "run"]
    assert len(own) == len(cost.layers) + 1
    for column, total in (("params", cost.params), ("macs", cost.macs)):
        assert sum(int(row[column]) for row in own[:-1]) == int(own[-1][column]) == total
    statistics = cost.params_with_statistics - cost.params
    assert sum(int(row["not_trained"]) for row in own[:-1]) == statistics


def test_a_network_without_a_name_has_one_in_the_table(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(trained_runs.WIDER)
    path = tmp_path / "layers.csv"
    for flag, word, name in (
        ("--arch", trained_runs.WIDER, "network-1"),
        ("--arch", str(tmp_path / "mine.txt"), "mine"),
        ("--network", str(tmp_path / "mine.txt"), "mine"),
        ("--network", "resnet9", "resnet9"),
    ):
        done = run_program("main.py", "--summary", "--csv", str(path), flag, word)
        assert done.exit_code == 0, done.err
        assert {row["network"] for row in csv.DictReader(path.read_text().splitlines())} == {name}


def test_a_csv_file_that_cannot_be_written_is_refused_first(run: Path) -> None:
    words = ("--run", str(run), "--summary", "--csv", "/nowhere/at/all.csv")
    done = run_program("main.py", *words)
    assert done.exit_code == 2 and "a file in an existing folder as --csv" in done.err
    assert "total" not in done.out


# Curves.


def test_a_run_below_a_folder_with_spaces_is_a_run(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "my runs" / "the first, of ours"
    shutil.copytree(run, path)
    words = split_words([str(path), "resnet9"])
    assert [network.run for network in name_networks(words)] == [path, None]
    assert [network.name for network in shown_networks(words)] == [path.name, "resnet9"]
    assert draw_curves([path]) == path / "curves.png"
    (path / "config.json").write_text("no JSON")
    with pytest.raises(LatencyError, match="config.json"):
        nas.retrain(str(path))
    with pytest.raises(InputError, match="where nothing is"):
        name_networks([str(tmp_path / "my runs" / "gone")])


def test_curves_of_one_run_and_of_several(run: Path, tmp_path: Path) -> None:
    other = trained_runs.trained_run(tmp_path / "other", trained_runs.WIDER).path
    for words, picture in (
        (("--run", str(run)), run / "curves.png"),
        (("--compare", f"{other},{run}"), other / "curves-of-several.png"),
    ):
        done = run_program("main.py", "--curves", *words)
        assert done.exit_code == 0 and f"Curves: {picture}" in done.out, done.err
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert nas.Run(run).curves() == run / "curves.png"
    assert [row.step for row in nas.Run(run).training_history] == list(range(1, 9))


def test_curves_of_what_is_not_trained_are_refused(tmp_path: Path) -> None:
    untrained = trained_runs.untrained_run(tmp_path / "untrained").path
    done = run_program("main.py", "--curves", "--run", str(untrained))
    assert done.exit_code == 2 and "one that was never trained" in done.err
    done = run_program("main.py", "--curves", "--compare", "resnet9")
    assert done.exit_code == 2 and "which is a network and no run" in done.err
    trained = trained_runs.trained_run(tmp_path / "trained")
    (trained.path / "retrain_history.csv").unlink()
    done = run_program("main.py", "--curves", "--run", str(trained.path))
    assert done.exit_code == 2 and "a history of the training" in done.err


def test_a_history_of_an_evaluated_training_is_drawn(tmp_path: Path) -> None:
    run = trained_runs.trained_run(tmp_path / "run")
    rows = [
        replace(row, val_top1=0.5 if row.step % 4 == 0 else None)
        for row in nas.Run(run.path).training_history
    ]
    run.write_csv("retrain_history.csv", [vars(row) for row in rows])
    from nas.report.curves import TrainingCurve, curves_figure

    figure = curves_figure([TrainingCurve("run", nas.Run(run.path).training_history)])
    accuracy = figure.axes[1]
    points = [line for line in accuracy.lines if line.get_marker() == "o"]
    assert [np.asarray(line.get_xdata()).tolist() for line in points] == [[1.0, 2.0]]
    legend = accuracy.get_legend()
    labels = [text.get_text() for text in legend.get_texts()] if legend else []
    assert "held-out images" in labels and len(labels) == 2


def test_predictions_are_read_back(run: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = nas.Run(run).predict([tmp_path / "a.png"])
    assert RunFolder(run).read(Predictions) == found
    assert json.loads((run / "predictions/predictions.json").read_text())["schema_version"] == 1
