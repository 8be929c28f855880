"""When the files that tell of a search by trials are written while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.pipeline import trials_files
from nas.pipeline.trials_files import TrialFiles
from nas.runs.config import read_config
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.runs.trials_record import Original, Searched, curve_rows
from nas.tuning.legs import Leg, Plan, SearchState
from nas.tuning.objectives import Objective
from tests.support.made_trials import made_search


def test_page_of_a_running_search_takes_little_of_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(made_search(tmp_path / "run", most_legs=1))
    config = read_config(folder.path)
    assert isinstance(config, TrialsConfig)
    searched = Searched(
        folder.run_id, config, (), Original("", {}, {}), lambda found: "in_s32 gap fc_c12"
    )
    now_s, written, page_s = [100.0], [], [0.5]

    def page(path: Path) -> None:
        written.append(now_s[0])
        now_s[0] += page_s[0]

    monkeypatch.setattr(trials_files, "write_trials_page", page)
    files = TrialFiles(folder, searched, lambda: now_s[0])
    state = SearchState(config.parsed_objectives)
    files.keep(state)
    assert written == []  # nothing has begun
    state.begin(Leg(0, Plan(0, 0, 1.0, 0, {}, {})))
    for moment in (100.0, 130.0, 160.0, 161.0, 200.0):
        now_s[0] = moment
        files.look(state)
    assert written == [100.0, 161.0]  # a minute after the end of the last one
    page_s[0] = 4.0
    now_s[0] = 1000.0
    files.look(state)
    written.clear()
    for moment in (1100.0, 1203.0, 1204.0):
        now_s[0] = moment
        files.look(state)
    assert written == [1204.0]  # 4 s of 204 are the share that pages may take


def test_last_row_of_a_leg_tells_of_both_kinds_of_weights() -> None:
    state = SearchState((Objective("top1"),))
    cells = {"val_top1": None, "val_top1_average": None}
    for number, facts in enumerate(({"last_top1": 0.3, "average_top1": 0.4}, {})):
        plan = Plan(number, 1, 1.0, 0, {}, {})
        state.begin(Leg(number, plan))
        rows = tuple({"step": step, **cells} for step in (2, 4))
        state.end(Leg(number, plan, "done", (0.4,), curve=rows, facts=facts))
    both = {"val_top1": 0.3, "val_top1_average": 0.4}
    # A file of an earlier version has no such facts.
    assert list(curve_rows(state)) == [
        {"trial": 0, "rung": 1, "step": 2, **cells},
        {"trial": 0, "rung": 1, "step": 4, **both},
        {"trial": 1, "rung": 1, "step": 2, **cells},
        {"trial": 1, "rung": 1, "step": 4, **cells},
    ]
