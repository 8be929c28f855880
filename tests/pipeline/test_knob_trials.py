"""Searches of knob spaces from the command that a user types to their records.

Workers train nothing here; with trainings the same commands stand in tests/programs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from nas.architecture import text as arch_text
from nas.cost.counts import architecture_cost
from nas.recipes import RECIPES
from nas.recipes.smoke import SMOKE
from nas.runs.config import read_config
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.runs.trials_record import TrialsRecord
from tests.support.documented import commands_of
from tests.support.in_process import train_in_process
from tests.support.programs import ROOT, Done, is_refusal, run_program

LOCAL = ("--smoke", "--workers", "1", "--storage", "journal")
# The documented commands with a length of their own.
CNV = (
    *("--space", "cnv", "--method", "asha", "--objectives", "top1,bops"),
    *("--max_bops", "70_347_776", "--max_weight_bits", "1_542_848"),
    *("--max_trials", "4", "--max_epochs", "4", "--reduction", "2", "--rungs", "2"),
)
TRIGGER = (
    *("--space", "trigger", "--sample", "trigger", "--method", "hyperband"),
    *("--objectives", "tpr_at_rate=10kHz,weight_bits"),
    *("--max_trials", "4", "--max_epochs", "4", "--reduction", "2", "--rungs", "2"),
)
# Flags that make the documented searches short here.
OF_LENGTH = ("--max_trials", "--max_epochs", "--reduction", "--rungs")
GRID = ("--space", "trigger", "--sample", "trigger", "--method", "grid", "--max_epochs", "1")


@pytest.fixture(autouse=True)
def _without_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    train_in_process(monkeypatch)


def search(path: Path, words: Sequence[str], *more: str) -> Done:
    return run_program("nas.py", *words, *LOCAL, *more, "--run_dir", str(path))


def records(path: Path) -> tuple[TrialsConfig, TrialsRecord]:
    config = read_config(path)
    assert isinstance(config, TrialsConfig)
    return config, RunFolder(path).read(TrialsRecord)


def test_a_quantised_network_is_searched_within_the_bits_of_the_original(tmp_path: Path) -> None:
    done = search(tmp_path / "run", CNV)
    assert done.exit_code == 0, done.err
    config, record = records(tmp_path / "run")
    assert record.is_finished and len(record.trials) == 4
    for trial in record.trials:
        cost = architecture_cost(arch_text.parse(trial.network))
        assert (cost.bops, cost.weight_bits) == (trial.known["bops"], trial.known["weight_bits"])
        assert cost.bops <= 70_347_776 and cost.weight_bits <= 1_542_848
        assert 1e-5 <= float(trial.configuration["learning_rate"]) <= 1.0  # type: ignore[arg-type]
    original = record.original
    assert original.name == "cnv_w1a1" and original.configuration["learning_rate"] == 0.02
    # The published one with the two classes more that the sample has: 512 weights each.
    assert original.known["weight_bits"] == 1_542_848 + 1024
    assert original.known["bops"] == 70_347_776 + 1024
    # Networks that cannot exist, and those that are too large, were never trained.
    assert record.refused == sum(record.refusals.values()) > 0
    kinds = {name.partition(" ")[0].partition("<")[0] for name in record.refusals}
    assert {"kernel", "pool_size"} <= kinds <= {"kernel", "pool_size", "bops", "weight_bits"}
    (name, count), *_ = record.refusals.items()
    said = " ".join(done.out.split())
    assert f"{record.refused} configurations were drawn and not trained: " in said
    assert f" trained: {count} break {name}" in said
    assert "--recipe cnv --learning_rate" in said
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "cnv_w1a1" in page and "&lt;= map at conv" in page
    recipe = RECIPES["cnv"]
    assert config.space_recipe == "cnv" and config.recipe.schedule == recipe.schedule
    # --smoke keeps the size of its trainings, and the recipe is the space's otherwise.
    assert (config.recipe.batch_size, config.max_epochs) == (SMOKE.batch_size, 4.0)


@pytest.mark.parametrize("words", [CNV, TRIGGER])
def test_the_documented_commands_are_those_that_run_here(words: Sequence[str]) -> None:
    # Space and method tell which of the page's commands it is; flags stand with their values.
    own = dict(zip(words[::2], words[1::2], strict=True))
    names = {own["--space"], own["--method"]}
    (command,) = [
        found.words
        for found in commands_of(ROOT / "docs" / "bit_widths.md")
        if found.is_whole and names <= set(found.words)
    ]
    asked = dict(zip(command[2::2], command[3::2], strict=True))  # behind program and script
    decisive = {name: value for name, value in own.items() if name not in OF_LENGTH}
    assert {name: asked.get(name) for name in decisive} == decisive
    assert set(asked) - set(own) <= {"--data_dir"}


def test_knobs_of_the_recipe_that_a_space_brings_can_be_others(tmp_path: Path) -> None:
    tune = ("--tune", "learning_rate={0.01,0.02},batch_size={8,16}")
    done = search(tmp_path / "run", CNV, *tune)
    assert done.exit_code == 0, done.err
    config, record = records(tmp_path / "run")
    assert [knob.name for knob in config.knobs] == ["learning_rate", "batch_size"]
    rates = {trial.configuration["learning_rate"] for trial in record.trials}
    assert rates <= {0.01, 0.02} and {p.name for p in record.parameters} >= {"batch_size"}


def test_a_trigger_is_searched_by_its_efficiency_at_a_rate(tmp_path: Path) -> None:
    done = search(tmp_path / "run", TRIGGER)
    assert done.exit_code == 0, done.err
    config, record = records(tmp_path / "run")
    assert config.background_rate_hz is not None
    assert record.objectives == ("tpr_at_rate=10kHz", "weight_bits")
    assert record.directions == ("maximise", "minimise")
    assert record.front and not record.refused and not record.refusals
    assert arch_text.parse(record.original.network).image_size == 16
    assert record.original.configuration["weight_format"] == "float32"


def test_a_stopped_search_goes_on_with_the_space_of_its_storage_alone(tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    assert search(run, TRIGGER).exit_code == 0
    first = records(run)[1]
    assert search(other, TRIGGER, "--seed", "1").exit_code == 0
    done = run_program("nas.py", "--run_dir", str(run), "--resume", "--space", "trigger")
    assert done.exit_code == 0, done.err
    assert records(run)[1] == first
    done = run_program("nas.py", "--run_dir", str(run), "--resume", "--space", "cnv")
    assert done.exit_code == 2 and "--space as the run began: 'trigger'" in done.err
    shutil.copy(other / "trials.journal", run / "trials.journal")
    done = run_program("nas.py", "--run_dir", str(run), "--resume")
    assert done.exit_code == 2 and "of this run" in done.err
    path = run / "config.json"
    text = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**text, "space_fingerprint": "0" * 12}), "utf-8")
    done = run_program("nas.py", "--run_dir", str(run), "--resume")
    assert done.exit_code == 2 and "as the run began, fingerprint 000000000000" in done.err


def test_a_grid_is_trained_whole_and_says_what_it_left_out(tmp_path: Path) -> None:
    words = (*GRID, "--objectives", "top1,weight_bits", "--max_weight_bits", "41000")
    done = search(tmp_path / "run", words)
    assert done.exit_code == 0, done.err
    config, record = records(tmp_path / "run")
    assert config.max_trials == 255 and config.sampler == "grid"
    assert len(record.trials) + record.refused == 255
    assert record.refusals == {"weight_bits<=41000": record.refused}
    assert all(len(trial.rungs) == 1 for trial in record.trials)
    # As many are told when nothing is left to do.
    done = run_program("nas.py", "--run_dir", str(tmp_path / "run"), "--resume")
    assert done.exit_code == 0, done.err
    assert records(tmp_path / "run")[1] == record


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--space", "cnv", "--method", "asha"], "--max_trials, how many"),
        (["--space", "cnv", "--lambda", "0.1"], "--method asha, hyperband or grid"),
        (
            ["--space", "cnv", "--method", "evolution", "--target_ms", "1"],
            "asha, hyperband or grid",
        ),
        ([*CNV[:4], "--objectives", "top1,ms", *CNV[6:]], "a table of a space's places"),
        ([*CNV, "--budgets", "ms<=1"], "--budgets out of"),
        ([*CNV[:6], "--max_bops", "1000", *CNV[8:]], "the least of each that was seen"),
        ([*GRID, "--max_weight_bits", "100"], "none among the 255 of space trigger"),
        (["--space", "cnv", "--method", "grid"], "Received: learning_rate=log[1e-05,1]. Fix"),
        ([*GRID, "--sampler", "tpe"], "leave --sampler out"),
        ([*GRID, "--rungs", "2"], "whose trials are trained whole"),
        ([*CNV, "--tune", "conv0.stride={1,2}"], "knob of --tune"),
        (["--space", "triger", "--method", "grid"], "'trigger'"),
        ([*CNV, "--image_size", "24"], "where it breaks"),
    ],
)
def test_what_cannot_be_is_refused_before_there_is_a_folder(
    tmp_path: Path, words: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Enough to see a network.
    monkeypatch.setattr("nas.pipeline.trial_candidates.MOST_LOOKED_AT", 300)
    done = run_program("nas.py", *words, "--smoke", "--run_dir", str(tmp_path / "run"))
    assert done.exit_code == 2 and is_refusal(done.err), done.err
    assert expected in " ".join(done.err.split())
    assert not (tmp_path / "run").exists()


def test_tables_are_of_spaces_with_places_alone() -> None:
    done = run_program("scripts/build_latency_table.py", "--space", "cnv")
    assert done.exit_code == 2 and "whose knobs hold for the whole network" in done.err
    done = run_program("nas.py", "--profile", "--space", "cnv")
    assert done.exit_code == 2 and "whose knobs hold for the whole network" in done.err
