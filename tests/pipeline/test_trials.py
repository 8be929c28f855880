"""A search by trials from its configuration to its records; workers that train nothing."""

from __future__ import annotations

import csv
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.cli import flags as strict_flags
from nas.cli.program import retrain_flags
from nas.cost.counts import architecture_cost
from nas.errors import InputError
from nas.executors.locks import take_lock
from nas.hardware.predictor import SpaceLatency
from nas.interface.training_parts import architecture_of
from nas.interface.trials import trials_space
from nas.interface.trials_config import AskedTrials, trials_config
from nas.interface.trials_resumed import changed_at_the_end, check_as_recorded
from nas.metrics import AskedMetrics, MetricGoal, evaluated
from nas.pipeline import trials as trials_module
from nas.pipeline.inputs import keep_data, load_data, looks_of
from nas.pipeline.trials import TrialsRun
from nas.pipeline.trials_check import check_trials
from nas.recipes.scales import SMOKE
from nas.report.trial_page.facts import read_facts
from nas.report.trials import closing_lines, evaluated_lines, next_command
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.runs.outcome import Outcome
from nas.runs.trial_evaluations import EvaluatedTraining, RepeatedTrial
from nas.runs.trials_later import AskedLater
from nas.runs.trials_record import Original, RungReached, Trial, TrialsRecord
from nas.system.interrupt import Interrupter
from nas.tuning.legs import State as LegState
from tests.support.fake_legs import top1
from tests.support.in_process import train_in_process
from tests.support.toy import toy_space

SOURCE = DataSource(image_size=32)
OPTIONS = {
    "method": "asha",
    "space": "small",
    "smoke": True,
    "image_size": 32,
    "max_trials": 6,
    "max_epochs": 4.0,
    "reduction": 2,
    "rungs": 2,
    "workers": 1,
    "storage": "journal",
    "objectives": "top1,params",
}


# A batch of all images is one step an epoch, and a third of that is none.
SHORT_EPOCHS = {
    **{"rungs": 3, "max_trials": 9, "max_epochs": 3, "reduction": 3},
    "tune": "batch_size={16,192}",
}


