"""Training, exporting and certifying networks, at toy size; only milliseconds are made up."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from nas.architecture import text as arch_text
from nas.cost.counts import architecture_cost
from nas.data import Split
from nas.deployment.export import PARITY_TOLERANCE
from nas.errors import InputError
from nas.hardware.measurement import Doubt, TimedNetworks, network_bytes
from nas.interface.training_config import training_config
from nas.metrics import AskedMetrics, MetricResults
from nas.pipeline import certify, retrain
from nas.pipeline.retrain import RetrainRun
from nas.recipes.scales import SMOKE
from nas.report.comparison import compare
from nas.report.metrics import metric_lines
from nas.report.seeds import MoreSeeds
from nas.runs.folder import RunFolder
from nas.runs.outcome import Outcome
from nas.runs.records import (
    Baselines,
    Certificate,
    CertifiedNetwork,
    ComparedNetwork,
    TrainedRecord,
)
from nas.selection.goals import Goal, Target
from nas.system.environment import environment
from nas.system.interrupt import Interrupter
from nas.training.last_or_average import HeldOutScore
from nas.training.lost import LostWeightsError, check_loss
from tests.support.made_up_trainings import KilledError, MadeUpTrainings
from tests.support.run_config import run_config
from tests.support.timings import BUSY_HOST, timing
from tests.support.toy import toy_space
from tests.support.toy_stages import FakeClock, exported_file, toy_dataset

SPACE = toy_space()
FOUND = SPACE.smallest()
OTHER = SPACE.largest()
RANDOM = ComparedNetwork("random", "random 1", arch_text.to_text(OTHER))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Milliseconds by name."""
    fake = FakeClock({"searched": 0.7, "random 1": 0.71})
    monkeypatch.setattr(certify, "measure_networks", fake)
    return fake


def begun(path: Path, others: tuple[ComparedNetwork, ...] = (), **changes: Any) -> RetrainRun:
    """A retraining of the found network in a new run folder.

    Args:
        path: Of the folder.
        others: Trained beside it.
        changes: Other values of the run.
    """
    folder = RunFolder.create(path, run_config(Goal(target=0.7)), "retrain")
    run = RetrainRun(
        folder=folder,
        architecture=FOUND,
        dataset=toy_dataset(),
        recipe=replace(SMOKE.recipe, epochs=1.0, batch_size=20),
        seed=0,
        others=others,
        asked=Target(0.7),
        device=None,
        scale=SMOKE,
        interrupter=Interrupter(),
    )
    return replace(run, **changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RetrainRun:
    """A run with one baseline, retrained; tests only read it."""
    metrics = AskedMetrics.of("tpr_at_rate=1kHz,auc>=0,top1,top5", "class 1", 2e3)
    run = begun(tmp_path_factory.mktemp("retrain") / "run", (RANDOM,), metrics=metrics)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certify, "measure_networks", FakeClock({"searched": 0.7, "random 1": 0.71}))
        run.run()
    return run


def test_the_certificate_tells_what_was_trained_and_measured(finished: RetrainRun) -> None:
    found = finished.folder.read(Certificate)
    assert (found.name, found.role, found.text) == (
        "searched",
        "searched",
        arch_text.to_text(FOUND),
    )
    assert (found.asked_ms, found.measured_ms, found.met) == (0.7, 0.7, True)
    assert found.macs == architecture_cost(FOUND).macs
    assert found.top1 is not None and 0 <= found.top1 <= 1
    assert found.evaluation_images == len(finished.dataset.evaluation.labels)
    # One epoch of three steps of 20 images.
    assert found.images_seen == 60
    assert found.recipe is not None
    assert (found.recipe.epochs, found.recipe.seed) == (1.0, 0)
    assert (found.method, found.supernet_top1, found.predicted_ms) == (None, None, None)


def test_baselines_are_trained_by_the_same_recipe(finished: RetrainRun) -> None:
    baselines = finished.folder.read(Baselines)
    certificate = finished.folder.read(Certificate)
    assert [network.name for network in baselines.networks] == ["searched", "random 1"]
    assert baselines.recipe == certificate.recipe
    assert certificate.random == baselines.networks[1:]
    assert {network.images_seen for network in baselines.networks} == {60}
    random = baselines.networks[1]
    assert (random.asked_ms, random.met, random.parity) == (None, None, None)


