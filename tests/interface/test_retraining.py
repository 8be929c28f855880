"""A retraining up to its training: what is handed over to that, and what is refused."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latency.device.host import current_host
from nas.architecture import text as arch_text
from nas.cli import flags as strict_flags
from nas.cli.program import retrain_flags
from nas.data import Dataset, Split
from nas.deployment.formats import AskedExports
from nas.errors import InputError
from nas.hardware.measurement import KnownNetworks
from nas.interface import retraining
from nas.interface.asked_retraining import AskedRetraining
from nas.interface.retraining import run_retraining
from nas.interface.training_parts import architecture_of
from nas.pipeline.table import TABLE_FILE
from nas.report.seeds import MoreSeeds
from nas.runs.config import TrainingConfig
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.outcome import Outcome
from nas.runs.sweep import Pareto
from nas.selection.goals import Goal
from nas.system.backend import Compute
from nas.system.interrupt import Interrupter
from tests.support import report_run
from tests.support.run_config import run_config

NETWORK = arch_text.parse("in_s64 cn_r1_k3_s2_c8 ir_r1_k3_s1_e3_c8 gap fc_c2")
GOALS = (Goal(penalty=0.1), Goal(penalty=0.3))
LABELS = [goal.label for goal in GOALS]
EXPORTS = 17  # index among the arguments of a training
VERSION_4 = {"schema_version": 4}


@dataclass
class Trainings:
    """What trainings were begun with, and what they answer.

    Args:
        outcomes: Name of a run folder -> what it came to; others were asked for nothing.
        begun: Arguments of each training.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    begun: list[tuple[Any, ...]] = field(default_factory=list)

    def begin(self, *arguments: Any, **options: Any) -> SimpleNamespace:
        """Stands in for `RetrainRun`."""
        self.begun.append(arguments)
        outcome = self.outcomes.get(arguments[0].path.name, Outcome.NOT_ASKED)
        return SimpleNamespace(run=lambda: SimpleNamespace(outcome=outcome))

    @property
    def folders(self) -> list[Path]:
        return [arguments[0].path for arguments in self.begun]


@pytest.fixture
def dataset() -> Dataset:
    """As many classes and the same fingerprint as the made-up runs have."""
    split = Split(np.zeros((2, 64, 64, 3), np.uint8), np.array([0, 1], np.int32))
    data = report_run.DATA
    return Dataset(data.name, split, split, data.class_names, 64, data.fingerprint, False)


