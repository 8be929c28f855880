"""What a search measures, and when it measures again; measurements are made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency.device.plan import MeasurePlan
from nas.cost.constraints import Bounds
from nas.hardware.measurement import Doubt, KnownNetworks, TimedNetworks
from nas.pipeline import certify, search
from nas.pipeline.search import SearchRun
from nas.runs.folder import RunFolder
from nas.runs.outcome import Outcome
from nas.runs.records import Certificate, Comparison, SeededRecipe
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Goal, Target
from nas.system.interrupt import Interrupter
from tests.support.run_config import run_config
from tests.support.timings import timing
from tests.support.toy import toy_space
from tests.support.toy_stages import FakeClock, toy_costs, toy_dataset, toy_latency

SPACE = toy_space()
BOUNDED = BoundedSpace(SPACE, toy_latency(SPACE).cost, Bounds())
KNOWN = KnownNetworks({}, {}, "python scripts/build_latency_table.py")


@pytest.fixture
def run(tmp_path: Path) -> SearchRun:
    """A search whose comparison is made, in a new run folder."""
    config = run_config(Goal(target=0.7))
    folder = RunFolder.create(tmp_path / "a run", config, "search")
    folder.write(Comparison())
    return SearchRun(folder, SPACE, toy_dataset(), config, Interrupter())


def certified(run: SearchRun, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    monkeypatch.setattr(certify, "measure_networks", clock)
    return run._certify(BOUNDED, toy_costs(SPACE), SPACE.smallest(), None, Target(0.7))


def test_what_could_not_be_told_is_measured_again(
    run: SearchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubtful = FakeClock({"searched": 0.7}, Doubt("the table differs", "build it again"))
    assert certified(run, doubtful, monkeypatch).outcome is Outcome.CANNOT_TELL
    assert certified(run, FakeClock({"searched": 0.7}), monkeypatch).outcome is Outcome.MET


@pytest.mark.parametrize(("ms", "outcome"), [(0.7, Outcome.MET), (0.9, Outcome.NOT_MET)])
def test_a_verdict_stays(
    ms: float, outcome: Outcome, run: SearchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = certified(run, FakeClock({"searched": ms}), monkeypatch)
    other = FakeClock({"searched": 1.6 - ms})
    assert certified(run, other, monkeypatch) == first
    assert first.outcome is outcome and other.asked == []


def test_the_certificate_of_a_training_stays(
    run: SearchRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doubtful = FakeClock({"searched": 0.7}, Doubt("the table differs", "build it again"))
    searched = certified(run, doubtful, monkeypatch)
    trained = replace(searched, top1=0.9, recipe=SeededRecipe(epochs=1.0, seed=0).resolved())
    run.folder.write(trained)
    other = FakeClock({"searched": 0.7})
    assert certified(run, other, monkeypatch) == trained and other.asked == []
    assert "main.py measures again" in capsys.readouterr().out


def test_the_command_that_certifies_again_is_quoted(
    run: SearchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = TimedNetworks({"searched": timing(0.7, kept=0)})
    monkeypatch.setattr(certify, "measure_networks", lambda *_, **__: timed)
    fix = run._certify(BOUNDED, toy_costs(SPACE), SPACE.smallest(), None, Target(0.7)).met_fix
    assert fix is not None
    assert fix.endswith(f"python nas.py --run_dir '{run.folder.path}' --resume")


class Readings:
    """Stands in for `measure_networks` while a network is chosen.

    Args:
        timed: What each process gives.
    """

    def __init__(self, *timed: TimedNetworks) -> None:
        self.left, self.seeds = list(timed), list[int]()

    def __call__(
        self, files: Mapping[str, bytes], settings: Any, plan: MeasurePlan, *_: Any
    ) -> TimedNetworks:
        self.seeds.append(plan.seed)
        return self.left.pop(0)


def test_a_reading_that_saw_no_full_speed_is_none(
    run: SearchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, disturbed = timing(0.5), timing(0.5, kept=0)
    readings = Readings(*(TimedNetworks({"network": t}) for t in (undisturbed, disturbed) * 2))
    monkeypatch.setattr(search, "measure_networks", readings)
    run._known = KNOWN
    assert [run._reading(SPACE.smallest()) for _ in range(2)] == [0.5, None]
    run._known = None
    assert [run._reading(SPACE.smallest()) for _ in range(2)] == [0.5, disturbed.latency_ms]
    assert len(set(readings.seeds)) == 4, "each process has inputs and an order of its own"


def test_a_doubt_about_the_table_is_told_once(
    run: SearchRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doubts = [Doubt(f"1.{i} times", fix) for i, fix in enumerate(("wait", "wait", "build"))]
    found = TimedNetworks({"network": timing(0.5)})
    readings = Readings(*(replace(found, doubt=doubt) for doubt in doubts))
    monkeypatch.setattr(search, "measure_networks", readings)
    assert [run._measure({"network": SPACE.smallest()}) for _ in doubts] == [{"network": 0.5}] * 3
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["Warning: 1.0 times. Fix: wait.", "Warning: 1.2 times. Fix: build."]