def made(path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> TrialsRun:
    """A search by trials whose workers train nothing."""
    train_in_process(monkeypatch)
    asked = {**OPTIONS, **options}
    given = asked.pop("network", None)
    network = None if given is None else arch_text.parse(given)
    config = trials_config(AskedTrials(SOURCE, asked), SMOKE, network)
    dataset = load_data(SOURCE, SMOKE, 0)
    space = trials_space(config, dataset)
    config = replace(config, space_fingerprint=space.fingerprint())
    folder = RunFolder.create(path, config, "trials")
    keep_data(folder, dataset)
    return TrialsRun(folder, space, dataset, SOURCE, config, Interrupter())


def reached(trial: Trial) -> tuple[float, float]:
    return trial.rungs[-1].reached["top1"], trial.known["params"]


def test_records_say_what_trials_came_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made(tmp_path / "run", monkeypatch, budgets="params<=60000")
    record = run.run()
    assert record == run.folder.read(TrialsRecord)
    assert [trial.number for trial in record.trials] == list(range(6))
    assert record.epochs_trained == 6 * 2 + 3 * 2 and record.epochs_of_whole_trainings == 24
    assert record.refused > 0
    for trial in record.trials:
        cost = architecture_cost(arch_text.parse(trial.network))
        assert trial.known["params"] == cost.params <= 60000
        values = [rung.reached["top1"] for rung in trial.rungs]
        assert values == [top1(trial.network, rung) for rung in range(len(values))]
    whole = [trial for trial in record.trials if len(trial.rungs) == 2]
    assert len(whole) == 3
    front = [record.trials[number] for number in record.front]
    for trial in whole:
        beaten = any(
            a >= reached(trial)[0] and b <= reached(trial)[1] and (a, b) != reached(trial)
            for a, b in map(reached, whole)
        )
        assert trial.is_on_front == (trial in front) == (not beaten)
    assert reached(front[0])[0] == max(reached(trial)[0] for trial in whole)
    # What goes on no more needs no checkpoint.
    left = {path.stem for path in (run.folder.path / "checkpoints").iterdir()}
    assert left == {f"trial_{number:06d}" for number in record.front}
    with open(run.folder.path / "trials.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9 and {row["network"] for row in rows} == {
        trial.network for trial in record.trials
    }
    with open(run.folder.path / "trial_curves.csv", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 9
    assert [row["id"] for row in rows[:1]] == [f"{run.folder.run_id}-0"]
    assert record.is_finished and record.original.known["params"] > 60000
    page = (run.folder.path / "report.html").read_text("utf-8")
    assert "Search finished" in page and "The original beside the best" in page
    printed = capsys.readouterr().out
    assert f"Report: {run.folder.path / 'report.html'}" in printed.replace("\n", "")
    assert record.refusals == {"params<=60000": record.refused}
    said = f"{record.refused} configurations were drawn and not trained: {record.refused} break "
    assert f"{said}params<=60000." in " ".join(printed.split())
    assert f"Next: {next_command(record, run.config)}" in printed
    # Once it is done it trains nothing more.
    assert run.run() == record


def test_evaluation_images_are_looked_at_once_by_the_front_and_by_seeds_of_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made(tmp_path / "run", monkeypatch, seeds=3, metrics="top1>=1.0")
    record = run.run()
    assert [one.trial for one in record.evaluated] == list(record.front)
    assert all(one.seed == 0 and one.metrics is not None for one in record.evaluated)
    repeated = record.repeated
    assert repeated is not None and repeated.trial == record.front[0]
    assert repeated.failed_seeds == (2,)
    (spread, *_) = repeated.spreads
    assert spread.metric == "top1" and spread.seeds == (0, 1) and spread.mean == 1.0
    # A training that failed has reached nothing.
    assert spread.success is not None
    assert (spread.success.reached, spread.success.trainings) == (2, 3)
    looked = run.folder.path / "looked_at.txt"
    names = looked.read_text().splitlines()
    best = f"trial_{record.front[0]:06d}"
    own = [f"trial_{number:06d}" for number in record.front]
    assert sorted(names) == sorted([*own, f"{best}_seed_1", f"{best}_seed_2"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "reached by 2 of 3 trainings" in printed and "failed with seed 2" in printed
    # What is written is looked at no more, and one that was killed before it was is.
    run.folder.path_of(EvaluatedTraining, name=f"{best}_seed_1").unlink()
    assert run.run() == record
    assert looked.read_text().splitlines()[len(names) :] == [f"{best}_seed_1"]


def test_more_seeds_and_metrics_may_be_asked_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path / "run", monkeypatch, max_trials=2, metrics="top1>=1.0")
    first = run.run()
    assert first.repeated is not None and first.repeated.spreads[0].standard_deviation is None
    with pytest.raises(InputError, match="--seeds 2 or more"):
        check_as_recorded(replace(run.config, seeds=2), {"seeds": 1})
    found = changed_at_the_end(run.config, {"seeds": 2, "metrics": "top1>=0.5"})
    assert found.judged.goals == (MetricGoal("top1", 0.5),) and found.seeds == 2
    # Metrics join those of before, of which one may have another goal or none now.
    assert found.metrics == ("top1>=0.5",)
    for asked, expected in (("top5", ("top1>=0.5", "top5")), ("top5,top1", ("top5", "top1"))):
        assert changed_at_the_end(found, {"metrics": asked}).metrics == expected
    auc = {"metrics": "auc", "signal_class": "3"}
    check_as_recorded(run.config, auc)
    assert changed_at_the_end(run.config, auc).judged.signal_class == "3"
    with pytest.raises(InputError, match="--signal_class as the run began"):
        check_as_recorded(run.config, {"signal_class": "3"})
    # The second of two classes was the signal all along.
    with pytest.raises(InputError, match="--signal_class as the run began"):
        check_as_recorded(replace(run.config, objectives=("auc",)), auc)
    run.folder.write(AskedLater.of(found))
    again = replace(run, config=found).run()
    assert read_facts(run.folder.path).config == found
    assert again.trials == first.trials and again.evaluated == first.evaluated
    assert again.repeated is not None and again.repeated.spreads[0].seeds == (0, 1)


def test_a_spread_is_of_what_all_trainings_are_judged_by() -> None:
    of_seeds = [("top1", "top5"), ("top1", "cross_entropy"), ("cross_entropy", "top1")]
    scores, labels = np.eye(10), np.arange(10)
    names = [f"class {label}" for label in labels]
    found = RepeatedTrial.of(
        [
            EvaluatedTraining(
                4, seed, evaluated(AskedMetrics(asked), scores, labels, names, resamples=1), 1.0
            )
            for seed, asked in enumerate(of_seeds)
        ]
    )
    assert [(spread.metric, spread.seeds) for spread in found.spreads] == [("top1", (0, 1, 2))]
    failed = [EvaluatedTraining(4, 0, None, 1.0, "diverged: no number")]
    assert RepeatedTrial.of(failed) == RepeatedTrial(4, (), (0,))


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ("auc", "--signal_class"),
        ("top1<=0.5", "top1>=VALUE"),
        ("top1>=0.5,top1>=0.9", "top1, twice"),
        ("energy_mj", "energy_mj"),
    ],
)
def test_metrics_of_the_end_are_refused_before_anything_is_trained(
    metrics: str, expected: str
) -> None:
    with pytest.raises(InputError, match=".*") as caught:
        config = trials_config(AskedTrials(SOURCE, {**OPTIONS, "metrics": metrics}), SMOKE, None)
        looks = looks_of(SOURCE, SMOKE, 0)
        check_trials(config, trials_space(config, looks), looks)
    assert expected in str(caught.value)


def options_of(command: str) -> dict[str, Any]:
    """What main.py takes a command for."""
    values, words = retrain_flags(), shlex.split(command)
    strict_flags.parse(values, ["main.py", *words[words.index("--arch") :]])
    return strict_flags.given(values)


def test_knobs_reach_the_recipe_and_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {
        "network": "in_s32 cn_r1_k3_s2_c8 gap fc_c12",
        "space": None,
        "objectives": "cross_entropy",
        "tune": "learning_rate=log[0.001,0.1],flip={true,false}",
        "max_trials": 2,
    }
    run = made(tmp_path / "run", monkeypatch, **options)
    record = run.run()
    assert len({trial.network for trial in record.trials}) == 1
    rates = {trial.configuration["learning_rate"] for trial in record.trials}
    assert len(rates) == 2
    best = record.trials[record.front[0]]
    words = next_command(record, run.config)
    assert "--learning_rate" in words and "--epochs 4" in words
    assert options_of(words)["flip"] is best.configuration["flip"]
    # Nothing stands there that main.py does by itself.
    for usual in ("resize", "skip", "precision", "seed", "metrics", "signal"):
        assert usual not in words


def test_the_next_command_prepares_and_judges_as_the_search_did() -> None:
    files = DataSource("files", "/images", resize="crop", skip_bad_images=True)
    asked = {
        **OPTIONS,
        **{"flip": True, "seed": 3, "mixed_precision": "bfloat16", "signal_class": "index=4"},
        **{"objectives": "top1,auc", "metrics": "top1>=0.5,tpr_at_rate=1kHz,top5"},
        "background_rate_hz": 4e7,
    }
    record = ended(trials=(trained(0, 4.0, "done"),), front=(0,))
    config = trials_config(AskedTrials(files, asked), SMOKE, None)
    # Images in files are mirrored anyway by this recipe, and those of the sample are not.
    assert options_of(next_command(record, config)) == {
        "arch": record.trials[0].network,
        "epochs": 4.0,
        "data_dir": "/images",
        "resize": "crop",
        "skip_bad_images": True,
        "mixed_precision": "bfloat16",
        "seed": 3,
        "metrics": "top1>=0.5,top5,auc,tpr_at_rate=1kHz",
        "signal_class": "index=4",
        "background_rate_hz": 4e7,
        "smoke": True,
    }
    for source, flip in ((SOURCE, True), (files, False)):
        config = trials_config(AskedTrials(source, {**OPTIONS, "flip": flip}), SMOKE, None)
        assert options_of(next_command(record, config))["flip"] is flip
    # A recipe that mirrors none is none that a training by itself mirrors with.
    config = replace(config, space_recipe="trigger")
    assert "flip" not in options_of(next_command(record, config))


PLAIN_NETWORK = {
    "network": "in_s32 cn_r1_k3_s2_c8 gap fc_c12",
    "space": None,
    "objectives": "cross_entropy",
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"objectives": "top1,energy_mj"}, "--objectives out of top1, top5, "),
        ({"budgets": "energy_mj<=1"}, "--budgets out of top1"),
        ({"objectives": "auc"}, "--signal_class"),
        ({"objectives": "auc", "signal_class": "unicorn"}, "unicorn"),
        ({"max_params": 1}, "max_params"),
        ({"budgets": "params<=60000,macs<=1000"}, "(?s)macs of at least.*--budgets macs<=1000"),
        (SHORT_EPOCHS, "rungs that end at different steps"),
        ({"tune": "batch_size={16,193}"}, "(?s)of 192 or less.*193"),
        ({"tune": "batch_size=[16,200]"}, "(?s)of 192 or less.*200"),
        (
            {"network": "in_s32 gap fc_c12", "space": None, "tune": "flip={true,false}"},
            "where all trials have one network",
        ),
        ({"objectives": "top1,energy_mj"}, "energy_mj, which nothing here measures"),
        # Each end of a knob's values, with one network and with a space.
        ({**PLAIN_NETWORK, "tune": "dropout={0,0.3}"}, r"a layer drop_p0\.3"),
        ({**PLAIN_NETWORK, "tune": "stochastic_depth=[0,0.2]"}, "residual branch"),
        ({**PLAIN_NETWORK, "tune": "cutout_pixels={8,64}"}, "64"),
        ({"space": "cnv_small", "tune": "stochastic_depth={0,0.1}"}, "residual branch"),
        ({"space": "cnv_small", "tune": "dropout=[0,0.5]"}, "a layer drop_p0.5"),
    ],
)
def test_what_no_trial_can_come_to_is_refused_before_images_are_decoded(
    options: dict[str, Any], expected: str
) -> None:
    asked = {**OPTIONS, **options}
    given = asked.pop("network", None)
    network = None if given is None else arch_text.parse(given)
    config = trials_config(AskedTrials(SOURCE, asked), SMOKE, network)
    looks = looks_of(SOURCE, SMOKE, 0)
    with pytest.raises(InputError, match=expected):
        check_trials(config, trials_space(config, looks), looks)


