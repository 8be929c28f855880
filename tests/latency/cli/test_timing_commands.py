"""Commands that time files: what they print and write, and how they end."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from latency.cli import program, timing_commands
from latency.device import strict_json
from latency.device.host import DeviceState
from latency.device.job import Model
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.speed import SLOWER, BestSpeed
from latency.measurement import processes
from latency.measurement.certificate import CertificateFile
from latency.measurement.host_clock import ClockWatch
from latency.measurement.measure import Readings
from latency.measurement.processes import ProcessRule
from latency.measurement.timing import Timing
from tests.support.changing_clock import processes_of, two_speeds
from tests.support.latency_graphs import chain, finish, hidden_gather
from tests.support.timings import STATED_SPEED, stated_timing
from tests.support.unhurried import begin_processes_at_once, start_each_model_once

QUICK = ("--min_rounds", "2", "--max_rounds", "2", "--max_wait_seconds", "0.5")

Main = Callable[..., int]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three models, one of which fails when it runs; commands run there."""
    (tmp_path / "net.onnx").write_bytes(chain(1))
    (tmp_path / "my other.onnx").write_bytes(chain(2))
    (tmp_path / "short.onnx").write_bytes(hidden_gather(50))
    monkeypatch.chdir(tmp_path)
    start_each_model_once(monkeypatch)
    return tmp_path


GOOD, WIDE = stated_timing(0.995, 1.005), stated_timing(0.9, 1.1)
UNTOLD = stated_timing(None, None, "too few undisturbed runs: 0 of 99")


class Stub:
    """Gives made-up timings by key and remembers how it was asked."""

    def __init__(self, found: Mapping[str, Timing]) -> None:
        self.found = found
        self.models: list[Model] = []
        self.plan = MeasurePlan()
        self.rule = ProcessRule()

    def __call__(
        self,
        models: Sequence[Model],
        settings: SessionSettings,
        plan: MeasurePlan,
        rule: ProcessRule,
        progress: Any = None,
    ) -> dict[str, Timing]:
        self.models, self.plan, self.rule = list(models), plan, rule
        return {model.key: self.found[model.key] for model in models}


@pytest.fixture
def stub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stub]:
    def use(**found: Timing) -> Stub:
        names = {"net": "net.onnx", "other": "my other.onnx"}
        made = Stub({names[name]: value for name, value in found.items()})
        monkeypatch.setattr(timing_commands, "measure_processes", made)
        return made

    return use


# --- measure ----------------------------------------------------------------------------------


