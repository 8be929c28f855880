"""Sweeps, other methods, races and bounds as a user runs them, at toy size."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.cost.counts import architecture_cost
from tests.support.programs import (
    PROCESS_SECONDS,
    ROOT,
    begun,
    environment_of,
    is_refusal,
    load_script,
    run_program,
)
from tests.support.toy import TOY

# Whether a target is met cannot be told at toy size: one process of few rounds is measured.
DONE = (0, 4)
# Two thirds of the toy table's range: 8 of its 9 units, eight networks.
TARGET = ("--target_ms", "66.7%")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory, toy_table: Path) -> Path:
    """Two searches, a weight each, from one warm-up; the second is that of `toy_run`. Read-only."""
    run = tmp_path_factory.mktemp("sweeps") / "sweep"
    flags = ("--random_networks", "0", "--table", str(toy_table), "--run_dir", str(run))
    done = run_program("nas.py", "--lambda", "0.5,0.1", *TOY, *flags)
    assert done.exit_code == 0, done.err
    return run


def test_sweep_writes_a_run_for_each_goal_and_the_front(sweep: Path) -> None:
    data = read(sweep / "pareto.json")
    assert [n["name"] for n in data["networks"]] == ["lambda0.5", "lambda0.1"]
    assert data["accuracy"] == "supernet_top1"
    assert 1 <= len(data["front"]) <= 2
    assert (sweep / "pareto.png").read_bytes().startswith(b"\x89PNG")
    for label in ("lambda0.5", "lambda0.1"):
        config = read(sweep / label / "config.json")
        assert config["kind"] == "search"
        assert [g["penalty"] for g in config["goals"]] == [float(label.removeprefix("lambda"))]
        assert (sweep / label / "certificate.json").is_file()


def test_a_run_of_a_sweep_equals_the_same_run_alone(sweep: Path, toy_run: Path) -> None:
    """The shared warm-up is the warm-up of each: byte for byte the same search."""
    for name in ("search.json", "architecture.json"):
        assert (toy_run / name).read_bytes() == (sweep / "lambda0.1" / name).read_bytes(), name


def test_a_finished_sweep_resumes_to_the_same_files(sweep: Path, tmp_path: Path) -> None:
    run = shutil.copytree(sweep, tmp_path / "sweep")
    results = ("search.json", "gates.json", "architecture.json", "supernet.json")
    paths = [run / label / name for label in ("lambda0.5", "lambda0.1") for name in results]
    paths.append(run / "lambda0.5" / "certificate.json")
    configs = [run / "config.json", *run.glob("*/config.json")]
    written = [(path.read_bytes(), path.stat().st_mtime_ns) for path in configs]
    before = [path.read_bytes() for path in paths]
    done = run_program("nas.py", "--resume", "--run_dir", str(run))
    assert done.exit_code == 0, done.err
    assert [path.read_bytes() for path in paths] == before
    assert len(configs) == 3
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in configs] == written


@pytest.mark.slow
def test_a_finished_sweep_starts_no_framework(sweep: Path, tmp_path: Path) -> None:
    run = shutil.copytree(sweep, tmp_path / "sweep")
    code = (
        "import sys; from nas.cli.program import run_search; "
        f"code = run_search(['nas.py', '--resume', '--run_dir', {str(run)!r}]); "
        "print(code, {'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment_of(None),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0 set()"


@pytest.mark.slow
def test_a_front_that_is_killed_while_it_trains_ends_with_the_same_networks(
    sweep: Path, tmp_path: Path
) -> None:
    whole, killed = (shutil.copytree(sweep, tmp_path / n / "sweep") for n in ("whole", "killed"))
    flags = ("--networks", "3", "--smoke")
    done = run_program("main.py", "--run", str(whole), *flags)
    assert done.exit_code in DONE, done.err
    front = read(whole / "front.json")
    names = {network["name"] for network in front["networks"]}
    assert len(names) >= 3 and "added-1" in names
    assert front["recipe"]["inherits"] is True
    assert read(whole / "pareto.json")["accuracy"] == "top1"
    with begun("main.py", "--run", str(killed), *flags) as process:
        deadline = time.monotonic() + PROCESS_SECONDS
        while not list(killed.glob("*/retrained/*.json")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert process.poll() is None, "nothing was trained before the end"
        process.kill()
    assert not (killed / "front.json").exists(), "it was too late to be killed"
    done = run_program("main.py", "--run", str(killed), *flags)
    assert done.exit_code in DONE, done.err
    for name in names:
        own, other = (run / name / "retrained" / "searched.json" for run in (whole, killed))
        figures = ("top1", "top5", "train_top1", "running_accuracy", "images_seen", "text")
        assert [read(own)[f] for f in figures] == [read(other)[f] for f in figures], name
        assert (killed / name / "model.onnx").is_file()
    page = (killed / "front.html").read_text("utf-8")
    assert all(f"{name}/model.onnx" in page for name in names)


def test_evolution_uses_a_trained_supernet_on_another_device(
    toy_run: Path, toy_table: Path, tmp_path: Path
) -> None:
    """No training: a table of a device twice as slow, bounds, a network that scores well."""
    table = LatencyTable.load(toy_table)
    slower = load_script("benchmarks/latency_audit.py").scaled(table, 2.0)
    other = tmp_path / "other.json"
    replace(slower, host=replace(table.host, cpu_model="Another processor")).save(other)
    run = tmp_path / "evolved"
    # Two of the eight networks near the target have more.
    most = 540_000
    flags = ("--method", "evolution", "--supernet", str(toy_run), "--max_macs", f"{most}")
    device = ("--table", str(other), "--device", "other")
    done = run_program("nas.py", *flags, *device, *TARGET, *TOY, "--run_dir", str(run))
    assert done.exit_code == 0, done.err
    assert not (run / "history.csv").exists()
    certificate = read(run / "certificate.json")
    assert certificate["method"] == "evolution"
    assert certificate["measured_ms"] is None and certificate["met"] is None
    assert certificate["predicted_ms"] > 0 and certificate["device"] == "other"
    assert 0.97 <= certificate["predicted_ms"] / certificate["asked_ms"] <= 1.03
    network = arch_text.loads((run / "architecture.json").read_text())
    assert architecture_cost(network).macs <= most


@pytest.mark.slow
def test_random_trains_no_supernet_and_a_race_keeps_the_best(
    toy_table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "random"
    flags = ("--method", "random", "--race", "3", "--race_epochs", "0.5", *TARGET)
    files = ("--table", str(toy_table), "--random_networks", "0", "--run_dir", str(run))
    done = run_program("nas.py", *flags, *TOY, *files)
    assert done.exit_code in DONE, done.err
    assert not (run / "search.json").exists()
    race = read(run / "race.json")
    # What is measured here moves the aim; at any time of the table there are two.
    assert 2 <= len(race["candidates"]) <= 3
    last = race["rungs"][-1]["results"]
    best = max(last, key=lambda name: (last[name]["top1"], -last[name]["cross_entropy"]))
    assert race["winner"] == best
    assert race["images_seen"] > 0
    winner = next(c for c in race["candidates"] if c["name"] == race["winner"])
    network = arch_text.loads((run / "architecture.json").read_text())
    assert arch_text.to_text(network) == winner["text"]


@pytest.mark.parametrize(
    "flags, text",
    [
        (["--target_ms", "9"], "the range of space `toy`"),
        (["--target_ms", "50%", "--max_macs", "1000"], "macs of at least"),
        (["--target_ms", "50%,9"], "the range of space `toy`"),
        (["--target_ms", "50%", "--method", "evolution", "--supernet", "/nowhere"], "config.json"),
    ],
)
def test_what_cannot_be_reached_is_refused_before_anything_is_trained(
    toy_table: Path, tmp_path: Path, flags: list[str], text: str
) -> None:
    run = tmp_path / "run"
    files = ("--table", str(toy_table), "--run_dir", str(run))
    done = run_program("nas.py", *flags, *TOY, *files)
    assert done.exit_code == 2, done.err
    assert text in done.err
    assert is_refusal(done.err)
    assert not run.exists()


def test_a_supernet_that_learned_from_other_images_is_refused(
    toy_run: Path, toy_table: Path, tmp_path: Path
) -> None:
    lender, run = shutil.copytree(toy_run, tmp_path / "lender"), tmp_path / "run"
    data = read(toy_run / "data.json")
    data["class_names"] = data["class_names"][:7]
    (lender / "data.json").write_text(json.dumps(data))
    flags = ("--method", "evolution", "--supernet", str(lender), "--target_ms", "60%")
    files = ("--table", str(toy_table), "--run_dir", str(run))
    done = run_program("nas.py", *flags, *TOY, *files)
    assert done.exit_code == 2, done.err
    assert "7 classes" in done.err and "a new class" in done.err
    assert is_refusal(done.err)
    assert not run.exists()