@pytest.mark.parametrize(("batch_size", "is_cut"), [(192, False), (256, True)])
def test_trials_say_that_their_batches_are_smaller_than_the_recipes(
    batch_size: int, is_cut: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    config = trials_config(AskedTrials(SOURCE, {**OPTIONS, "rungs": 1}), SMOKE, None)
    config = replace(config, recipe=config.recipe.changed(batch_size=batch_size))
    looks = looks_of(SOURCE, SMOKE, 0)
    check_trials(config, trials_space(config, looks), looks)
    told = capsys.readouterr().out
    line = "Trials have steps of 192 images, all there are, and not 256."
    assert (line in told) is is_cut


def test_budgets_that_nothing_keeps_together_leave_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.tuning.candidates.MOST_DRAWS", 30)
    run = made(tmp_path / "run", monkeypatch, budgets="params<=60000,macs<=1000")
    with pytest.raises(InputError, match="keeps params<=60000, macs<=1000"):
        run.run()
    assert not any((run.folder.path / "checkpoints").iterdir())


def test_milliseconds_that_no_network_is_predicted_to_keep_are_refused(
    tmp_path: Path, toy_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    least_ms = SpaceLatency.from_table(toy_space(), LatencyTable.load(toy_table)).range_ms()[0]
    asked = {"space": "toy", "table": str(toy_table), "max_trials": 2}
    run = made(tmp_path / "run", monkeypatch, **asked, budgets=f"ms<={0.99 * least_ms}")
    with pytest.raises(InputError, match=f"(?s)`toy` can keep: {least_ms:.4g} or more.*--budgets"):
        run.run()
    assert not any((run.folder.path / "checkpoints").iterdir())
    run = made(tmp_path / "other", monkeypatch, **asked, budgets=f"ms<={1.01 * least_ms}")
    trials = run.run().trials
    assert trials and all(trial.known["ms"] <= 1.01 * least_ms for trial in trials)


def test_search_whose_file_of_trials_is_lost_is_not_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path / "run", monkeypatch)
    (run.folder.path / "checkpoints" / "trial_000000.npz").touch()
    with pytest.raises(InputError, match="(?s)which says what the trials.*bring the file back"):
        run.run()
    assert not any(run.folder.path.glob("trials.*"))


def test_workers_of_a_killed_program_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path / "run", monkeypatch)
    monkeypatch.setattr(trials_module, "ORPHAN_SECONDS", 0.0)
    workers = run.folder.path / "workers"
    workers.mkdir()
    with (
        take_lock(workers / "worker_3.lock", 0.0),
        pytest.raises(InputError, match="worker_3.lock"),
    ):
        run.run()


