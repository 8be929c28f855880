"""nas.py and main.py as a user runs them: whole runs at toy size, and what they leave."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from nas.architecture import text as arch_text
from nas.cli.program import retrain_flags, search_flags
from nas.data.preparation import Preparation
from nas.deployment.metadata import read_metadata
from nas.deployment.records import ExportTimings
from nas.runs.folder import RunFolder
from tests.support.programs import run_program
from tests.support.toy import IMAGE_SIZE, SAMPLE_CLASSES, TOY, changed_table


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_search_writes_the_run_folder(toy_run: Path) -> None:
    assert "embedded sample" in (toy_run / "stdout.txt").read_text("utf-8").splitlines()[0]
    for name in (
        "config.json",
        "table.json",
        "history.csv",
        "gates.json",
        "architecture.json",
        "certificate.json",
        "report.html",
    ):
        assert (toy_run / name).is_file(), name
    certificate = read(toy_run / "certificate.json")
    assert certificate["asked_ms"] is None and certificate["met"] is None
    # At toy size one process measures, which alone does not tell its interval.
    assert certificate["measured_low_ms"] is certificate["measured_high_ms"] is None
    assert certificate["measured_ms"] > 0 and certificate["seen_p99_ms"] > 0
    assert certificate["top1"] is None
    assert certificate["largest"]["macs"] > certificate["macs"]
    assert len(certificate["random"]) == 1


def test_retraining_exports_a_file_that_any_runtime_can_use(toy_retrained: Path) -> None:
    certificate = read(toy_retrained / "certificate.json")
    assert 0 <= certificate["top1"] <= certificate["top5"] <= 1
    assert certificate["evaluation_images"] == 48
    session = onnxruntime.InferenceSession(
        toy_retrained / "model.onnx", providers=["CPUExecutionProvider"]
    )
    metadata = session.get_modelmeta().custom_metadata_map
    assert len(json.loads(metadata["class_names"])) == SAMPLE_CLASSES
    image = np.full((1, IMAGE_SIZE, IMAGE_SIZE, 3), 128, np.float32)
    assert session.run(None, {"image": image})[0].shape == (1, SAMPLE_CLASSES)
    architecture = arch_text.loads((toy_retrained / "architecture.json").read_text())
    assert metadata["architecture"] == arch_text.to_text(architecture)


def test_the_exported_file_says_what_it_is_and_is_compared_on_every_image(
    toy_retrained: Path,
) -> None:
    certificate = read(toy_retrained / "certificate.json")
    found = read_metadata(toy_retrained / "model.onnx")
    assert (found.run_id, found.image_size) == (certificate["run_id"], IMAGE_SIZE)
    assert found.preparation == Preparation(IMAGE_SIZE)
    (own,) = certificate["exports"]["files"]
    assert own["name"] == "fp32" and own["parity"] == certificate["parity"]
    assert own["parity"]["images"] == certificate["evaluation_images"] == 48
    # The file and Keras count the same images as right, so that both tops are one.
    assert own["parity"]["flips"] == 0 and own["top1"] == certificate["top1"]
    assert (toy_retrained / "classify.py").is_file()
    assert not (toy_retrained / "flips.csv").exists()


@pytest.mark.slow
def test_a_trained_run_is_exported_without_training_anew(
    toy_retrained: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(toy_retrained, tmp_path / "run")
    kept = ("model.onnx", "model.keras", "retrained/searched.json", "retrain_history.csv")
    before = {name: (run / name).read_bytes() for name in kept}
    words = ("--run", str(run), "--smoke", "--export", "int8,litert")
    done = run_program("main.py", *words, "--calibration_images", "20")
    assert done.exit_code == 0, done.err
    assert {name: (run / name).read_bytes() for name in kept} == before
    exports = read(run / "certificate.json")["exports"]
    assert [file["name"] for file in exports["files"]] == ["fp32", "int8", "litert"]
    assert exports["files"][1]["int8"]["images"] == 20
    assert exports["files"][2]["parity"]["flips"] == 0
    assert [file["name"] for file in exports["timings"]["files"]] == ["fp32", "int8"]
    said = " ".join(done.out.split())
    assert "Exported files" in said and "calibrated (minmax) on 20 training images" in said
    picture = tmp_path / "picture.png"
    Image.new("RGB", (50, 40), (200, 30, 30)).save(picture)
    command = [sys.executable, "-I", str(run / "classify.py"), str(picture)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0 and shown.stdout.startswith(f"{picture}: "), shown.stderr
    # Another call has all of it, and measures again only what a busy machine left untold.
    times = RunFolder(run).read(ExportTimings)
    done = run_program("main.py", "--run", str(run), "--smoke")
    assert done.exit_code == 0, done.err
    again = RunFolder(run).read(ExportTimings)
    assert (again == times) is times.is_told
    now = read(run / "certificate.json")["exports"]
    assert now["files"] == exports["files"]
    assert (now == exports) is times.is_told


def test_baselines_share_the_recipe(toy_retrained: Path) -> None:
    networks = read(toy_retrained / "baselines.json")["networks"]
    assert [n["role"] for n in networks] == ["searched", "largest", "uniform", "random"]
    assert len({n["images_seen"] for n in networks}) == 1
    assert all(n["measured_ms"] > 0 for n in networks)


def test_retraining_again_reads_what_is_done(toy_retrained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(toy_retrained, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (run / "retrained").iterdir()}
    assert "largest.json" in before
    done = run_program("main.py", "--smoke", "--run", str(run))
    assert done.exit_code == 0, done.err
    assert {path.name: path.read_bytes() for path in (run / "retrained").iterdir()} == before


@pytest.mark.slow
def test_one_more_seed_tells_a_spread_and_leaves_the_first_training_as_it_is(
    toy_retrained: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(toy_retrained, tmp_path / "run")
    kept = ("model.onnx", "retrain_history.csv", "retrained/searched.json")
    before = {name: (run / name).read_bytes() for name in kept}
    flags = ("--run", str(run), "--smoke", "--baselines", "--nolargest")
    done = run_program("main.py", *flags, "--seeds", "2")
    assert done.exit_code == 0, done.err
    assert {name: (run / name).read_bytes() for name in kept} == before
    certificate = read(run / "certificate.json")
    trainings = certificate["trainings"]
    assert trainings["seeds"] == [0, 1] and trainings["standard_deviation"] is not None
    assert trainings["top1"][0] == certificate["top1"]
    verdict = certificate["search_verdict"]
    assert verdict["random_networks"] == 1
    assert (verdict["difference"]["test"], verdict["difference"]["seeds"]) == ("paired t", 2)
    said = " ".join(done.out.split())
    assert "this search" in said.lower() and "spread between seeds" in said.lower()


def test_nothing_rewrites_the_configuration(
    toy_run: Path, toy_retrained: Path, tmp_path: Path
) -> None:
    def state(run: Path) -> tuple[bytes, int]:
        path = run / "config.json"
        return path.read_bytes(), path.stat().st_mtime_ns

    # A copy keeps the times of its files.
    assert state(toy_retrained) == state(toy_run)
    run = shutil.copytree(toy_run, tmp_path / "run")
    (run / "config.json").chmod(0o400)
    inode = (run / "config.json").stat().st_ino
    done = run_program("nas.py", "--resume", "--run_dir", str(run))
    assert done.exit_code == 0, done.err
    assert state(run) == state(toy_run)
    assert (run / "config.json").stat().st_ino == inode, "replaced by another file"


def test_newest_run_is_the_default(toy_run: Path, tmp_path: Path) -> None:
    shutil.copytree(toy_run, tmp_path / "newest")
    done = run_program("main.py", "--summary", runs=tmp_path)
    assert done.exit_code == 0, done.err
    assert "MACs" in done.out and "total" in done.out


@pytest.mark.slow  # in test_sweeps_and_races.py a method that trains nothing asks for the same
def test_table_of_another_device_certifies_nothing(toy_table: Path, tmp_path: Path) -> None:
    host = read(toy_table)["host"]
    table = changed_table(toy_table, tmp_path / "table.json", host={**host, "cpu_model": "another"})
    run = tmp_path / "device"
    flags = ("--target_ms", "50%", "--table", str(table), "--device", "board")
    done = run_program("nas.py", *flags, *TOY, "--run_dir", str(run))
    assert done.exit_code == 0, done.err
    certificate = read(run / "certificate.json")
    assert (certificate["measured_ms"], certificate["met"]) == (None, None)
    assert certificate["predicted_ms"] > 0 and certificate["device"] == "board"


@pytest.mark.slow
def test_how_well_scores_repeat(toy_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(toy_run, tmp_path / "run")
    script, sizes = "benchmarks/supernet_score.py", ("--networks", "3", "--parts", "3")
    done = run_program(script, "--run", str(run), *sizes, "--images", "8")
    assert done.exit_code == 0, done.err
    figures = json.loads(done.out)
    assert figures["networks"] == 3 and 0 <= figures["mean_top1"] <= 1
    assert figures["by_cross_entropy"]["noise_sd"] > 0
    done = run_program(script, "--run", str(run), *sizes, "--images", "10000")
    assert done.exit_code == 2 and "lower --images" in done.err


def test_help_prints_every_flag_and_ends_well() -> None:
    for name, values in (("nas.py", search_flags()), ("main.py", retrain_flags())):
        done = run_program(name, "--help")
        assert done.exit_code == 0, done.err
        words = {word.removeprefix("--[no]").removeprefix("--") for word in done.out.split()}
        # `h` is the short form of `help`.
        assert set(values) - {"h"} <= words
