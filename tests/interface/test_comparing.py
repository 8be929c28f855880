"""Comparisons: what is compared, what is refused, and what is written down of it."""

from __future__ import annotations

import csv
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection

import nas
from latency.onnx_files.memory import peak_activation_bytes
from nas.cost.counts import architecture_cost
from nas.errors import InputError
from nas.hardware.measurement import TimedNetworks
from nas.interface.named_networks import name_networks, split_words
from nas.interface.networks import read_architecture
from nas.metrics import MetricSpread
from nas.pipeline import compare as compare_module
from nas.report.bubbles import bubbles_address, bubbles_caption, bubbles_figure, bubbles_png
from nas.report.compared import columns, compared_warnings, recipe_differences
from nas.runs.compared import ComparedNetworks, ComparedRow, seconds_per_epoch
from nas.runs.config import ComparisonConfig, read_config
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate
from nas.selection.seed_spread import SeedSpread
from nas.training.history import TrainingRow
from tests.support.programs import begun, is_refusal, run_program
from tests.support.timings import timing
from tests.support.trained_runs import (
    CLASSES,
    NETWORK,
    WIDER,
    dataset,
    trained_run,
    untrained_run,
)

WAIT_SECONDS = 200
TOY = "in_s32 cn_k3_s2_c4 gap fc_c12"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Measurements, each as the names of what was measured together; none takes any time."""
    calls: list[list[str]] = []

    def together(files: Mapping[str, bytes], sizes: Any) -> TimedNetworks:
        calls.append(list(files))
        # A byte is a microsecond on this machine.
        return TimedNetworks({name: timing(len(data) / 1e3) for name, data in files.items()})

    monkeypatch.setattr(compare_module, "measured_together", together)
    return calls


def compared(folder: Path, *words: str) -> ComparedNetworks:
    done = run_program("main.py", "--compare", ",".join(words), "--run_dir", str(folder))
    assert done.exit_code == 0, done.err
    return RunFolder(folder).read(ComparedNetworks)


def test_trained_runs_stand_beside_each_other(measured: list[list[str]], tmp_path: Path) -> None:
    one = trained_run(tmp_path / "one", top1=(0.5, 0.7))
    two = trained_run(tmp_path / "two", WIDER, top1=(0.6,))
    judged = MetricSpread.of("auc", {0: 0.75, 1: 0.875})
    one.write(replace(one.read(Certificate), metric_spreads=(judged,)))
    words = ["--compare", str(one.path), "--compare", str(two.path), "--goal_top1", "0.65"]
    done = run_program("main.py", *words, "--run_dir", str(tmp_path / "both"))
    assert done.exit_code == 0, done.err
    assert measured == [["one", "two"]], "all in one session"
    found = RunFolder(tmp_path / "both").read(ComparedNetworks)
    for row, folder, text in zip(found.networks, (one, two), (NETWORK, WIDER), strict=True):
        cost = architecture_cost(read_architecture(text))
        content = (folder.path / "model.onnx").read_bytes()
        assert (row.params, row.macs, row.size_bytes) == (cost.params, cost.macs, cost.size_bytes)
        assert row.file_bytes == len(content) and row.measured_ms == len(content) / 1e3
        assert row.memory_bytes == peak_activation_bytes(content)
        assert row.run == str(folder.path) and not row.is_trained_here
        certificate = folder.read(Certificate)
        assert (row.top5, row.train_top1) == (certificate.top5, certificate.train_top1)
    first, second = found.networks
    assert (first.mean_top1, second.mean_top1) == (pytest.approx(0.6), 0.6)
    assert first.success is not None and (first.success.reached, first.success.trainings) == (1, 2)
    assert "1 of 2 (65 %)" in done.out and "0 of 1 (65 %)" in done.out
    cells = list(csv.DictReader((tmp_path / "both" / "compared.csv").read_text().splitlines()))
    assert [cell["network"] for cell in cells] == ["one", "two"]
    assert [cell["metrics"] for cell in cells] == ["auc: 0.8125", ""]
    assert re.search(r"one .* 0\.8125 ", done.out) and re.search(r"two .* \u2013 ", done.out)
    assert float(cells[1]["measured_ms"]) == second.measured_ms and cells[1]["top1_sd"] == ""
    page = (tmp_path / "both" / "report.html").read_text()
    assert "2 networks compared" in page and page.count("data:image/svg+xml") == 2
    for picture in ("compared.png", "curves.png"):
        assert (tmp_path / "both" / picture).read_bytes().startswith(b"\x89PNG")
    of_all = [name for name, _ in columns(found)]
    assert of_all[:2] == ["top-1, mean", "sd (seeds)"]
    assert of_all[3:6] == ["auc, mean", "top-5, first training", "training top-1, first training"]
    assert [name for name, _ in columns(replace(found, networks=(second,)))][2:4] == [
        "top-5",
        "training top-1",
    ]
    # Nothing of the runs was changed.
    assert not (one.path / "compared.json").exists()


def test_a_comparison_is_a_run(
    measured: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its pictures take seconds; they are drawn once, at the end.
    monkeypatch.setattr(compare_module, "write_compared_page", lambda path: path)
    runs = [trained_run(tmp_path / name, text) for name, text in (("a", NETWORK), ("b", WIDER))]
    found = nas.compare([nas.Run(runs[0].path), runs[1].path], run_dir=tmp_path / "both")
    assert [run.path for run in found.runs] == [run.path for run in runs]
    assert [row.name for row in found.comparison.networks] == ["a", "b"]
    with pytest.raises(InputError, match="unlike the comparison"):
        _ = found.architecture
    again = nas.compare([], run_dir=tmp_path / "both")
    assert again == found and len(measured) == 2
    done = run_program("stopwatch", "report", str(found.path))
    assert done.exit_code == 0 and f"Page: {found.path / 'report.html'}" in done.out
    done = run_program("main.py", "--summary", "--run", str(found.path))
    assert done.out.count("total") == 2, done.err
    done = run_program("main.py", "--predict", "a.png", "--run", str(found.path))
    assert done.exit_code == 2 and f"folders of its networks: {runs[0].path}" in done.err


def test_what_a_comparison_of_trained_runs_would_not_look_at_is_refused(tmp_path: Path) -> None:
    runs = [trained_run(tmp_path / name, text) for name, text in (("a", NETWORK), ("b", WIDER))]
    for name, value in (("epochs", 3.0), ("seeds", 2), ("seed", 1), ("flip", True)):
        with pytest.raises(InputError, match=f"--{name} with a network that is to be trained"):
            nas.compare([run.path for run in runs], **{name: value})  # type: ignore[arg-type]


def test_names_of_networks_are_different(tmp_path: Path) -> None:
    runs = [tmp_path / place / "run" for place in ("one", "two", "three")]
    for path in runs:
        untrained_run(path)
    file = tmp_path / "of, mine.txt"
    file.write_text(WIDER)
    words = split_words([f"{runs[0]},{runs[1]}", str(file), NETWORK, "resnet9_x0.5", str(runs[2])])
    found = name_networks(words)
    assert [network.name for network in found] == [
        "run",
        "two-run",
        "of_mine",
        "network-4",
        "resnet9_x0.5",
        "three-run",
    ]
    assert found[4].built(16, 7).image_size == 16


def test_a_folder_with_the_name_of_a_published_network_is_a_run_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("resnet9").mkdir()
    untrained_run(tmp_path / "mobilenetv2")
    found = name_networks(["resnet9", "mobilenetv2"])
    assert [network.run for network in found] == [None, tmp_path / "mobilenetv2"]
    with pytest.raises(InputError, match="a run folder"):
        name_networks(["./resnet9"])


# What a word of the table below stands for, made at a path.
MADE: dict[str, Callable[[Path], object]] = {
    "RUN": trained_run,
    "FOLDER": Path.mkdir,
    "STOPPED": lambda p: untrained_run(p).checkpoint("retrain_searched").write_bytes(b""),
    "CHANGED": lambda p: (trained_run(p, WIDER).path / "model.onnx").write_bytes(b"another"),
    "OTHER SIZE": lambda p: trained_run(p, WIDER, dataset(image_size=17)),
    "OTHER CLASSES": lambda p: trained_run(p, WIDER, dataset(class_names=(*CLASSES[:-1], "hen"))),
    "OTHER IMAGES": lambda p: trained_run(p, WIDER, dataset(fingerprint="1" * 16)),
    "OTHER RECIPE": lambda p: trained_run(p, WIDER, epochs=7.0),
}


def named(word: str, folder: Path) -> str:
    """A word of a command line; what it names is made."""
    kind, slash, rest = word.partition("/.")
    if kind not in MADE:
        return word
    path = folder / kind.replace(" ", "_")
    if not path.exists():
        MADE[kind](path)
    return f"{path}{slash}{rest}"


@pytest.mark.parametrize(
    ("words", "expected", "fix"),
    [
        (["resnt9", "RUN"], "resnet9, mobilenetv2", "write 'resnet9'"),
        (["resnet9_x99", "RUN"], "a width multiplier", "x0.5"),
        (["resnet9"], "two networks or more", "name another"),
        (["RUN", "RUN"], "each network once", "leave one of them out"),
        (["RUN", "RUN/."], "each network once", "leave one of them out"),
        (["resnet9", "resnet9"], "each network once", "leave one of them out"),
        (["resnet9", ""], "networks with commas between them", "remove the comma"),
        (["/nowhere/run", "RUN"], "a run folder", "check the path"),
        (["net.keras", "RUN"], "net.keras", ""),
        (["net.onnx", "RUN"], "a Keras file", "save the model"),
        (["in_s16 xx", "RUN"], "a layer token", ""),
        (["in_s48 gap fc_c7", "RUN"], "images of one size, 16 px", "another in_s"),
        (["FOLDER", "RUN"], "a run folder", ""),
        (["STOPPED", "RUN"], "trained, or not trained at all", "finish it first"),
        (["CHANGED", "RUN"], "as it was certified", "make it again"),
        (["OTHER SIZE", "RUN"], "runs of the same images", "architecture.json"),
        (["OTHER CLASSES", "RUN"], "runs of the same images", "architecture.json"),
        (["OTHER IMAGES", "RUN"], "runs of the same images", "architecture.json"),
        (["RUN", "OTHER RECIPE", "resnet9"], "one recipe for resnet9", "--epochs"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_made(
    words: list[str], expected: str, fix: str, tmp_path: Path
) -> None:
    given = ",".join(named(word, tmp_path) for word in words)
    done = run_program("main.py", "--compare", given, "--run_dir", str(tmp_path / "new"))
    assert done.exit_code == 2 and is_refusal(done.err), done.err
    assert expected in done.err and fix in done.err
    assert not (tmp_path / "new").exists()


def row(name: str, **changes: Any) -> ComparedRow:
    network = read_architecture(NETWORK)
    values: dict[str, Any] = {
        "name": name,
        "text": NETWORK,
        "run": "x",
        "is_trained_here": True,
        "trained_on": "here",
        "recipe": None,
        "file_bytes": 1,
        "train_top1": None,
        "evaluation_images": None,
        "trainings": None,
        "success": None,
        "seconds_per_epoch": None,
        "top1": 0.5,
    }
    return replace(ComparedRow.of(network, timing(1.0), None, None, **values), **changes)


def test_what_makes_figures_less_comparable_is_said(tmp_path: Path) -> None:
    recipe = trained_run(tmp_path / "run").read(Certificate).recipe
    assert recipe is not None
    one = row("one", recipe=recipe)
    other = row("other", recipe=replace(recipe, epochs=9.0, seeds=3), trained_on="there")
    assert recipe_differences(one, replace(one, recipe=replace(recipe, seeds=3))) == []
    assert recipe_differences(one, other) == [f"epochs 9 instead of {recipe.epochs:g}"]
    flipped = replace(
        recipe, augmentation=replace(recipe.augmentation, flip=not recipe.augmentation.flip)
    )
    (difference,) = recipe_differences(one, replace(one, recipe=flipped))
    assert difference.startswith("flip ")
    texts = compared_warnings([one, other], "here", is_smoke=True)
    assert ["toy size" in texts[0], "epochs 9" in texts[1], "other:" in texts[2]] == [True] * 3
    assert compared_warnings([one, one], "here", is_smoke=False) == ()


def test_seconds_of_an_epoch_leave_the_compiling_steps_out() -> None:
    # 4 steps of 10 images an epoch: the first steps at 1, all others at 100 images a second.
    speeds = [1.0, *[100.0] * 7]
    rows = [TrainingRow(i, i / 4, examples_per_s=s) for i, s in enumerate(speeds, start=1)]
    # Of sums of floats.
    assert seconds_per_epoch(rows, images_seen=80, train_images=999) == pytest.approx(0.4)
    assert seconds_per_epoch(rows[:1], images_seen=10, train_images=40) == pytest.approx(40.0)
    assert seconds_per_epoch([TrainingRow(1)], 10, 40) is None
    assert seconds_per_epoch([], 0, 40) is None


def test_bubbles_are_as_large_as_their_networks_and_named_apart() -> None:
    rows = [row(f"network {i}", params=1000 * (1 + 3 * i)) for i in range(3)]
    figure = bubbles_figure(rows)
    assert figure is not None
    bubbles = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    areas = sorted(bubble.get_sizes()[0] for bubble in bubbles)
    assert areas[-1] / areas[0] == pytest.approx(7.0)
    labels = [text for text in figure.axes[0].texts if text.get_text().startswith("network")]
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) == 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert bubbles_figure(rows[:1]) is bubbles_png(rows[:1]) is bubbles_address(rows[:1]) is None


def test_what_stands_below_the_bubbles_names_the_lines_that_there_are() -> None:
    plain = replace(row("plain"), measured_low_ms=None, measured_high_ms=None)
    timed = replace(plain, measured_low_ms=0.9, measured_high_ms=1.1)
    seeded = replace(plain, trainings=SeedSpread.of({0: 0.5, 1: 0.6}))
    assert bubbles_caption([plain, plain]) == "Left and up is better."
    assert "Level lines" in bubbles_caption([plain, timed])
    assert "Upright lines" not in bubbles_caption([plain, timed])
    assert "Upright lines" in bubbles_caption([seeded, plain])


def test_names_without_room_beside_their_bubbles_stand_below() -> None:
    rows = [row(f"{i}, a network whose name is as wide as the picture {150 * '.'}") for i in "ab"]
    figure = bubbles_figure(rows)
    assert figure is not None
    (below,) = figure.legends
    assert [text.get_text() for text in below.get_texts()] == [one.name for one in rows]
    beside = {text.get_text() for text in figure.axes[0].texts}
    assert not beside & {one.name for one in rows}


@pytest.mark.slow
def test_a_killed_comparison_goes_on_and_ends_alike(tmp_path: Path) -> None:
    words = ("--smoke", "--image_size", "32", "--compare", f"resnet9_x0.125,{TOY}")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = run_program("main.py", *words, "--run_dir", str(whole))
    assert done.exit_code == 0, done.err
    last = killed / "networks" / "network-2" / "checkpoints" / "retrain_searched.npz"
    with begun("main.py", *words, "--run_dir", str(killed)) as process:
        deadline = time.monotonic() + WAIT_SECONDS
        while not last.exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not (killed / "compared.json").exists(), "it was too late to be killed"
    done = run_program("main.py", "--run", str(killed), "--epochs", "9")
    assert done.exit_code == 2 and "as this run's training began" in done.err
    done = run_program("main.py", "--run", str(killed))
    assert done.exit_code == 0, done.err
    for name in ("resnet9_x0.125", "network-2"):
        model, other = (folder / "networks" / name / "model.keras" for folder in (whole, killed))
        import keras

        weights = [keras.saving.load_model(path).get_weights() for path in (model, other)]
        assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True)), name
    config = read_config(killed)
    assert isinstance(config, ComparisonConfig)
    assert [network.name for network in config.networks] == ["resnet9_x0.125", "network-2"]