def test_retraining_of_a_search_by_trials_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path / "run", monkeypatch)
    with pytest.raises(InputError, match="a search by trials"):
        architecture_of(run.folder)


def ended(**changes: Any) -> TrialsRecord:
    """The record of a search that has come to its end, without a front."""
    record = TrialsRecord(
        run_id="0" * 12,
        is_finished=True,
        objectives=("top1",),
        directions=("maximise",),
        parameters=(),
        original=Original("in_s32 gap fc_c12", {}, {}),
        trials=(),
        front=(),
        epochs_trained=0.0,
        epochs_of_whole_trainings=0.0,
        refused=0,
        failures={},
    )
    return replace(record, **changes)


def trained(number: int, epochs: float, state: LegState) -> Trial:
    """A trial that has one rung."""
    rung = RungReached(number, state, 0, epochs, {"top1": 0.5} if state == "done" else {}, 1.0)
    return Trial(number, "in_s32 gap fc_c12", {}, {}, 0, False, (rung,))


def test_end_tells_what_is_missing() -> None:
    record = ended(failures={"died": 2, "hung": 1})
    said = " ".join(closing_lines(record, is_exhausted=True))
    assert "Trainings that failed: 2 died, 1 hung. trials.json tells why." in said
    assert "may have no more" in said
    assert record.outcome is Outcome.NOT_MET