def test_measure_times_in_fresh_processes_and_writes_what_it_prints(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_processes_at_once(monkeypatch)
    arguments = ["measure", "net.onnx", "--json", "--output", "out.json", *QUICK]
    # 18 runs are too few for an interval, whatever the machine does.
    assert program.main(arguments) == 4
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((folder / "out.json").read_text())
    found = printed["measurements"]["net.onnx"]
    assert len(found["process_ms"]) == len(found["speeds"]) == len(found["measurements"]) == 3
    assert found["latency_ms"] > 0 and not found["stable"] and found["reason"]
    assert found["startup"]["session_ms"] > 0 and found["startup"]["first_run_ms"] > 0


def test_measure_prints_full_speed_first_and_what_was_seen_beside_it(
    stub: Callable[..., Stub], capsys: pytest.CaptureFixture[str]
) -> None:
    made = stub(net=GOOD, other=WIDE)
    assert program.main(["measure", "net.onnx", "my other.onnx"]) == 0
    printed = capsys.readouterr()
    heads = ("p10 ms", "95 % interval", "seen p50", "seen p90", "seen p99", "noise", "runs")
    places = [printed.out.index(head) for head in (*heads, "stable", "session ms", "MiB")]
    assert places == sorted(places)
    assert "0.9950 to 1.0050" in printed.out and "90 % over 3 processes" in printed.out
    assert "unknown" in printed.out and "77/99" in printed.out
    assert (made.rule.processes, made.rule.most, made.rule.min_seconds) == (3, 3, 3.0)


@pytest.mark.parametrize(
    ("found", "strict", "code"),
    [
        ({"net": GOOD, "other": GOOD}, True, 0),
        ({"net": GOOD, "other": WIDE}, False, 0),
        ({"net": GOOD, "other": WIDE}, True, 4),
        ({"net": WIDE, "other": UNTOLD}, False, 4),
    ],
)
def test_what_is_not_stable_decides_the_exit_code(
    stub: Callable[..., Stub], found: dict[str, Timing], strict: bool, code: int
) -> None:
    stub(**found)
    flags = ["--strict"] if strict else []
    assert program.main(["measure", "net.onnx", "my other.onnx", *flags]) == code


@pytest.mark.parametrize(
    ("loose", "flags", "why", "words"),
    [
        (WIDE, [], "the widest interval is +-10.0%, more than 2%: my other.onnx", "--processes 7"),
        (
            replace(WIDE, speeds=(STATED_SPEED,) * 7),
            ["--processes", "7"],
            "+-10.0%",
            "--processes 14",
        ),
        # More processes do not make more undisturbed runs.
        (UNTOLD, [], "my other.onnx: too few undisturbed runs", "--max_wait_seconds 60"),
        (UNTOLD, ["--max_wait_seconds", "60"], "too few", "--max_wait_seconds 120"),
        (replace(UNTOLD, speeds=(STATED_SPEED,)), ["--processes", "1"], "too few", "--processes 7"),
    ],
)
def test_instability_names_why_and_the_next_command(
    stub: Callable[..., Stub],
    capsys: pytest.CaptureFixture[str],
    loose: Timing,
    flags: list[str],
    why: str,
    words: str,
) -> None:
    stub(net=GOOD, other=loose)
    program.main(["measure", "net.onnx", "my other.onnx", *flags])
    error = capsys.readouterr().err
    assert "not stable: 1 of 2 (" in error and why in error
    command = error.rpartition("run: ")[2].strip()
    assert command == f"python -m latency measure net.onnx 'my other.onnx' {words}"


def test_a_reason_is_told_before_widths(
    stub: Callable[..., Stub], capsys: pytest.CaptureFixture[str]
) -> None:
    stub(net=UNTOLD, other=WIDE)
    program.main(["measure", "net.onnx", "my other.onnx"])
    assert "2 of 2 (net.onnx: too few undisturbed runs: 0 of 99)" in capsys.readouterr().err


def test_a_model_that_fails_is_named_and_the_others_are_measured(
    stub: Callable[..., Stub], capsys: pytest.CaptureFixture[str]
) -> None:
    made = stub(net=GOOD)
    assert program.main(["measure", "short.onnx", "net.onnx"]) == 2
    printed = capsys.readouterr()
    assert "Expected a model that loads and runs as 'short.onnx'" in printed.err
    assert "out of data bounds" in printed.err
    assert [model.key for model in made.models] == ["net.onnx"] and "net.onnx" in printed.out


@pytest.mark.parametrize("command", ["measure", "certify --target_ms 1"])
def test_a_model_that_fails_stands_in_the_file_beside_the_results(
    stub: Callable[..., Stub], folder: Path, command: str
) -> None:
    stub(net=GOOD)
    arguments = [*command.split(), "short.onnx", "net.onnx", "--output", "found.json"]
    assert program.main(arguments) == 2
    found = json.loads(Path("found.json").read_text())
    assert list(found["failed"]) == ["short.onnx"]
    assert "out of data bounds" in found["failed"]["short.onnx"]


def test_when_all_models_fail_nothing_is_measured(
    stub: Callable[..., Stub], capsys: pytest.CaptureFixture[str]
) -> None:
    made = stub()
    assert program.main(["measure", "short.onnx"]) == 2
    assert capsys.readouterr().out == "" and made.models == []


# --- a user's own inputs ------------------------------------------------------------------------


def test_arrays_are_given_to_all_models_or_to_one(stub: Callable[..., Stub], folder: Path) -> None:
    images = np.ones((1, 3, 8, 8), np.float32)
    np.savez(folder / "all.npz", image=images)
    np.savez(folder / "one.npz", image=2 * images)
    both = ["measure", "net.onnx", "my other.onnx"]
    made = stub(net=GOOD, other=GOOD)
    assert program.main([*both, "--input", "all.npz"]) == 0
    expected = (folder / "all.npz").read_bytes()
    assert [model.inputs for model in made.models] == [expected, expected]
    assert program.main([*both, "--input", "my other.onnx=one.npz"]) == 0
    assert [model.inputs for model in made.models] == [b"", (folder / "one.npz").read_bytes()]


def test_ids_that_the_model_knows_let_it_run(
    stub: Callable[..., Stub], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(folder / "ids.npz", image=np.full((1, 4), 49, np.int64))
    made = Stub({"short.onnx": GOOD})
    monkeypatch.setattr(timing_commands, "measure_processes", made)
    assert program.main(["measure", "short.onnx", "--input", "ids.npz"]) == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--input", "none.npz"], "none.npz"),
        (["--input", "net.onnx"], "Expected an .npz file of plain arrays"),
        (["--input", "a.npz", "--input", "net.onnx=a.npz"], "one --input for each model"),
        (["--input", "wrong.npz"], "shape [1, 3, 8, 8] for input 'image'"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    np.savez(folder / "a.npz", image=np.ones((1, 3, 8, 8), np.float32))
    np.savez(folder / "wrong.npz", image=np.ones((1, 3, 9, 9), np.float32))
    assert program.main(["measure", "net.onnx", *flags]) == 2
    assert words in capsys.readouterr().err


# --- certify ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "code", "met"),
    [(GOOD, 0, True), (stated_timing(1.1, 1.2), 5, False), (WIDE, 4, None), (UNTOLD, 4, None)],
)
def test_certify_ends_by_its_verdict(
    stub: Callable[..., Stub], folder: Path, net: Timing, code: int, met: bool | None
) -> None:
    stub(net=net)
    arguments = ["certify", "net.onnx", "--target_ms", "1.0", "--output", "c.json"]
    assert program.main(arguments) == code
    (found,) = strict_json.read(CertificateFile, folder / "c.json").certificates
    assert found.met is met and (found.fix == "") == (met is True)
    assert (found.file, found.target_ms, found.margin) == ("net.onnx", 1.0, 0.02)


def test_a_certificate_names_all_that_it_rests_on(stub: Callable[..., Stub], folder: Path) -> None:
    made = stub(net=GOOD)
    flags = ["--threads", "1", "--graph_level", "basic", "--seed", "5", "--margin", "4%"]
    arguments = ["certify", "net.onnx", "--target_ms", "1.0", "--output", "c.json", *flags]
    assert program.main(arguments) == 0
    (found,) = strict_json.read(CertificateFile, folder / "c.json").certificates
    data = (folder / "net.onnx").read_bytes()
    assert found.file_sha256 == found.measured_sha256 == hashlib.sha256(data).hexdigest()
    assert len(found.outputs_sha256) == 64 and "rounded to 1/1000" in found.outputs_rounding
    assert (found.threads, found.graph_level, found.set_denormal_as_zero) == (1, "basic", True)
    assert found.provider == "CPUExecutionProvider" and found.plan.seed == 5
    assert found.statistic == "median over processes of the 10th percentile of undisturbed runs"
    assert (
        found.gate == STATED_SPEED.gate
        and found.host_state == "full speed"
        and len(found.speeds) == 3
    )
    assert (found.kept_count, found.count, found.share_kept) == (77, 99, 77 / 99)
    assert (found.low_ms, found.high_ms) == (0.995, 1.005)
    assert (found.p50_ms, found.p90_ms, found.p99_ms) == (1.25, 1.5, 2.0)
    assert {"python", "onnxruntime", "numpy"} <= set(found.versions)
    assert shlex.split(found.command)[3:] == arguments
    # Half of the interval has to be well below the margin, and never above 1 %.
    assert (made.rule.precision, made.rule.processes, made.rule.most) == (0.01, 3, 7)


def test_several_certificates_end_by_the_worst(
    stub: Callable[..., Stub], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["certify", "net.onnx", "my other.onnx", "--target_ms", "1"]
    stub(net=GOOD, other=WIDE)
    assert program.main(both) == 4
    printed = capsys.readouterr().out
    assert "net.onnx: met: 1.0000 ms" in printed and "my other.onnx: cannot tell" in printed
    next_one = "python -m latency certify net.onnx 'my other.onnx' --target_ms 1 --processes 7"
    assert next_one in printed
    stub(net=WIDE, other=stated_timing(1.1, 1.2))
    assert program.main([*both, "--json"]) == 5
    printed = json.loads(capsys.readouterr().out)
    assert [entry["met"] for entry in printed["certificates"]] == [None, False]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--target_ms", "0"], "Expected --target_ms above 0"),
        (["--target_ms", "nan"], "Expected --target_ms as a finite number"),
        (["--target_ms", "1", "--margin", "x%"], "Expected a margin above 0"),
        (["--target_ms", "1", "--margin", "100%"], "Expected a margin above 0"),
        (["--target_ms", "1", "--margin", "0"], "Expected a margin above 0"),
        (["--target_ms", "1", "--output", "no/c.json"], "Expected a file in an existing folder"),
        (["--target_ms", "1", "--processes", "0"], "Expected processes to be 1 or more"),
    ],
)
def test_certify_refuses_what_it_cannot_judge(
    folder: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    assert program.main(["certify", "net.onnx", *flags]) == 2
    assert words in capsys.readouterr().err


def test_a_slower_host_is_told_in_the_certificate(stub: Callable[..., Stub], folder: Path) -> None:
    slower = replace(STATED_SPEED, state=SLOWER, reason="never faster than 1.30 times its best")
    stub(net=replace(UNTOLD, speeds=(slower,) * 3, reason="the host is slower"))
    arguments = ["certify", "net.onnx", "--target_ms", "1.0", "--output", "c.json"]
    assert program.main(arguments) == 4
    (found,) = strict_json.read(CertificateFile, folder / "c.json").certificates
    assert found.host_state == "slower" and "python -m latency clock" in found.fix


# --- compare ------------------------------------------------------------------------------------


@pytest.fixture
def simulated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, float]], None]:
    """Fresh processes on a machine of two speeds."""
    begin_processes_at_once(monkeypatch)

    def use(models_ms: dict[str, float]) -> None:
        run = processes_of(two_speeds(np.random.default_rng(1)), models_ms, 0.002)

        def fresh(models: Sequence[Model], *_: object) -> Readings:
            return run([model.key for model in models])

        monkeypatch.setattr(processes, "measure_fresh_process", fresh)

    return use


