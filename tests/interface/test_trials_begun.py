"""Searches by trials from what was asked for to their folder; no network is trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.errors import InputError
from nas.executors.executor import WORKERS_FOLDER
from nas.interface.trials import is_trials, run_trials, trials_space
from nas.interface.trials_config import AskedTrials
from nas.pipeline.inputs import looks_of
from nas.pipeline.table import TABLE_FILE
from nas.pipeline.trials import TrialsRun
from nas.recipes.scales import SMOKE
from nas.runs.config import read_config
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.runs.trials_later import AskedLater
from nas.runs.trials_record import TrialsRecord
from nas.search_space.space import Space
from nas.system.interrupt import Interrupter
from tests.support.in_process import train_in_process
from tests.support.programs import run_program
from tests.support.toy import TOY
from tests.support.trained_runs import untrained_run

SOURCE = DataSource(image_size=32)
NETWORK = "in_s32 cn_r1_k3_s2_c8 gap fc_c12"
OPTIONS = {
    "method": "asha",
    "space": "toy",
    "smoke": True,
    "image_size": 32,
    "max_trials": 3,
    "max_epochs": 2.0,
    "reduction": 2,
    "rungs": 2,
}
FLAGS = (
    *("--method", "asha", *TOY, "--max_trials", "3", "--max_epochs", "2", "--reduction", "2"),
    *("--rungs", "2", "--storage", "journal", "--workers", "1"),
)


def searched(asked: Mapping[str, Any], path: Path | None, told: list[Path] | None = None) -> Path:
    on_folder = ([] if told is None else told).append
    return run_trials(AskedTrials(SOURCE, asked), path, Interrupter(), on_folder)[0]


def config_of(path: Path) -> TrialsConfig:
    config = read_config(path)
    assert isinstance(config, TrialsConfig)
    return config


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[TrialsRun]:
    """Searches that would have begun; none of them does anything."""
    found: list[TrialsRun] = []
    monkeypatch.setattr(TrialsRun, "run", lambda run: found.append(run))
    return found


def test_a_search_by_trials_goes_on_with_what_may_be_asked_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_in_process(monkeypatch)
    # Pages and their pictures are tested in tests/report.
    monkeypatch.setattr("nas.pipeline.trials_files.write_trials_page", lambda path: path)
    run = tmp_path / "run"
    done = run_program("nas.py", *FLAGS, "--run_dir", str(run))
    assert done.exit_code == 0, done.err
    assert f"Run folder: {run}\n" in done.out
    first = RunFolder(run).read(TrialsRecord)
    assert first.is_finished and len(first.trials) == 3 and first.repeated is None
    done = run_program("nas.py", "--resume", "--run_dir", str(run), "--seeds", "2")
    assert done.exit_code == 0, done.err
    again = RunFolder(run).read(TrialsRecord)
    assert (again.trials, again.front) == (first.trials, first.front)
    assert again.repeated is not None and again.repeated.spreads[0].seeds == (0, 1)
    # What it began with stays as it was, and what was asked for later is not forgotten.
    assert config_of(run).seeds == 1
    done = run_program("nas.py", "--resume", "--run_dir", str(run))
    assert done.exit_code == 0 and " over seeds: top1 " in done.out, done.err
    assert RunFolder(run).read(TrialsRecord) == again
    done = run_program("nas.py", "--resume", "--run_dir", str(run), "--max_trials", "9")
    assert done.exit_code == 2 and "--max_trials as the run began: 3" in done.err


def test_the_folder_of_a_new_search_says_all_that_was_asked(
    tmp_path: Path, runs: list[TrialsRun]
) -> None:
    told: list[Path] = []
    path = searched(OPTIONS, tmp_path / "run", told)
    config, (run,) = config_of(path), runs
    assert told == [path] == [tmp_path / "run"]
    assert (run.config, run.source, run.folder.path) == (config, SOURCE, path)
    assert run.space.name == config.space == "toy" and config.max_trials == 3
    assert config.space_fingerprint == run.space.fingerprint()
    record = run.folder.read(DataRecord)
    assert (record.image_size, record.train_images) == (32, len(run.dataset.train.labels))
    with pytest.raises(InputError, match="--run_dir"):
        searched(OPTIONS, path)


def test_a_space_is_chosen_where_none_is_named_and_none_where_there_is_one_network(
    tmp_path: Path, runs: list[TrialsRun]
) -> None:
    unnamed = {name: value for name, value in OPTIONS.items() if name != "space"}
    config = config_of(searched(unnamed, tmp_path / "unnamed"))
    assert (config.space, config.network) == ("sample", None)
    tuned = {**unnamed, "network": NETWORK, "tune": "learning_rate=log[0.001,0.1]"}
    config = config_of(searched(tuned, tmp_path / "tuned"))
    assert (config.space, config.network) == (None, NETWORK)
    space = runs[-1].space
    assert isinstance(space, Space) and space.choices == () and space.name == "network"
    assert config.space_fingerprint == space.fingerprint()
    # Nothing of it has to be there when it goes on.
    assert searched({"resume": True}, tmp_path / "tuned") == tmp_path / "tuned"
    assert runs[-1].space == space and runs[-1].config == config


def test_what_is_asked_for_later_is_kept_before_anything_is_done(
    tmp_path: Path, runs: list[TrialsRun]
) -> None:
    path = searched(OPTIONS, tmp_path / "run")
    began = config_of(path)
    searched({"resume": True}, path)
    assert runs[-1].config == began and not RunFolder(path).has(AskedLater)
    later = {"metrics": "auc", "signal_class": "3", "seeds": 4}
    searched({"resume": True, **later}, path)
    asked = runs[-1].config
    assert (asked.seeds, asked.metrics, asked.signal_class) == (4, ("auc",), "3")
    searched({"resume": True}, path)
    assert runs[-1].config == asked and config_of(path) == began
    # Another class, fewer seeds and further metrics, as nothing of the search depends on them.
    searched({"resume": True, "metrics": "top1>=0.5", "signal_class": "4", "seeds": 2}, path)
    now = runs[-1].config
    assert (now.seeds, now.metrics, now.signal_class) == (2, ("auc", "top1>=0.5"), "4")
    with pytest.raises(InputError, match="--seeds 1 or more, as the run began"):
        searched({"resume": True, "seeds": 0}, path)
    assert RunFolder(path).read(AskedLater) == AskedLater.of(now)


def fail(run: TrialsRun) -> None:
    (run.folder.path / "trials.db").touch()
    raise InputError("trials that keep all budgets", "none", "loosen one of them")


def work_and_fail(run: TrialsRun) -> None:
    (run.folder.path / WORKERS_FOLDER).mkdir()
    (run.folder.path / WORKERS_FOLDER / "worker_0.log").touch()
    fail(run)


@pytest.mark.parametrize("has_worked", [False, True])
def test_a_search_that_is_refused_leaves_a_folder_only_if_a_worker_has_begun(
    has_worked: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(TrialsRun, "run", work_and_fail if has_worked else fail)
    with pytest.raises(InputError, match="keep all budgets"):
        searched(OPTIONS, tmp_path / "run")
    assert (tmp_path / "run").exists() == has_worked
    told = "".join(capsys.readouterr().err.split())
    command = f"nas.py--run_dir{tmp_path / 'run'}--resume"
    assert (f"Kept:{tmp_path / 'run'}.Goonwith:" in told and command in told) == has_worked
    if has_worked:
        # One that goes on stays where it is, without a word.
        monkeypatch.setattr(TrialsRun, "run", fail)
        with pytest.raises(InputError, match="keep all budgets"):
            searched({"resume": True}, tmp_path / "run")
        assert (tmp_path / "run" / "config.json").is_file()
        assert "Kept" not in capsys.readouterr().err


def test_a_table_that_lies_elsewhere_is_no_reason_to_keep_a_folder(
    toy_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_and_fail(run: TrialsRun) -> None:
        shutil.copy(toy_table, run.folder.path / TABLE_FILE)
        fail(run)

    monkeypatch.setattr(TrialsRun, "run", copy_and_fail)
    with pytest.raises(InputError, match="keep all budgets"):
        searched({**OPTIONS, "table": str(toy_table)}, tmp_path / "run")
    assert not (tmp_path / "run").exists() and toy_table.is_file()


def test_only_the_folder_of_a_search_by_trials_goes_on(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        searched({"resume": True}, None)
    assert caught.value.expected == "--resume with --run_dir"
    assert caught.value.received == "no --run_dir" and "name" in caught.value.fix
    other = untrained_run(tmp_path / "other").path
    with pytest.raises(InputError) as caught:
        searched({"resume": True}, other)
    assert caught.value.expected == "the folder of a search by trials"
    assert caught.value.received == f"{other}, of 'retrain'" and "--method" in caught.value.fix


def test_options_and_the_folder_say_what_kind_of_search_it_is(
    tmp_path: Path, runs: list[TrialsRun]
) -> None:
    assert is_trials({"method": "asha"}) and is_trials({"method": "hyperband"})
    # Without a number of trials, random networks are compared by the supernet of a search.
    assert not is_trials({"method": "random"}) and is_trials({"method": "random", "max_trials": 2})
    assert not is_trials({}) and not is_trials({"method": "gradient"})
    path = searched(OPTIONS, tmp_path / "run")
    assert is_trials({"resume": True, "run_dir": str(path)})
    other = untrained_run(tmp_path / "other").path
    assert not is_trials({"resume": True, "run_dir": str(other), "method": "asha"})
    with pytest.raises(InputError, match="a run folder with config.json"):
        is_trials({"resume": True, "run_dir": str(tmp_path / "nowhere")})


def test_a_space_that_has_changed_since_is_refused(tmp_path: Path, runs: list[TrialsRun]) -> None:
    path = searched(OPTIONS, tmp_path / "run")
    config = config_of(path)
    changed = json.loads((path / "config.json").read_text("utf-8"))
    (path / "config.json").write_text(json.dumps({**changed, "space_fingerprint": "0" * 16}))
    with pytest.raises(InputError) as caught:
        searched({"resume": True}, path)
    assert caught.value.expected == f"space toy as the run began, fingerprint {'0' * 16}"
    assert caught.value.received == f"fingerprint {config.space_fingerprint}"
    assert "--space and --blocks" in caught.value.fix
    assert len(runs) == 1


def test_one_network_goes_on_as_itself_and_as_no_other(
    tmp_path: Path, runs: list[TrialsRun]
) -> None:
    tuned = {**OPTIONS, "network": NETWORK, "tune": "learning_rate=log[0.001,0.1]"}
    path = searched({k: v for k, v in tuned.items() if k != "space"}, tmp_path / "run")
    searched({"resume": True, "network": NETWORK}, path)
    with pytest.raises(InputError, match="--network as the run began"):
        searched({"resume": True, "network": NETWORK.replace("k3", "k5")}, path)
    assert len(runs) == 2


def test_one_network_whose_classifier_has_an_activation_is_refused(tmp_path: Path) -> None:
    asked = {**OPTIONS, "network": f"{NETWORK}_nsi", "tune": "learning_rate=log[1e-3,1]"}
    del asked["space"]
    with pytest.raises(InputError, match="a classifier without an activation"):
        searched(asked, tmp_path / "run")


def test_one_network_of_other_classes_is_refused(tmp_path: Path, runs: list[TrialsRun]) -> None:
    path = searched(OPTIONS, tmp_path / "run")
    other = replace(config_of(path), space=None, network=NETWORK.replace("fc_c12", "fc_c7"))
    with pytest.raises(InputError, match="12 classes"):
        trials_space(other, looks_of(SOURCE, SMOKE, 0))