def test_end_tells_which_metrics_an_evaluation_failed_by() -> None:
    scores, labels = np.eye(10), np.arange(10)
    names = [f"class {label}" for label in labels]
    known = evaluated(AskedMetrics(("top1",)), scores, labels, names, resamples=1)
    failures = ((None, 4), (known, 7))
    found = tuple(EvaluatedTraining(trial, 0, m, 1.0, "died: by itself") for m, trial in failures)
    nothing, first, further = evaluated_lines(ended(evaluated=found))
    assert nothing == "Trial 4 on the evaluation images: failed, died: by itself"
    assert first.startswith("Trial 7 on the evaluation images: top1 100.00 %")
    assert further == "Trial 7 by the other metrics: failed, died: by itself"


@pytest.mark.parametrize(
    ("trials", "epochs", "saved", "why"),
    [
        (
            [trained(0, 3.0, "failed")],
            0.0,
            "1 trial, 0 epochs: no training came to the end of a rung.",
            "No training has come to its end",
        ),
        (
            [trained(0, 1.0, "done"), trained(1, 1.0, "failed")],
            1.0,
            "2 trials, 1 epoch; training each of them to its end would have taken 6, 6.0 times",
            "No training has come to its end",
        ),
        (
            [trained(0, 3.0, "done"), trained(1, 1.0, "failed")],
            3.0,
            "2 trials, 3 epochs; training each of them to its end would have taken 6, 2.0 times",
            "No whole training keeps all budgets",
        ),
    ],
)
def test_end_tells_why_there_is_no_front(
    trials: list[Trial], epochs: float, saved: str, why: str
) -> None:
    whole = 3.0 * len(trials)
    record = ended(trials=tuple(trials), epochs_trained=epochs, epochs_of_whole_trainings=whole)
    said = list(closing_lines(record, is_exhausted=False))
    assert said[0].startswith(saved)
    assert said[-1] == f"{why}: there is no front."
