"""Searches for bit operations and weight bits: exact, resumable, and without a latency table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.architecture import text as arch_text
from nas.cost.constraints import counted_cost
from nas.cost.counts import architecture_cost
from nas.cost.units import BOPS, WEIGHT_BITS
from nas.methods.history import SearchEnd, SearchRow
from nas.pipeline import certify, costs
from nas.pipeline import search as search_stage
from nas.pipeline.search import SearchRun
from nas.pipeline.sweep import SweepRun
from nas.report.page import write_report
from nas.runs.config import RaceConfig
from nas.runs.folder import RunFolder
from nas.runs.history import read_history
from nas.runs.outcome import Outcome
from nas.runs.records import Certificate, Comparison
from nas.runs.sweep import Pareto
from nas.selection.choice import Choice
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Goal, ResolvedTarget, Target
from nas.selection.successive_halving import Field, RaceResult
from nas.system.interrupt import Interrupter
from tests.support.run_config import run_config
from tests.support.toy import toy_space
from tests.support.toy_stages import FakeClock, toy_dataset

LEAST, MOST = counted_cost(toy_space(), BOPS).range()


@pytest.fixture(autouse=True)
def no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants a latency table fails, and certificates take no time."""

    def measure(*_: Any) -> None:
        raise AssertionError("a table was asked for")

    monkeypatch.setattr(costs, "run_table", measure)
    monkeypatch.setattr(certify, "measure_networks", FakeClock({}))


def report_later(run: Path) -> Path:
    return run / "report.html"


def test_a_sweep_of_bit_operations_lands_on_each_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(search_stage, "write_report", report_later)
    goals = (Goal(percent=50.0, quantity="bops"), Goal(target=LEAST, quantity="bops"))
    config = run_config(*goals, method="random", random_networks=1)
    folder = RunFolder.create(tmp_path / "sweep", config, "sweep")
    sweep = SweepRun(folder, toy_space(), toy_dataset(), config, Interrupter())
    assert sweep.run() is Outcome.MET
    told = capsys.readouterr().out
    assert "Space toy: 199 M BOPs to 697 M BOPs." in told
    assert "Milliseconds are not predicted" in told
    for goal in goals:
        own = RunFolder.open(folder.path / goal.label)
        certificate, target = own.read(Certificate), own.read(ResolvedTarget)
        wanted = goal.resolved(LEAST, MOST)
        assert (target.low, target.high, target.target) == (LEAST, MOST, wanted)
        assert target.asked == Target(wanted or 0.0, "bops") == certificate.asked_count
        assert abs((certificate.bops or 0) / (wanted or 1) - 1) <= 0.02
        assert (certificate.asked_ms, certificate.predicted_ms) == (None, None)
        assert certificate.measured_ms == 1.0, "float networks are timed at the end"
        choice = own.read(Choice)
        assert (choice.predicted, choice.quantity) == (certificate.bops, "bops")
        assert not own.has("table.json")
    pareto = folder.read(Pareto)
    assert (pareto.quantity, len(pareto.networks)) == ("bops", 2)
    kept = {path: path.read_bytes() for path in sorted(folder.path.rglob("*.json"))}
    sweep.run()
    assert {path: path.read_bytes() for path in sorted(folder.path.rglob("*.json"))} == kept
    # The page of one of them names the quantity and its unit.
    page = write_report(folder.path / goals[0].label).read_text("utf-8")
    assert "448<small>" not in page and "448 M<small>BOPs</small>" in page
    assert "Budget met: 4" in page and "What the same BOPs buy elsewhere" in page


def test_company_has_as_many_bits_as_the_found_network() -> None:
    goal = Goal(percent=60.0, quantity="weight_bits")
    config = run_config(goal, method="random", random_networks=2)
    space = toy_space()
    cost = counted_cost(space, WEIGHT_BITS)
    bounded = BoundedSpace(space, cost, config.bounds)
    found = space.decode((1, 1))
    comparison = certify.compared_networks(bounded, found, config, lambda networks: {})
    assert comparison.quantity == "weight_bits"
    wanted = architecture_cost(found).weight_bits
    for network in comparison.networks:
        bits = architecture_cost(arch_text.parse(network.text)).weight_bits
        assert network.role != "random" or abs(bits / wanted - 1) <= 0.02
        if network.role == "uniform":
            assert comparison.uniform_over_searched == bits / wanted


def test_a_race_for_a_count_reads_no_milliseconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_stage, "write_report", report_later)
    monkeypatch.setattr(
        "nas.pipeline.race.run_race", lambda field, *_: RaceResult(field, field[0].name)
    )
    monkeypatch.setattr("nas.pipeline.race.backend.start", lambda *_: None)
    goal = Goal(percent=50.0, quantity="weight_bits")
    config = replace(run_config(goal, method="random"), race=RaceConfig(4, 1.0), random_networks=0)
    folder = RunFolder.create(tmp_path / "run", config, "run")
    SearchRun(folder, toy_space(), toy_dataset(), config, Interrupter()).run()
    target = folder.read(ResolvedTarget).target or 0.0
    cost = counted_cost(toy_space(), WEIGHT_BITS)
    candidates = folder.read(Field).candidates
    assert candidates
    for candidate in candidates:
        assert (candidate.measured_ms, candidate.predicted_ms) == (None, None)
        assert abs(cost.of(candidate.indices) / target - 1) <= 0.02


@pytest.mark.slow
def test_gates_are_led_to_bit_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_stage, "write_report", report_later)
    target = 288_555_008.0  # which a network has
    config = run_config(Goal(target=target, quantity="bops"), random_networks=0)
    folder = RunFolder.create(tmp_path / "run", config, "run")
    certificate = SearchRun(folder, toy_space(), toy_dataset(), config, Interrupter()).run()
    assert certificate.outcome is Outcome.MET
    rows = read_history(SearchRow, folder.path / SearchRow.FILE)
    assert all(row.expected_ms is None for row in rows)
    first, last = rows[0].expected_bops or 0.0, rows[-1].expected_bops or 0.0
    assert first > last > LEAST, "toy steps lead down the way to the target"
    end = folder.read(SearchEnd)
    assert (end.quantity, end.expected) == ("bops", pytest.approx(last))
    assert folder.read(Comparison).quantity == "bops"
