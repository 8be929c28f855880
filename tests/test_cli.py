"""nas.py and main.py as a user runs them: whole runs at toy size, resume, bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from programs import ROOT, call, own_environment

from nas import arch_text
from nas.cli import run_retrain, run_search
from nas.runs import RunFolder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment with a cache and runs of the tests' own."""
    return own_environment(tmp_path_factory.mktemp("cli"))


@pytest.fixture(scope="session")
def searched(folders: dict[str, str]) -> Path:
    """One undisturbed search at toy size."""
    run = Path(folders["STOPWATCH_RUNS"]) / "undisturbed"
    done = call("nas.py", "--lambda", "0.1", "--smoke", "--run_dir", str(run), env=folders)
    assert done.returncode == 0, done.stderr
    assert "embedded sample" in done.stdout.splitlines()[0]
    assert "cuInit" not in done.stderr
    return run


@pytest.fixture(scope="session")
def retrained(folders: dict[str, str], searched: Path) -> Path:
    done = call("main.py", "--smoke", "--run", str(searched), env=folders)
    assert done.returncode == 0, done.stderr
    return searched


def test_search_writes_the_run_folder(searched: Path) -> None:
    for name in (
        "config.json",
        "table.json",
        "history.csv",
        "gates.json",
        "architecture.json",
        "certificate.json",
        "report.html",
    ):
        assert (searched / name).is_file(), name
    certificate = json.loads((searched / "certificate.json").read_text())
    assert certificate["asked_ms"] is None and certificate["met"] is None
    assert certificate["measured_low_ms"] <= certificate["measured_ms"]
    assert certificate["measured_ms"] <= certificate["measured_high_ms"]
    assert certificate["top1"] is None
    assert certificate["largest"]["macs"] > certificate["macs"]
    assert len(certificate["random"]) == 1


def test_retraining_exports_a_file_that_any_runtime_can_use(retrained: Path) -> None:
    certificate = json.loads((retrained / "certificate.json").read_text())
    assert 0 <= certificate["top1"] <= certificate["top5"] <= 1
    assert certificate["evaluation_images"] == 48
    session = onnxruntime.InferenceSession(
        retrained / "model.onnx", providers=["CPUExecutionProvider"]
    )
    metadata = session.get_modelmeta().custom_metadata_map
    assert len(json.loads(metadata["class_names"])) == 12
    image = np.full((1, 32, 32, 3), 128, np.float32)
    assert session.run(None, {"image": image})[0].shape == (1, 12)
    architecture = arch_text.loads((retrained / "architecture.json").read_text())
    assert metadata["architecture"] == arch_text.to_text(architecture)


def test_baselines_share_the_recipe(retrained: Path) -> None:
    networks = json.loads((retrained / "baselines.json").read_text())["networks"]
    assert [n["role"] for n in networks] == ["searched", "largest", "uniform", "random"]
    assert len({n["images_seen"] for n in networks}) == 1
    assert all(n["measured_ms"] > 0 for n in networks)


def test_retraining_again_reads_what_is_done(retrained: Path, folders: dict[str, str]) -> None:
    before = (retrained / "retrained" / "largest.json").read_bytes()
    done = call("main.py", "--smoke", "--run", str(retrained), env=folders)
    assert done.returncode == 0, done.stderr
    assert (retrained / "retrained" / "largest.json").read_bytes() == before


def test_newest_run_is_the_default(retrained: Path, folders: dict[str, str]) -> None:
    done = call("main.py", "--summary", env=folders)
    assert done.returncode == 0, done.stderr
    assert "MACs" in done.stdout and "total" in done.stdout


KILL_POINTS = [
    "config.json",
    "table.journal",
    "table.json",
    "checkpoints/search.npz",
    "search.json",
    "architecture.json",
    "supernet.json",
    "comparison.json",
]


