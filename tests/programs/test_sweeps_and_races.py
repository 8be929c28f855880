"""Sweeps, other methods, races and bounds as a user runs them, at toy size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.architecture import text as arch_text
from nas.cost.counts import architecture_cost
from tests.support.programs import call, own_environment

# A target at toy size is met or missed by chance: few rounds are measured.
DONE = (0, 3)


def read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return own_environment(tmp_path_factory.mktemp("search_cli"))


@pytest.fixture(scope="module")
def sweep(folders: dict[str, str]) -> Path:
    run = Path(folders["STOPWATCH_RUNS"]) / "sweep"
    flags = ["--smoke", "--random_networks", "0", "--run_dir", str(run)]
    done = call("nas.py", "--lambda", "0.02,0.5", *flags, env=folders)
    assert done.returncode == 0, done.stderr
    return run


def test_sweep_writes_a_run_for_each_goal_and_the_front(sweep: Path) -> None:
    data = read(sweep / "pareto.json")
    assert [n["name"] for n in data["networks"]] == ["lambda0.02", "lambda0.5"]
    assert data["accuracy"] == "supernet_top1"
    assert 1 <= len(data["front"]) <= 2
    assert (sweep / "pareto.png").read_bytes().startswith(b"\x89PNG")
    for label in ("lambda0.02", "lambda0.5"):
        config = read(sweep / label / "config.json")
        assert config["kind"] == "search"
        assert [g["penalty"] for g in config["goals"]] == [float(label.removeprefix("lambda"))]
        assert (sweep / label / "certificate.json").is_file()


def test_a_run_of_a_sweep_equals_the_same_run_alone(sweep: Path, folders: dict[str, str]) -> None:
    """The shared warm-up is the warm-up of each: byte for byte the same search."""
    alone = sweep.parent / "alone"
    table = str(sweep / "table.json")
    flags = ["--smoke", "--random_networks", "0", "--table", table, "--run_dir", str(alone)]
    done = call("nas.py", "--lambda", "0.5", *flags, env=folders)
    assert done.returncode == 0, done.stderr
    for name in ("search.json", "architecture.json"):
        assert (alone / name).read_bytes() == (sweep / "lambda0.5" / name).read_bytes(), name


def test_a_finished_sweep_resumes_to_the_same_files(sweep: Path, folders: dict[str, str]) -> None:
    before = (sweep / "lambda0.5" / "certificate.json").read_bytes()
    done = call("nas.py", "--resume", "--run_dir", str(sweep), env=folders)
    assert done.returncode == 0, done.stderr
    assert (sweep / "lambda0.5" / "certificate.json").read_bytes() == before


@pytest.mark.slow
def test_main_retrains_a_whole_sweep(sweep: Path, folders: dict[str, str]) -> None:
    done = call("main.py", "--run", str(sweep), "--smoke", "--nobaselines", env=folders)
    assert done.returncode in DONE, done.stderr
    data = read(sweep / "pareto.json")
    assert data["accuracy"] == "top1"
    assert all(n["top1"] is not None for n in data["networks"])


def test_evolution_uses_a_trained_supernet_on_another_device(
    sweep: Path, folders: dict[str, str]
) -> None:
    """No training: a table of a device twice as slow, bounds, a race of two."""
    lender = sweep / "lambda0.5"
    table = read(sweep / "table.json")
    table["calibration"]["a"] *= 2.0
    table["calibration"]["b_ms"] *= 2.0
    table["host"]["cpu_model"] = "Another processor"
    other = sweep.parent / "other.json"
    other.write_text(json.dumps(table))
    run = sweep.parent / "evolved"
    most = 5_000_000
    flags = ["--method", "evolution", "--supernet", str(lender), "--max_macs", f"{most}"]
    flags += ["--table", str(other), "--device", "other", "--target_ms", "60%"]
    done = call("nas.py", *flags, "--smoke", "--run_dir", str(run), env=folders)
    assert done.returncode == 0, done.stderr
    assert not (run / "history.csv").exists()
    certificate = read(run / "certificate.json")
    assert certificate["method"] == "evolution"
    assert certificate["measured_ms"] is None and certificate["met"] is None
    assert 0.97 <= certificate["predicted_ms"] / certificate["asked_ms"] <= 1.03
    network = arch_text.loads((run / "architecture.json").read_text())
    assert architecture_cost(network).macs <= most


def test_random_trains_no_supernet_and_a_race_keeps_the_best(
    sweep: Path, folders: dict[str, str]
) -> None:
    run = sweep.parent / "random"
    flags = ["--method", "random", "--race", "3", "--race_epochs", "0.5", "--target_ms", "60%"]
    flags += ["--table", str(sweep / "table.json"), "--random_networks", "0"]
    done = call("nas.py", *flags, "--smoke", "--run_dir", str(run), env=folders)
    assert done.returncode in DONE, done.stderr
    assert not (run / "search.json").exists()
    race = read(run / "race.json")
    last = race["rungs"][-1]["results"]
    assert race["winner"] == max(last, key=lambda name: last[name]["score"])
    assert race["images_seen"] > 0
    winner = next(c for c in race["candidates"] if c["name"] == race["winner"])
    network = arch_text.loads((run / "architecture.json").read_text())
    assert arch_text.to_text(network) == winner["text"]


@pytest.mark.parametrize(
    "flags, text",
    [
        (["--target_ms", "9"], "the range of space `sample`"),
        (["--target_ms", "50%", "--max_macs", "1000"], "macs of at least"),
        (["--target_ms", "0.5,9"], "the range of space `sample`"),
        (["--target_ms", "50%", "--method", "evolution", "--supernet", "/nowhere"], "config.json"),
    ],
)
def test_what_cannot_be_reached_is_refused_before_anything_is_trained(
    sweep: Path, folders: dict[str, str], tmp_path: Path, flags: list[str], text: str
) -> None:
    run = tmp_path / "run"
    table = ["--table", str(sweep / "table.json")]
    done = call("nas.py", *flags, *table, "--smoke", "--run_dir", str(run), env=folders)
    assert done.returncode == 2, done.stderr
    assert text in done.stderr
    assert all(part in done.stderr for part in ("Expected", "Received", "Fix"))
    assert not run.exists()


def test_a_supernet_of_another_space_is_refused(
    sweep: Path, folders: dict[str, str], tmp_path: Path
) -> None:
    lender = tmp_path / "lender"
    lender.mkdir()
    (lender / "config.json").write_bytes((sweep / "lambda0.5" / "config.json").read_bytes())
    data = read(sweep / "lambda0.5" / "data.json")
    (lender / "data.json").write_text(json.dumps({**data, "class_names": data["class_names"][:7]}))
    flags = ["--method", "evolution", "--supernet", str(lender), "--target_ms", "60%"]
    flags += ["--table", str(sweep / "table.json"), "--run_dir", str(tmp_path / "run")]
    done = call("nas.py", *flags, "--smoke", env=folders)
    assert done.returncode == 2, done.stderr
    assert "a supernet of the same num classes, 12" in done.stderr
