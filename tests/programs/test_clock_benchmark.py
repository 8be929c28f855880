"""The benchmark of the clock runs, keeps what it found, and judges it by its aims."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.latency_clock_samples import memory, read_again
from benchmarks.latency_load import loaded
from benchmarks.latency_memory import ALONE, ALONE_ONE_PROBE, BESIDE
from benchmarks.latency_page import Aim, Page, Section
from benchmarks.latency_recording import record
from benchmarks.latency_steps import SMOKE, Folder, table_name
from latency.device.probe import Gauge, Probe
from tests.support.programs import run_program

SECTIONS = (
    *("Audits", "Level", "Certificate", "A wrong table, idle", "An independent script"),
    *("Targets, idle", "Statistic", "Memory"),
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clock")
    words = ("--folder", str(folder), "--state", "idle", "--smoke")
    done = run_program("benchmarks/latency_clock.py", *words)
    assert done.exit_code == 0, done.err
    return folder


@pytest.mark.slow
def test_every_section_has_its_figures(measured: Path, tmp_path: Path) -> None:
    output = tmp_path / "clock.md"
    words = ("--folder", str(measured), "--smoke", "--output", str(output))
    assert run_program("benchmarks/latency_clock.py", *words).exit_code == 0
    titles = [line[3:] for line in output.read_text().splitlines() if line.startswith("## ")]
    assert titles == list(SECTIONS)


@pytest.mark.slow
def test_what_is_there_is_not_measured_again(measured: Path) -> None:
    before = {path: path.read_bytes() for path in (measured / "idle").glob("*-*.json")}
    words = ("--folder", str(measured), "--state", "idle", "--smoke", "--parts", "audits")
    assert run_program("benchmarks/latency_clock.py", *words).exit_code == 0
    assert before == {path: path.read_bytes() for path in (measured / "idle").glob("*-*.json")}
    assert table_name(SMOKE.cases[0], 0) in {path.stem for path in before}


@pytest.mark.slow
def test_samples_read_as_the_table_reads_them_give_the_table(measured: Path) -> None:
    table = Folder(measured).table("idle", SMOKE.cases[0], 0)
    assert table is not None
    again = read_again(table, table.speed.gate, table.plan.quantile)
    assert again.audit == table.audit
    rows_ms = {key: row.latency_ms for key, row in again.rows.items()}
    assert rows_ms == {key: row.latency_ms for key, row in table.rows.items()}


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    done = run_program(
        "benchmarks/latency_clock.py", "--folder", str(tmp_path), "--parts", "audits,nothing"
    )
    assert done.exit_code == 2 and "received nothing" in done.err


def test_load_ends_with_its_context() -> None:
    with loaded("mixed", 2) as running:
        assert [process.poll() for process in running] == [None, None]
    assert all(process.returncode for process in running)


def test_a_recording_tells_which_runs_lie_between_fast_probes() -> None:
    durations_us = iter([9.0] * 10 + [9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 14.0] + [9.0] * 4)
    seconds = [0.0]

    def probe() -> None:
        seconds[0] += next(durations_us) / 1e6

    def run() -> None:
        seconds[0] += 1e-3

    gauge = Gauge(Probe("fake", probe), lambda: seconds[0])
    for _ in range(5):  # read_us runs the probe twice
        gauge.read_us()
    found = record(run, {"gate": gauge}, 0.0025, lambda: seconds[0])
    assert found.runs_ms == pytest.approx([1.0, 1.0, 1.0])
    assert found.kept("gate", 9.5).tolist() == [True, False, True]
    assert found.full_speed_us("gate") == pytest.approx(9.0)


def memory_values(beside_gate: float, beside_both: float, one_probe: float) -> list[dict[str, Any]]:
    figures = {ALONE: (1.0, 1.0), ALONE_ONE_PROBE: (one_probe, None)}
    figures[BESIDE] = (beside_gate, beside_both)
    return [
        {
            "model": "m",
            "condition": condition,
            "runs": 9,
            "all_ms": 2.0,
            "gate_share": 0.5,
            "gate_ms": gate_ms,
            "both_share": None if both_ms is None else 0.5,
            "both_ms": both_ms,
        }
        for condition, (gate_ms, both_ms) in figures.items()
    ]


@pytest.mark.parametrize(
    ("beside_gate", "beside_both", "one_probe", "is_needed"),
    [
        (1.10, 1.01, 1.0, True),
        (1.01, 1.01, 1.0, False),  # the gate alone sees it
        (1.10, 1.10, 1.0, False),  # the second probe does not see it either
        (1.10, 1.01, 0.9, False),  # reading it makes the model 11 % slower
    ],
)
def test_a_second_probe_has_to_help_and_to_leave_models_as_they_are(
    beside_gate: float, beside_both: float, one_probe: float, is_needed: bool
) -> None:
    section = memory(memory_values(beside_gate, beside_both, one_probe))
    assert [aim.is_reached for aim in section.aims] == [is_needed]


def test_a_page_says_what_was_not_reached() -> None:
    aims = (Aim("error at most 1 %", "2 %", False), Aim("n at least 3", "4", True))
    section = Section("Level", "What was found.", ("a", "b"), (("1", "2"),), aims)
    text = Page("Title", ("python x.py",), ("hardware: one core",), (section,)).markdown()
    assert "- error at most 1 %: 2 %, NOT reached." in text
    assert "- n at least 3: 4, reached." in text
    assert "| a | b |\n| --- | --- |\n| 1 | 2 |" in text
    assert max(map(len, text.splitlines())) < 100


def test_numbers_of_a_recording_are_arrays_of_one_length() -> None:
    gauge = Gauge(Probe("nothing", lambda: None))
    found = record(lambda: None, {"gate": gauge}, 0.001)
    lengths = {len(found.at_s), len(found.runs_ms), len(found.before_us["gate"])}
    assert lengths == {len(found.after_us["gate"])} and np.all(np.diff(found.at_s) > 0)


def recording(probes_us: list[float]) -> str:
    value = {"at_s": [0.0, 0.5, 1.0], "runs_ms": [1.0, 1.5, 1.1], "limit_us": 9.0}
    return json.dumps({**value, "before_us": [8.9, 8.9, 8.9], "after_us": probes_us})


def test_a_recording_becomes_the_same_picture_every_time(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(recording([8.9, 14.0, 8.8]))
    pictures = []
    for name in ("a.png", "b.png"):
        output = str(tmp_path / name)
        words = (str(tmp_path / "r.json"), "--output", output)
        assert run_program("scripts/draw_speed_gate.py", *words).exit_code == 0
        pictures.append(Path(output).read_bytes())
    assert pictures[0] == pictures[1] and pictures[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("probes_us", "flags", "received"),
    [
        ([14.0, 14.0, 14.0], (), "none, the fastest two took 14.0 us"),
        ([8.9, 14.0, 8.8], ("--start", "7"), "a recording of 1.0 s"),
    ],
)
def test_a_recording_with_nothing_to_show_is_refused(
    tmp_path: Path, probes_us: list[float], flags: tuple[str, ...], received: str
) -> None:
    path = tmp_path / "r.json"
    path.write_text(recording(probes_us))
    words = (str(path), *flags, "--output", str(tmp_path / "a.png"))
    done = run_program("scripts/draw_speed_gate.py", *words)
    assert done.exit_code == 2 and received in done.err
    assert not (tmp_path / "a.png").exists()