@pytest.mark.parametrize(
    "point",
    [
        p if p == "checkpoints/search.npz" else pytest.param(p, marks=pytest.mark.slow)
        for p in KILL_POINTS
    ],
)
def test_sigkill_and_resume_end_with_the_same_architecture(
    searched: Path, folders: dict[str, str], tmp_path: Path, point: str
) -> None:
    run = tmp_path / "killed"
    command = [sys.executable, str(ROOT / "nas.py"), "--lambda", "0.1", "--smoke"]
    # `table.journal` exists only while a table is measured, so that run measures its own.
    table = [] if point == "table.journal" else ["--table", str(searched / "table.json")]
    command += [*table, "--run_dir", str(run)]
    with subprocess.Popen(
        command, env=folders, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 200
        while not (run / point).exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert process.poll() is None, f"{point} never appeared before the end"
        process.send_signal(signal.SIGKILL)
    done = call("nas.py", "--run_dir", str(run), "--resume", env=folders)
    assert done.returncode == 0, done.stderr
    if table:
        for name in ("search.json", "architecture.json"):
            assert (run / name).read_bytes() == (searched / name).read_bytes(), name
    assert json.loads((run / "certificate.json").read_text())["measured_ms"] > 0


def test_sigterm_saves_and_says_how_to_go_on(folders: dict[str, str], tmp_path: Path) -> None:
    run = tmp_path / "stopped"
    command = [sys.executable, str(ROOT / "nas.py"), "--lambda", "0.1", "--smoke"]
    with subprocess.Popen(
        [*command, "--run_dir", str(run)],
        env=folders,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (run / "checkpoints" / "search.npz").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, text = process.communicate(timeout=200)
    assert process.returncode == 143
    assert f"--run_dir {run} --resume" in text


def test_table_of_another_device_certifies_nothing(
    searched: Path, folders: dict[str, str], tmp_path: Path
) -> None:
    host = json.loads((searched / "table.json").read_text())["host"]
    table = _changed_table(searched, tmp_path, host={**host, "cpu_model": "another"})
    run = tmp_path / "device"
    flags = ["--target_ms", "0.25", "--smoke", "--table", table, "--device", "board"]
    done = call("nas.py", *flags, "--run_dir", str(run), env=folders)
    assert done.returncode == 0, done.stderr
    certificate = json.loads((run / "certificate.json").read_text())
    assert (certificate["measured_ms"], certificate["met"]) == (None, None)
    assert certificate["predicted_ms"] > 0 and certificate["device"] == "board"


# Bad input: in this process, since none of it gets as far as starting a backend.


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Runs a command that must end with 2 and three parts, and leave no run folder."""
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STOPWATCH_RUNS", str(tmp_path / "runs"))

    def run(command: str, *arguments: str) -> str:
        main = {"nas.py": run_search, "main.py": run_retrain}[command]
        assert main([command, *arguments]) == 2
        text = capsys.readouterr().err
        assert all(part in text for part in ("Expected", "Received", "Fix")), text
        assert not list((tmp_path / "runs").glob("*/*.json"))
        return text

    return run


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "one of --lambda and --target_ms"),
        (["--lambda", "0.1", "--target_ms", "1"], "both"),
        (["--lambda", "-1"], "at least 0"),
        (["--lambda", "nan"], "--lambda"),
        (["--lambda", "much"], "--lambda to be a number"),
        (["--lambda", "0.1,0.2,0.1"], "lambda0.1 twice"),
        (["--target_ms", "0"], "--target_ms to be a number above 0"),
        (["--target_ms", "25%,120%"], "0% to 100%"),
        (["--lambda", "0.1", "--method", "evolution"], "--target_ms with --method evolution"),
        (["--target_ms", "1", "--method", "random", "--gate", "threshold"], "--gate with --method"),
        (["--target_ms", "1", "--supernet", "runs/x"], "--supernet with --method evolution"),
        (["--target_ms", "1", "--race_epochs", "1"], "--race with --race_epochs"),
        (["--lambda", "0.1", "--data_dir", "/nowhere/at/all"], "does not exist"),
        (["--lambda", "0.1", "--resume"], "--resume with --run_dir"),
        (["--lambda", "0.1", "--device", "pi"], "--table with --device"),
        (["--lambda", "0.1", "--run_dir", "/nowhere", "--resume"], "config.json"),
        (["--lambda", "0.1", "--space", "huge", "--smoke"], "a space, one of"),
        (["--lambda", "0.1", "--space", "tiny", "--image_size", "32", "--smoke"], "at least 49 px"),
        (["--lambda", "0.1", "--table", "/nowhere.json", "--smoke"], "which does not exist"),
    ],
)
def test_bad_search_flags(fail, arguments: list[str], text: str) -> None:  # type: ignore[no-untyped-def]
    assert text in fail("nas.py", *arguments)


def _class_folder(root: Path, name: str, count: int) -> None:
    (root / name).mkdir(parents=True)
    for i in range(count):
        pixels = np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(root / name / f"{i}.jpg")


def test_empty_unknown_and_one_class_folders(fail, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    empty, odd, one = tmp_path / "empty", tmp_path / "odd", tmp_path / "one"
    empty.mkdir()
    odd.mkdir()
    (odd / "notes.txt").write_text("no images")
    _class_folder(one, "cats", 4)
    assert "which is empty" in fail("nas.py", "--lambda", "0.1", "--data_dir", str(empty))
    text = fail("nas.py", "--lambda", "0.1", "--data_dir", str(odd))
    assert "wnids.txt" in text and "notes.txt" in text
    assert "two classes" in fail("nas.py", "--lambda", "0.1", "--data_dir", str(one))


def test_corrupt_image_is_named(fail, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    root = tmp_path / "data"
    _class_folder(root, "cats", 4)
    _class_folder(root, "dogs", 4)
    (root / "dogs" / "2.jpg").write_bytes(b"\xff\xd8\xff broken")
    text = fail("nas.py", "--lambda", "0.1", "--data_dir", str(root))
    assert "2.jpg" in text and "--skip_bad_images" in text


def test_a_run_that_another_program_works_on_is_refused(fail, searched: Path) -> None:  # type: ignore[no-untyped-def]
    with RunFolder.open(searched).alone():
        for command in (("nas.py", "--resume", "--run_dir"), ("main.py", "--run")):
            text = fail(*command, str(searched))
            assert "no other program works on" in text and str(os.getpid()) in text


def test_how_well_scores_repeat(searched: Path, folders: dict[str, str]) -> None:
    script, sizes = "benchmarks/supernet_score.py", ("--networks", "3", "--parts", "3")
    done = call(script, "--run", str(searched), *sizes, "--images", "8", env=folders)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["networks"] == 3 and 0 <= figures["mean_top1"] <= 1
    assert figures["by_cross_entropy"]["noise_sd"] > 0
    done = call(script, "--run", str(searched), *sizes, "--images", "10000", env=folders)
    assert done.returncode == 2 and "lower --images" in done.stderr


def test_existing_run_folder_needs_resume(fail, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = tmp_path / "run"
    run.mkdir()
    (run / "something").write_text("mine")
    text = fail("nas.py", "--lambda", "0.1", "--smoke", "--run_dir", str(run))
    assert "--resume" in text
    assert (run / "something").read_text() == "mine"


def _changed_table(searched: Path, tmp_path: Path, **changes: object) -> str:
    data = json.loads((searched / "table.json").read_text())
    path = tmp_path / "table.json"
    path.write_text(json.dumps({**data, **changes}))
    return str(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"space": "tiny"},
        {"image_size": 32},
        {"precision": "int8"},
        {"schema_version": 999},
        {"space_hash": "0" * 12},
    ],
)
def test_table_of_something_else(  # type: ignore[no-untyped-def]
    fail, searched: Path, tmp_path: Path, changes: dict[str, object], monkeypatch
) -> None:
    table = _changed_table(searched, tmp_path, **changes)
    main = run_search(["nas.py", "--lambda", "0.1", "--smoke", "--table", table])
    assert main == 2


def test_table_of_another_host(searched: Path, tmp_path: Path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("STOPWATCH_RUNS", str(tmp_path / "runs"))
    host = json.loads((searched / "table.json").read_text())["host"]
    table = _changed_table(searched, tmp_path, host={**host, "cpu_model": "another"})
    assert run_search(["nas.py", "--lambda", "0.1", "--smoke", "--table", table]) == 2
    text = capsys.readouterr().err
    assert "Expected" in text and "Fix" in text


def test_target_out_of_range_gives_the_range(
    searched: Path, tmp_path: Path, capsys, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("STOPWATCH_RUNS", str(tmp_path / "runs"))
    table = str(searched / "table.json")
    for target in ("0.0001", "900"):
        assert run_search(["nas.py", "--target_ms", target, "--smoke", "--table", table]) == 2
        assert "the range of space" in capsys.readouterr().err
    assert not list((tmp_path / "runs").glob("*")), "nothing half-written"


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--arch", "in_s64 ir_k3_s1_e6_c24_zz9 gap fc_c4"], "'zz9'"),
        (["--arch", "in_s64 xx_k3"], "'xx_k3'"),
        (["--arch", "/nowhere.json"], "does not exist"),
        (["--arch", '{"kind": "architecture", "schema_version": 99}'], "schema_version from 1"),
        (["--arch", '{"kind": '], "breaks off"),
        (["--arch", "in_s64 gap fc_c4", "--run", "x"], "one of --run and --arch"),
        ([], "a finished search"),
        (["--run", "/nowhere"], "a run folder"),
        (["--epochs", "0"], "--epochs"),
    ],
)
def test_bad_retrain_input(fail, arguments: list[str], text: str) -> None:  # type: ignore[no-untyped-def]
    assert text in fail("main.py", *arguments)


def test_disk_full_leaves_nothing_half_written(fail, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    import errno

    from latency import atomic

    def full(path: object, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "write_bytes", full)
    text = fail("nas.py", "--lambda", "0.1", "--smoke", "--run_dir", str(tmp_path / "run"))
    assert "free some space" in text


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_search(["nas.py", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--lambda" in text and "--target_ms" in text
