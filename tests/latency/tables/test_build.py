"""Tables made of measurements."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from latency.device import strict_json
from latency.device.host import current_host
from latency.device.settings import SessionSettings
from latency.device.speed import BestSpeed, best_speed_path, keep_best_speed
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import toy_table
from tests.support.unhurried import TWO_ROUNDS


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


def test_a_built_table_holds_rows_networks_calibration_and_audit(table: LatencyTable) -> None:
    assert list(table.rows) == ["block", "stem"]
    assert table.rows["block"].latency_ms > 0 and table.run_overhead_ms > 0
    assert table.rows["block"].op_counts["GlobalAveragePool"] == 1
    assert sorted(table.networks) == [f"net{n}" for n in range(1, 7)]
    assert table.calibration is not None and table.calibration.n == 3
    assert table.audit is not None and table.audit.n == 3
    assert [point[0] for point in table.audit.points] == ["net2", "net4", "net6"]
    assert (table.statistic, table.plan.seed, table.rounds) == ("p10", 3, 4)
    now = current_host()
    assert table.host.fingerprint == now.fingerprint and table.host.hostname == now.hostname
    assert table.rows["block"].node_share == {"CPUExecutionProvider": 1.0}
    assert len(table.state_log) == 4 and table.state_log[0].at >= table.date
    assert list(table.anchors) == ["net2", "net4", "net6"]


def test_without_networks_the_overhead_is_counted_once() -> None:
    bare = toy_table(wholes=[])
    assert (bare.calibration, bare.audit, bare.affine) == (None, None, (1.0, bare.run_overhead_ms))


def test_unstable_rows_and_many_threads_are_said() -> None:
    plan = replace(TWO_ROUNDS, relative_tolerance=0.0)
    settings = SessionSettings(intra_op_num_threads=2, allow_spinning=False)
    warnings = toy_table(wholes=[], plan=plan, settings=settings).warnings
    assert any(text.startswith("not stable: ") and "up to 4 rounds" in text for text in warnings)
    # Other programs than the one that builds tables print them, too.
    assert not any("--" in text for text in warnings)
    assert any(text.startswith("more than one thread") for text in warnings)


def test_a_table_build_resumes_and_leaves_its_journal_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal"

    def stop(done: int, total: int, seconds_left: float) -> None:
        # Nine groups a round, counting the empty model's: in the third round.
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_table(resume_path=journal, progress=stop)
    before = [json.loads(line)["visits"] for line in journal.read_text().splitlines()[1:]]
    assert len(before) == 2
    resumed = toy_table(resume_path=journal)
    assert resumed.speed.limit_us is not None
    assert strict_json.encode(resumed.rows["block"].visits["long"][:2]) == [
        record["chain4"] for record in before
    ]
    # The session has ended, so the same build times nothing and gives the same table, also on a
    # machine that shows by now that it can be twice as fast.
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path))
    probe = resumed.speed.probe
    path = best_speed_path(resumed.host, probe)
    assert path is not None
    faster_us = (resumed.speed.full_speed_us or 0.0) / 2
    keep_best_speed(path, BestSpeed(probe, faster_us, resumed.date, None, None))
    again = toy_table(resume_path=journal)
    resumed.save(tmp_path / "resumed.json")
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "resumed.json").read_bytes()