@pytest.fixture
def trainings(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Trainings:
    found = Trainings()
    monkeypatch.setattr(retraining, "load_data", lambda *arguments: dataset)
    monkeypatch.setattr("nas.system.backend.start", lambda *arguments: None)
    monkeypatch.setattr(retraining, "check_trains", lambda *arguments: None)
    module = SimpleNamespace(RetrainRun=found.begin)
    monkeypatch.setitem(sys.modules, "nas.pipeline.retrain", module)
    return found


@pytest.fixture
def run(tmp_path: Path, dataset: Dataset) -> RunFolder:
    return made_run(tmp_path / "run", dataset)


def made_run(path: Path, dataset: Dataset, error: float = 0.008) -> RunFolder:
    """A finished search on these images."""
    folder = RunFolder(report_run.make_run(path, error=error))
    folder.write(DataRecord.of(dataset))
    return folder


@pytest.fixture
def sweep(tmp_path: Path, dataset: Dataset) -> RunFolder:
    """A sweep of two finished searches, whose front is not drawn yet."""
    folder = RunFolder.create(tmp_path / "sweep", run_config(*GOALS), "test")
    for label, error in zip(LABELS, (0.0, 0.1), strict=True):
        made_run(folder.path / label, dataset, error=error)
    return folder


def retrain(asked: AskedRetraining, run_dir: Path | None = None) -> tuple[Outcome, list[Path]]:
    """What it came to, and the folders that were told."""
    told: list[Path] = []
    _, outcome = run_retraining(asked, run_dir, Interrupter(), told.append)
    return outcome, told


def of_run(folder: RunFolder, **options: Any) -> AskedRetraining:
    return AskedRetraining({"run": str(folder.path), **options}, run=folder.path)


def of_network(**options: Any) -> AskedRetraining:
    return AskedRetraining({"arch": "given", **options}, architecture=NETWORK)


@pytest.mark.parametrize("seeds", [0, -2, 1.5, True])
def test_a_wrong_number_of_seeds_is_refused_before_any_work(
    seeds: Any, run: RunFolder, trainings: Trainings
) -> None:
    with pytest.raises(InputError, match="--seeds to be a whole number, 1 or more"):
        retrain(of_run(run, seeds=seeds))
    assert trainings.begun == []


def test_a_command_with_more_seeds_says_again_what_no_run_remembers(
    run: RunFolder, trainings: Trainings
) -> None:
    source = DataSource("files", "moved images")
    options = {"data_dir": "moved images", "smoke": True, "epochs": 2.0, "seeds": 1}
    retrain(replace(of_run(run, **options), source=source))
    words = trainings.begun[-1][13]
    assert words == ("--data_dir", "moved images", "--smoke")
    command = MoreSeeds(run.path, words).command(3, "--baselines")
    assert command.endswith("--data_dir 'moved images' --smoke --baselines --seeds 3")
    given = shlex.split(command)[2:]
    values = retrain_flags()
    strict_flags.parse(values, ["main.py", *given])
    assert values["data_dir"].value == "moved images" and values["seeds"].value == 3
    retrain(of_run(run, data_dir=trainings.begun[-1][2], skip_bad_images=False))
    assert trainings.begun[-1][13] == (), "arrays have no word"


def test_the_newest_run_is_retrained_where_none_is_named(
    run: RunFolder, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOPWATCH_RUNS", str(run.path.parent))
    retrain(AskedRetraining())
    assert trainings.folders == [run.path]


def test_a_sweep_has_no_one_network(sweep: RunFolder) -> None:
    sweep.write(Pareto("top1", (), ()))
    with pytest.raises(InputError, match="unlike the sweep") as caught:
        architecture_of(sweep)
    assert "folders below" in caught.value.fix


def test_a_network_that_was_edited_is_told_with_its_file(run: RunFolder) -> None:
    path = run.path / "architecture.json"
    path.write_text(path.read_text("utf-8").replace("in_s64", "in_s32"), "utf-8")
    with pytest.raises(InputError) as caught:
        architecture_of(run)
    assert caught.value.received.endswith(f" in {path}")


def test_a_search_that_is_not_finished_has_no_network_yet(
    run: RunFolder, trainings: Trainings
) -> None:
    assert architecture_of(run) == report_run.CHOSEN
    (run.path / "architecture.json").unlink()
    with pytest.raises(InputError, match="a finished search") as caught:
        retrain(of_run(run))
    assert f"--run_dir {run.path} --resume" in caught.value.fix
    assert trainings.begun == []


def test_a_given_network_gets_as_many_classes_as_the_images_have(
    dataset: Dataset,
    trainings: Trainings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    retrain(of_network(), tmp_path / "new")
    network = trainings.begun[0][1]
    assert network == NETWORK.with_num_classes(dataset.num_classes) != NETWORK
    said = " ".join(capsys.readouterr().out.split())
    assert "The network has 2 classes, the data 200" in said


def test_a_network_with_the_classes_of_the_images_stays_as_it_is(
    run: RunFolder, trainings: Trainings, capsys: pytest.CaptureFixture[str]
) -> None:
    retrain(of_run(run))
    assert trainings.begun[0][1] == report_run.CHOSEN
    assert "last layer" not in capsys.readouterr().out


def changed(dataset: Dataset, **changes: Any) -> Dataset:
    return replace(dataset, **changes)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a", "b"), "no class n00000000, n00000001, n00000002, n00000003, n00000004 and 195 more"),
        (("a", "b"), "a new class a, b"),
    ],
)
def test_a_run_refuses_images_of_other_classes_and_names_them(
    names: tuple[str, ...],
    said: str,
    run: RunFolder,
    dataset: Dataset,
    trainings: Trainings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Even with the same fingerprint: these classes are others.
    monkeypatch.setattr(retraining, "load_data", lambda *_: changed(dataset, class_names=names))
    with pytest.raises(InputError, match="the images that the run began with") as caught:
        retrain(of_run(run, data_dir="/other"))
    assert said in caught.value.received and trainings.begun == []


def test_a_run_without_a_record_of_its_images_needs_as_many_classes_as_its_network(
    run: RunFolder, dataset: Dataset, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run.path / "data.json").unlink()
    three = changed(dataset, class_names=("a", "b", "c"))
    monkeypatch.setattr(retraining, "load_data", lambda *_: three)
    with pytest.raises(InputError, match="images of 200 classes") as caught:
        retrain(of_run(run))
    assert "3 classes" in caught.value.received and trainings.begun == []


def test_images_that_a_network_does_not_take_are_refused_and_leave_no_folder(
    dataset: Dataset, trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "load_data", lambda *_: changed(dataset, image_size=48))
    with pytest.raises(InputError, match="images of 64 px") as caught:
        retrain(of_network(), tmp_path / "new")
    assert "48 px" in caught.value.received and "in_s48" in caught.value.fix
    assert trainings.begun == [] and not (tmp_path / "new").exists()


def test_a_backend_that_does_not_start_is_told_before_images_are_read(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(compute: Compute, image_size: int) -> None:
        raise InputError("a backend", "none", "install one")

    def read(*arguments: Any) -> None:
        raise AssertionError("images were read")

    monkeypatch.setattr("nas.system.backend.start", start)
    monkeypatch.setattr(retraining, "load_data", read)
    with pytest.raises(InputError, match="a backend"):
        retrain(of_network(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def _unusable(*arguments: Any) -> Dataset:
    raise InputError("images", "none", "give others")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("in_s64 cn_k3_s2_c8 gap", "ends in a dense layer"),
        ("in_s64 cn_k3_s2_c8 gap gap fc_c2", "gap"),
        ("in_s64 cn_k3_s1_c8 res[cn_k3_s2_c8] gap fc_c2", "res"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_before_images_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setattr(retraining, "load_data", _unusable)
    with pytest.raises(InputError, match=message):
        retrain(AskedRetraining(architecture=arch_text.parse(text)), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_images_that_cannot_be_used_leave_no_folder_of_a_given_network(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "load_data", _unusable)
    with pytest.raises(InputError, match="images"):
        retrain(of_network(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_images_that_cannot_be_used_leave_a_run_as_it_was(
    run: RunFolder, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "load_data", _unusable)
    before = _contents(run.path)
    with pytest.raises(InputError, match="images"):
        retrain(of_run(run))
    after = _contents(run.path)
    assert {name: after.get(name) for name in before} == before


def _contents(folder: Path) -> Mapping[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_training_that_has_begun_is_kept_when_an_error_ends_it(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: RunFolder, *arguments: Any, **options: Any) -> None:
        folder.checkpoint("retrain_searched").write_bytes(b"steps")
        raise InputError("a quiet machine", "a busy one", "try again")

    module = SimpleNamespace(RetrainRun=fail)
    monkeypatch.setitem(sys.modules, "nas.pipeline.retrain", module)
    with pytest.raises(InputError, match="quiet"):
        retrain(of_network(), tmp_path / "new")
    assert RunFolder.open(tmp_path / "new").checkpoint("retrain_searched").is_file()


@pytest.mark.parametrize("refuses", ["check_inherits", "inherited_weights"])
def test_a_restart_forgets_nothing_where_the_supernet_gives_no_weights(
    refuses: str, run: RunFolder, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise InputError("the run that lends its supernet", "no such folder", "bring it back")

    run.write_json("retrained/searched.json", {})
    before = _contents(run.path)
    monkeypatch.setattr(retraining, "check_inherits", lambda *arguments: None)
    monkeypatch.setattr(retraining, refuses, refuse)
    with pytest.raises(InputError, match="lends its supernet"):
        retrain(of_run(run, restart=True, inherit=True))
    after = _contents(run.path)
    assert {name: after.get(name) for name in before} == before
    assert trainings.begun == []


def test_a_training_goes_on_with_the_files_that_it_was_asked_for(
    run: RunFolder, trainings: Trainings, dataset: Dataset
) -> None:
    def begin(**options: Any) -> None:
        retrain(replace(of_run(run, **options), dataset=dataset))

    asked = AskedExports(("fp32", "int8"), 2)
    begin(export="int8", calibration_images=2)
    begin(seed=1)  # nothing is trained yet, so that this is another training
    run.checkpoint("retrain_searched").write_bytes(b"steps")
    begin()
    assert [arguments[EXPORTS] for arguments in trainings.begun] == [asked] * 3
    begin(restart=True)
    assert trainings.begun[-1][EXPORTS] == AskedExports()
    # A record of an earlier version says nothing of files.
    recipe = run.path / TrainingConfig.FILE
    values = json.loads(recipe.read_text())
    recipe.write_text(json.dumps({n: v for n, v in values.items() if n != "exports"} | VERSION_4))
    assert run.read(TrainingConfig).exports == AskedExports()


def _known(trainings: Trainings) -> KnownNetworks | None:
    known = trainings.begun[-1][10]
    assert known is None or isinstance(known, KnownNetworks)
    return known


def test_networks_of_this_machine_s_table_are_known(run: RunFolder, trainings: Trainings) -> None:
    table = replace(report_run.report_table(), host=current_host())
    table.save(run.path / TABLE_FILE)
    retrain(of_run(run))
    known = _known(trainings)
    assert known is not None
    measured_ms = {network.measurement.latency_ms for network in table.networks.values()}
    assert known.known_ms and set(known.known_ms.values()) <= measured_ms
    # What builds the table again is the run's own space, size and classes.
    assert "--space tiny" in known.build_command
    assert "--image_size=64 --num_classes=200" in known.build_command


def test_a_table_of_another_machine_or_none_tells_nothing(
    run: RunFolder, trainings: Trainings
) -> None:
    here = current_host()
    other = replace(report_run.report_table(), host=replace(here, cpu_model="another"))
    other.save(run.path / TABLE_FILE)
    retrain(of_run(run))
    assert _known(trainings) is None
    (run.path / TABLE_FILE).unlink()
    retrain(of_run(run))
    assert _known(trainings) is None


def test_a_run_of_toy_size_watches_no_known_networks(run: RunFolder, trainings: Trainings) -> None:
    table = replace(report_run.report_table(), host=current_host())
    table.save(run.path / TABLE_FILE)
    retrain(of_run(run, smoke=True))
    assert _known(trainings) is None


def test_the_largest_network_is_trained_only_beside_the_other_baselines(
    run: RunFolder, trainings: Trainings
) -> None:
    # A run on one's own images trains no baselines unless they are asked for.
    with pytest.raises(InputError, match="--baselines with --largest") as caught:
        retrain(of_run(run, largest=True))
    assert caught.value.fix == "write both"
    assert trainings.begun == []