def test_the_exported_file_computes_what_was_evaluated(finished: RetrainRun) -> None:
    certificate = finished.folder.read(Certificate)
    data = (finished.folder.path / "model.onnx").read_bytes()
    assert certificate.file_bytes == len(data)
    parity = certificate.parity
    assert parity is not None
    # What the export itself refuses: float32 sums in another order differ by far less.
    assert parity.max_abs_difference <= PARITY_TOLERANCE * max(1.0, parity.max_abs_logit)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    split = finished.dataset.evaluation
    right = [
        session.run(None, {"image": image[None].astype(np.float32)})[0].argmax() == label
        for image, label in zip(split.images, split.labels, strict=True)
    ]
    # Equal scores count against the network in our evaluation, and there are none.
    assert float(np.mean(right)) == pytest.approx(certificate.top1)


def test_what_is_trained_already_is_read(
    finished: RetrainRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    before = finished.folder.read(Certificate)
    monkeypatch.setattr(retrain, "train_network", train)
    again = finished.run()
    assert replace(again, date=before.date) == before
    said = " ".join(capsys.readouterr().out.split())
    assert "Trained already by adamw" in said and "Training by" not in said


def test_every_network_is_judged_by_the_metrics_that_were_asked_for(finished: RetrainRun) -> None:
    certificate = finished.folder.read(Certificate)
    baselines = finished.folder.read(Baselines)
    for network in baselines.networks:
        found = network.metrics
        assert found is not None
        rate, auc, top1, top5 = found.values
        assert [v.metric for v in found.values] == ["tpr_at_rate=1kHz", "auc", "top1", "top5"]
        # The same scores give the shares of the evaluation itself.
        assert (top1.value, top5.value) == (network.top1, network.top5)
        assert 0 <= auc.low <= auc.value <= auc.high <= 1
        assert (found.signal_class, found.images) == ("class 1", network.evaluation_images)
        assert (found.signal_images, found.resamples) == (2, 1000)
        assert found.background_images == found.images - 2
        # Half of the background may pass: 1 kHz of 2 kHz.
        assert rate.allowed_background == found.background_images // 2
        assert rate.passing_background is not None
        assert rate.passing_background <= rate.allowed_background
        spread = network.metric_spreads[1]
        assert (spread.metric, spread.mean, spread.seeds) == ("auc", auc.value, (0,))
    assert certificate.metrics == baselines.networks[0].metrics


def test_the_page_and_the_terminal_tell_the_metrics(finished: RetrainRun) -> None:
    certificate, baselines = finished.folder.read(Certificate), finished.folder.read(Baselines)
    assert certificate.metrics is not None
    auc = certificate.metrics.value_of("auc")
    lines = metric_lines(compare(certificate, baselines))
    interval = f"(95 % interval {auc.low:.4f} to {auc.high:.4f})"
    assert lines[0].startswith("This network: tpr_at_rate=1kHz ")
    reached = "0.0000 reached by 1 of 1 training (95 % interval 21 to 100 %, Wilson)"
    assert lines[1] == f"This network: auc {auc.value:.4f} {interval}; {reached}."
    assert lines[4].startswith("Random: tpr_at_rate=1kHz ")
    *_, below = lines
    assert "22 of background, which comes at 2kHz." in below
    assert below.startswith("24 evaluation images: 2 of the signal class 'class 1' and 22 of back")
    assert "stratified percentile bootstrap, 1,000 resamples, seed 0" in below
    page = (finished.folder.path / "report.html").read_text("utf-8")
    assert f"This network, auc: {reached}." in page
    assert "Other metrics" in page and "tpr_at_rate=1kHz" in page


def test_another_metric_judges_the_weights_that_were_kept_and_trains_nothing(
    finished: RetrainRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(retrain, "train_network", train)
    folder = RunFolder(Path(shutil.copytree(finished.folder.path, tmp_path / "run")))
    run = replace(finished, folder=folder, others=(), metrics=AskedMetrics.of("cross_entropy,top1"))
    found = run.train()[0][0].metrics
    assert found is not None and found.signal_class is None
    assert [value.metric for value in found.values] == ["cross_entropy", "top1"]
    assert found.values[1].value == finished.folder.read(Certificate).top1
    assert folder.read(TrainedRecord, name="searched").metrics == found
    # Of the other network no weights are kept.
    with pytest.raises(InputError, match="none of random_1") as caught:
        replace(run, others=(RANDOM,)).train()
    assert "--restart" in caught.value.fix
    # What was told before can be told again: in part, and in another order.
    asked = AskedMetrics.of("top1,auc", "class 1")
    (again,), (other,) = replace(finished, metrics=asked).train()
    assert [v.metric for v in _values(again.metrics)] == ["top1", "auc"]
    assert [v.metric for v in _values(other.metrics)] == ["top1", "auc"]


def _values(results: MetricResults | None) -> Any:
    assert results is not None
    return results.values


def test_metrics_that_the_images_cannot_tell_are_refused_before_a_training(tmp_path: Path) -> None:
    asked = AskedMetrics.of("auc", "class 1")
    run = begun(tmp_path / "run", metrics=asked)
    split = run.dataset.evaluation
    others = Split(split.images, np.where(split.labels == 1, 0, split.labels))
    run = replace(run, dataset=replace(run.dataset, evaluation=others))
    with pytest.raises(InputError, match="evaluation images of the signal class for auc"):
        run.train()
    assert not (run.folder.path / "retrained").exists()


def test_thresholds_on_few_images_are_among_the_warnings(
    trained: RetrainRun, finished: RetrainRun
) -> None:
    found = finished.folder.read(Certificate)
    assert not any("may pass" in text for text in found.warnings), "11 of 22 may"
    run = replace(trained, metrics=AskedMetrics.of("tpr_at_fpr=0.1", "class 1"))
    assert any("2.2 of 22 background images may pass" in text for text in run.early_warnings)


def test_the_smoothness_of_the_curve_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up = MadeUpTrainings()

    def train(*arguments: Any, **named: Any) -> Any:
        curve = (HeldOutScore(1, 0.5, 0.4), HeldOutScore(2, 0.75, 0.5), HeldOutScore(3, 0.25, 0.6))
        return replace(made_up.train(*arguments, **named), held_out=curve)

    monkeypatch.setattr(retrain, "train_network", train)
    monkeypatch.setattr(RetrainRun, "_export", lambda run, *rest: made_up.export(run, *rest))
    last, average = begun(tmp_path / "run").run().smoothness
    assert (last.weights, last.evaluations) == ("last", 3)
    assert (last.mean_absolute_change, last.largest_drop, last.largest_drop_epoch) == (
        (0.25 + 0.5) / 2,
        0.5,
        3,
    )
    assert (average.weights, average.largest_drop) == ("average", 0.0)


@pytest.fixture
def trained(tmp_path: Path) -> RetrainRun:
    """A run whose trainings are recorded already, so that none is needed."""
    run = begun(tmp_path / "run")
    record(run, "searched", "searched", 0.6)
    (run.folder.path / "model.onnx").write_bytes(exported_file(FOUND))
    return run


def record(
    run: RetrainRun, name: str, role: str, top1: float, more: str = "", **changes: Any
) -> None:
    """Writes what a training reached; `more` is what tells another seed's file apart."""
    values: dict[str, Any] = {
        "text": arch_text.to_text(FOUND),
        "top1": top1,
        "top5": 0.9,
        "evaluation_images": 24,
        "train_top1": 0.6,
        "running_accuracy": 0.6,
        "images_seen": 60,
        "seconds": 1.0,
        "parity": None,
    }
    trained = TrainedRecord(name=name, role=role, **{**values, **changes})
    run.folder.write(trained, name=name.replace(" ", "_") + more)


def test_what_the_search_certified_stays_where_nothing_new_is_known(trained: RetrainRun) -> None:
    def network(name: str) -> CertifiedNetwork:
        return CertifiedNetwork.of(
            OTHER, timing(0.9), 0.88, None, name=name, role=name, text=RANDOM.text
        )

    searched = Certificate.of(
        FOUND,
        timing(0.65),
        0.66,
        0.7,
        name="searched",
        role="searched",
        text=arch_text.to_text(FOUND),
        method="evolution",
        supernet_top1=0.3,
        supernet_top5=0.7,
        largest=network("largest"),
        uniform=network("uniform"),
        random=(network("random"),),
        device=None,
        date="2026-05-04T10:20:30+00:00",
        environment=environment(),
    )
    trained.folder.write(searched)
    record(trained, "random 1", "random", 0.5)
    found = replace(trained, others=(RANDOM,)).run()
    assert (found.method, found.supernet_top1, found.supernet_top5) == ("evolution", 0.3, 0.7)
    assert (found.largest, found.uniform) == (searched.largest, searched.uniform)
    assert [n.top1 for n in found.random] == [0.5], "what is trained now takes the old one's place"
    assert (found.measured_ms, found.top1) == (0.7, 0.6), "measured and trained anew"


def test_odd_labels_are_told(trained: RetrainRun) -> None:
    record(trained, "searched", "searched", 0.6, train_top1=0.1, running_accuracy=0.7)
    (warning,) = trained.run().warnings
    assert "labels or pixels" in warning


def test_single_trainings_judge_no_search(
    trained: RetrainRun, capsys: pytest.CaptureFixture[str]
) -> None:
    # However far apart: with another seed it may be the other way round.
    record(trained, "random 1", "random", 1.0)
    found = replace(trained, others=(RANDOM,)).run()
    assert (found.warnings, found.search_verdict) == ((), None)
    text = " ".join(capsys.readouterr().out.split())
    assert "One training each (n = 1): the spread between seeds is not known" in text
    assert "pay" not in text and "paid" not in text
    assert f"main.py --run {trained.folder.path} --baselines --seeds 3" in text


@pytest.fixture
def three_seeds(trained: RetrainRun) -> RetrainRun:
    """Three trainings of the found network and of a random one, recorded already."""
    shares = {"searched": (0.6, 0.72, 0.66), "random 1": (0.9, 0.99, 0.95)}
    for name, top1 in shares.items():
        for seed, (more, share) in enumerate(zip(("", "-seed-1", "-seed-2"), top1, strict=True)):
            record(trained, name, name.split()[0], share, more, seed=seed)
    return replace(trained, others=(RANDOM,), seeds=3)


def test_several_seeds_judge_the_search(
    three_seeds: RetrainRun, capsys: pytest.CaptureFixture[str]
) -> None:
    found = three_seeds.run()
    assert found.trainings is not None and found.recipe is not None
    assert (found.trainings.seeds, found.trainings.top1) == ((0, 1, 2), (0.6, 0.72, 0.66))
    assert (found.recipe.seed, found.recipe.seeds) == (0, 3)
    verdict = found.search_verdict
    assert verdict is not None and verdict.paid is False
    # Pairs of 30, 27 and 29 points.
    assert verdict.difference.top1 == pytest.approx(-0.86 / 3)
    (warning,) = found.warnings
    assert warning.startswith("This search did not pay") and "paired t over 3 seeds" in warning
    text = " ".join(capsys.readouterr().out.split())
    assert text.count("This search did not pay") == 1
    baselines = three_seeds.folder.read(Baselines)
    assert [n.trainings and n.trainings.count for n in baselines.networks] == [3, 3]


def test_the_first_seed_is_the_one_that_is_exported_and_certified(three_seeds: RetrainRun) -> None:
    found = three_seeds.run()
    # Not the best, which the images that judge it would have picked.
    assert found.top1 == 0.6


def test_what_stays_of_the_company_is_compared_while_the_recipe_is_the_same(
    three_seeds: RetrainRun,
) -> None:
    first = three_seeds.run()
    alone = replace(three_seeds, others=())
    again = alone.run()
    assert (again.random, again.search_verdict) == (first.random, first.search_verdict)
    other = replace(alone, recipe=replace(alone.recipe, epochs=2.0)).run()
    assert [n.top1 for n in other.random] == [None], "another recipe reached that"
    assert other.search_verdict is None
    assert other.random[0].measured_ms == first.random[0].measured_ms


def test_seeds_train_round_by_round_and_go_on_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up = MadeUpTrainings(most=3)
    monkeypatch.setattr(retrain, "train_network", made_up.train)
    monkeypatch.setattr(RetrainRun, "_export", lambda *arguments: made_up.export(*arguments))
    run = begun(tmp_path / "run", (RANDOM,), seed=5, seeds=2)
    with pytest.raises(KilledError):
        run.run()
    names = [arch_text.to_text(network) for network in (FOUND, OTHER)]
    assert made_up.begun == [(names[0], 5), (names[1], 5), (names[0], 6)]
    rest = made_up = MadeUpTrainings()
    monkeypatch.setattr(retrain, "train_network", rest.train)
    found = run.run()
    assert rest.begun == [(names[1], 6)] and rest.exported == [], "what is done stays"
    assert found.trainings is not None and found.trainings.seeds == (5, 6)
    assert found.top1 == found.trainings.top1[0]
    files = sorted(path.name for path in (run.folder.path / "retrained").iterdir())
    assert files == [
        "random_1-seed-6.json",
        "random_1.json",
        "searched-seed-6.json",
        "searched.json",
    ]
    whole = begun(tmp_path / "whole", (RANDOM,), seed=5, seeds=2)
    again = whole.run()
    assert replace(again, date=found.date, run_id=found.run_id) == found, (
        "as if nothing had stopped it"
    )
    assert len(rest.begun) == 5 and rest.exported == [found.top1], "one training makes the files"
    for name in files:
        kept, made = (r.folder.path / "retrained" / name for r in (run, whole))
        assert kept.read_bytes() == made.read_bytes()


def test_the_file_that_was_measured_and_what_it_computes_can_be_told_again(
    trained: RetrainRun,
) -> None:
    path = trained.folder.path / "model.onnx"
    first = trained.run().hashes
    assert first is not None and first == trained.run().hashes
    assert first.file_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(exported_file(FOUND, seed=1))
    other = trained.run().hashes
    assert other is not None and other.outputs_sha256 != first.outputs_sha256


def test_a_budget_that_cannot_be_told_says_how_to_certify_again(
    trained: RetrainRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doubt = Doubt("networks of the table take 1.100 times", "build it again")
    monkeypatch.setattr(certify, "measure_networks", FakeClock({"searched": 0.7}, doubt))
    assert trained.run().outcome is Outcome.CANNOT_TELL
    text = capsys.readouterr().out
    assert "cannot tell whether the budget is met" in text
    assert f"Cannot tell: {doubt.reason}. Next: {doubt.fix}." in text
    disturbed = TimedNetworks({"searched": timing(0.7, kept=0)})
    monkeypatch.setattr(certify, "measure_networks", lambda *_, **__: disturbed)
    found = trained.run()
    assert found.met_fix is not None
    assert found.met_fix.endswith(f"python main.py --run {trained.folder.path}")


def test_what_was_seen_stands_beside_what_was_measured(
    trained: RetrainRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = timing(0.7, kept=20, disturbed_ms=1.4, host=BUSY_HOST)
    monkeypatch.setattr(
        certify, "measure_networks", lambda *_, **__: TimedNetworks({"searched": seen})
    )
    trained.run()
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("As seen"))
    assert "p50 0.700, p90 1.400, p99 1.400 ms" in line and "in 5 % of the time" in line


def test_for_another_device_nothing_is_measured(trained: RetrainRun, clock: FakeClock) -> None:
    found = replace(trained, device="board").run()
    assert clock.asked == []
    assert (found.measured_ms, found.met, found.device) == (None, None, "board")


def test_the_searched_network_is_measured_as_the_file_that_ships(
    trained: RetrainRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, bytes] = {}

    def measure(networks: dict[str, bytes], *_: Any, **__: Any) -> TimedNetworks:
        seen.update(networks)
        return FakeClock({})(networks)

    monkeypatch.setattr(certify, "measure_networks", measure)
    shipped = exported_file(FOUND, seed=1)
    (trained.folder.path / "model.onnx").write_bytes(shipped)
    record(trained, "random 1", "random", 0.5)
    replace(trained, others=(RANDOM,)).run()
    assert seen == {"searched": shipped, "random 1": network_bytes(FOUND)}


@pytest.mark.parametrize(("clip_norm", "is_proposed"), [(None, True), (5.0, True), (1.0, False)])
def test_lost_weights_are_told_with_their_training_and_what_was_not_tried_yet(
    clip_norm: float | None, is_proposed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*arguments: Any, **options: Any) -> None:
        check_loss(float("nan"), 3, 0.1)

    monkeypatch.setattr(retrain, "train_network", lose)
    run = begun(tmp_path / "run", (RANDOM,), seeds=2)
    run = replace(run, recipe=run.recipe.changed(clip_norm=clip_norm))
    with pytest.raises(LostWeightsError) as lost:
        run.run()
    assert lost.value.received.endswith("in the training of searched with seed 0")
    assert not list((run.folder.path / "retrained").glob("*")), "no file could be made of it"
    assert "--learning_rate above 0 and below 0.1" in lost.value.fix
    assert "--restart" in lost.value.fix
    assert ("--clip_norm 1" in lost.value.fix) == is_proposed


def losing(monkeypatch: pytest.MonkeyPatch, *lost: tuple[str, int]) -> MadeUpTrainings:
    """Made-up trainings, of which some networks lose their weights with some seeds."""
    made_up = MadeUpTrainings(lost=set(lost))
    monkeypatch.setattr(retrain, "train_network", made_up.train)
    monkeypatch.setattr(RetrainRun, "_export", lambda *arguments: made_up.export(*arguments))
    return made_up


def test_a_training_that_is_lost_is_a_failure_that_counts_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found, random = arch_text.to_text(FOUND), RANDOM.text
    made_up = losing(monkeypatch, (found, 1), (random, 0), (random, 2))
    run = begun(tmp_path / "run", (RANDOM,), seeds=4, goal_top1=0.5)
    certificate = run.run()
    assert len(made_up.begun) == 8
    assert certificate.trainings is not None and certificate.trainings.seeds == (0, 2, 3)
    success = certificate.success
    assert success is not None and (success.reached, success.trainings) == (3, 4)
    assert certificate.lost_trainings == 1
    beside = run.folder.read(Baselines).networks[1]
    assert beside.trainings is not None and beside.trainings.seeds == (1, 3)
    assert beside.success is not None and beside.success.reached == 2
    lost = [w for w in certificate.warnings if "were lost" in w]
    assert [text.split(":")[0] for text in lost] == [
        "The weights of searched were lost with seed 1",
        "The weights of random 1 were lost with seed 0",
        "The weights of random 1 were lost with seed 2",
    ]
    assert "nan at step 3" in lost[0]
    text = " ".join(capsys.readouterr().out.split())
    assert "searched, seed 1: its weights were lost" in text and "in 3 of 4 trainings" in text
    # What is lost is over: going on trains nothing, and all is forgotten by --restart alone.
    assert run.is_trained
    run.run()
    assert len(made_up.begun) == 8
    training_config(run.folder, run_config(Goal(target=0.7)), SMOKE, {"restart": True})
    assert not run.lost and not run.is_trained


def test_a_network_that_lost_all_trainings_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing(monkeypatch, (RANDOM.text, 0))
    run = begun(tmp_path / "run", (RANDOM,))
    certificate = run.run()
    assert certificate.top1 is not None and certificate.random == ()
    (warning,) = certificate.warnings
    assert warning.startswith("The weights of random 1 were lost with seed 0")


def test_one_run_of_many_writes_its_loss_down_and_alone_it_ends_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up = losing(monkeypatch, (arch_text.to_text(FOUND), 0))
    run = replace(begun(tmp_path / "run", (RANDOM,), seeds=2), others_go_on=True)
    assert run.train() == run.train() == [] and run.is_trained
    assert made_up.begun == [(arch_text.to_text(FOUND), 0)], "nothing is certified beside it"
    with pytest.raises(LostWeightsError, match=r"(?s)nan at step 3.*--restart") as lost:
        replace(run, others_go_on=False).train()
    assert lost.value.received.endswith("in the training of searched with seed 0")
    training_config(run.folder, run_config(Goal(target=0.7)), SMOKE, {"restart": True})
    assert run.loss is None and not run.is_trained


def test_more_seeds_are_proposed_beyond_those_that_were_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = arch_text.to_text(FOUND)
    losing(monkeypatch, (found, 1), (found, 2))
    run = begun(tmp_path / "run", seeds=3)
    command = MoreSeeds(run.folder.path).command_after(run.run())
    assert command.endswith("--seeds 5"), "fewer than 4 would train nothing"


def test_restarting_removes_trainings_and_nothing_else(trained: RetrainRun) -> None:
    record(trained, "random 1", "random", 0.5)
    replace(trained, others=(RANDOM,)).run()
    assert trained.folder.has(Baselines)
    trained.folder.checkpoint("retrain_searched").write_bytes(b"")
    trained.folder.checkpoint("search").write_bytes(b"")
    training_config(trained.folder, run_config(Goal(target=0.7)), SMOKE, {"restart": True})
    assert not list((trained.folder.path / "retrained").glob("*.json"))
    assert not trained.folder.checkpoint("retrain_searched").exists()
    assert not trained.folder.has(Baselines), "they would stand beside another recipe's network"
    assert trained.folder.checkpoint("search").exists()
    assert json.loads((trained.folder.path / "certificate.json").read_text())["top1"] == 0.6