def test_compare_tells_which_model_is_faster(
    simulated: Callable[[dict[str, float]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    simulated({"net.onnx": 1.0, "my other.onnx": 1.2, "net.onnx #2": 1.0})
    files = ["net.onnx", "my other.onnx", "net.onnx"]
    assert program.main(["compare", *files, "--output", "r.json"]) == 0
    printed = capsys.readouterr().out
    assert "my other.onnx: slower than net.onnx by" in printed
    # The same file twice: no difference, and how small one could have been.
    assert "net.onnx #2: no difference seen (one of" in printed
    ratios = json.loads(Path("r.json").read_text())["ratios"]
    slow = ratios["my other.onnx"]
    assert slow["low"] < 1.2 < slow["high"] and slow["verdict"] == "slower"


def test_compare_goes_on_without_a_model_that_fails(
    simulated: Callable[[dict[str, float]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    simulated({"net.onnx": 1.0, "my other.onnx": 1.2})
    files = ["net.onnx", "short.onnx", "my other.onnx"]
    assert program.main(["compare", *files, "--json"]) == 2
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert list(found["ratios"]) == ["my other.onnx"] and list(found["failed"]) == ["short.onnx"]
    assert "loads and runs as 'short.onnx'" in printed.err


def test_compare_needs_the_model_that_the_others_are_compared_with(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["short.onnx", "net.onnx", "my other.onnx"]
    assert program.main(["compare", *files]) == 2
    assert "the first model and one more have to run" in capsys.readouterr().err


@pytest.mark.parametrize("files", [["net.onnx"], ["net.onnx", "short.onnx"]])
def test_compare_needs_two_models_that_run(
    folder: Path, capsys: pytest.CaptureFixture[str], files: list[str]
) -> None:
    assert program.main(["compare", *files]) == 2
    assert "Fix: " in capsys.readouterr().err


def test_integer_models_are_compared_with_themselves(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = helper.make_node("Identity", ["image"], ["pooled"])
    data = finish([node], [1, 4], [1, 4], input_type=TensorProto.INT64)
    (folder / "ids.onnx").write_bytes(data)
    flags = ["--processes", "1", "--budget_seconds", "0.01", "--json", *QUICK]
    # Two rounds are too few to tell, in real processes, whatever the machine does.
    assert program.main(["compare", "ids.onnx", "ids.onnx", *flags]) == 4
    printed = capsys.readouterr()
    assert list(json.loads(printed.out)["ratios"]) == ["ids.onnx #2"]
    assert "warning: cannot tell: " in printed.err


# --- clock --------------------------------------------------------------------------------------


def test_the_clock_is_told_for_people_and_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path))
    assert program.main(["clock", "--seconds", "0.3"]) == 0
    printed = capsys.readouterr().out
    for words in ("probe: ", "full speed: ", "at full speed in ", "other programs used "):
        assert words in printed
    assert program.main(["clock", "--seconds", "0.3", "--json", "--forget"]) == 0
    printed_json = capsys.readouterr()
    found = json.loads(printed_json.out)
    assert found["speed"]["full_speed_us"] > 0 and "best speed" in printed_json.err
    assert set(found) == {"speed", "seconds", "other_cores", "state", "before", "times_slower"}


def test_a_slower_clock_is_shown_with_then_and_now(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    best = BestSpeed("p", 8.0, "2026-11-01T00:00:00+00:00", 2600.0, 45.0)
    speed = replace(STATED_SPEED, state=SLOWER, reason="never faster", session_us=12.0, best=best)
    state = DeviceState("2026-11-26T00:00:00+00:00", 0.1, 1700.0, 95.0, None)
    found = ClockWatch(speed, 5.0, None, state, best)
    monkeypatch.setattr("latency.cli.clock_command.watch_clock", lambda _: found)
    assert program.main(["clock"]) == 0
    printed = capsys.readouterr().out
    assert "8.00 us since 2026-11-01T00:00:00+00:00; today 1.500 times as long" in printed
    assert "then: 2600 MHz, 45 degrees; now: 1700 MHz, 95 degrees" in printed
    assert "other programs used unknown" in printed and "slower: never faster" in printed


@pytest.mark.parametrize(
    ("best", "said"),
    [
        (BestSpeed("p", 8.0, "2026-11-01T00:00:00+00:00", None, None), "this is kept as its best"),
        (None, "none can be kept now"),
    ],
)
def test_a_clock_without_a_past_says_whether_it_is_kept(
    best: BestSpeed | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = DeviceState("2026-11-26T00:00:00+00:00", 0.1, 1700.0, 95.0, None)
    found = ClockWatch(replace(STATED_SPEED, best=best), 5.0, None, state, None)
    monkeypatch.setattr("latency.cli.clock_command.watch_clock", lambda _: found)
    assert program.main(["clock"]) == 0
    assert said in capsys.readouterr().out
