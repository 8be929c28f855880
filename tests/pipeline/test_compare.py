"""Networks that a comparison trains itself; trainings and milliseconds are made up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nas.architecture import text as arch_text
from nas.deployment.records import Exports
from nas.errors import InputError
from nas.hardware.measurement import TimedNetworks
from nas.hardware.tables import DEPLOYED
from nas.pipeline import compare, retrain
from nas.pipeline.compare import Compared, measured_together
from nas.pipeline.deploy import Deployment
from nas.pipeline.retrain import RetrainRun
from nas.recipes.scales import SMOKE
from nas.runs.compared import ComparedNetworks
from nas.runs.config import (
    ComparisonConfig,
    GivenNetworkConfig,
    TrainingConfig,
    read_config,
)
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate, TrainedRecord
from nas.system.interrupt import Interrupter
from tests.support.made_up_trainings import KilledError, MadeUpTrainings
from tests.support.programs import run_program
from tests.support.timings import timing

SMALL, WIDER = (f"in_s32 cn_r1_k3_s2_c{width} gap fc_c12" for width in (4, 8))
WORDS = ("--smoke", "--compare", f"{SMALL},{WIDER}", "--seeds", "2", "--goal_top1", "0.535")
NAMES = ("network-1", "network-2")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Measurements, each as the names of what was measured together."""
    calls: list[list[str]] = []

    def together(files: Mapping[str, bytes], sizes: Any) -> TimedNetworks:
        calls.append(list(files))
        return TimedNetworks({name: timing(len(data) / 1e3) for name, data in files.items()})

    monkeypatch.setattr(compare, "measured_together", together)
    # Pages and pictures are tested in tests/report, files in tests/pipeline/test_deploy.py.
    monkeypatch.setattr(compare, "write_compared_page", lambda path: path)
    monkeypatch.setattr(retrain, "write_report", lambda path: None)
    monkeypatch.setattr(Deployment, "run", lambda deployment: Exports(files=()))
    return calls


def made_up(monkeypatch: pytest.MonkeyPatch, most: int = 1000) -> MadeUpTrainings:
    found = MadeUpTrainings(most)
    monkeypatch.setattr(retrain, "train_network", found.train)
    monkeypatch.setattr(RetrainRun, "_export", lambda run, *rest: found.export(run, *rest))
    return found


def test_each_network_is_trained_in_a_run_of_its_own_and_all_are_measured_together(
    tmp_path: Path, measured: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = made_up(monkeypatch)
    done = run_program("main.py", *WORDS, "--run_dir", str(tmp_path / "both"))
    assert done.exit_code == 0, done.err
    assert measured == [[*NAMES]], "in one session, when all are trained"
    assert trainings.begun == [(SMALL, 0), (SMALL, 1), (WIDER, 0), (WIDER, 1)]
    for place, (name, text) in enumerate(zip(NAMES, (SMALL, WIDER), strict=True), start=1):
        assert f"{name} ({place} of 2): {text}" in done.out
    folder = RunFolder(tmp_path / "both")
    found, config = folder.read(ComparedNetworks), read_config(folder.path)
    assert isinstance(config, ComparisonConfig)
    for row, text in zip(found.networks, (SMALL, WIDER), strict=True):
        own = RunFolder(folder.path / "networks" / row.name)
        assert row.is_trained_here and row.run == f"networks/{row.name}"
        # What a made-up training reaches, and the file that it leaves.
        reached = 0.5 + len(text) / 1000
        assert row.top1 == reached and row.mean_top1 == pytest.approx(reached + 0.005)
        assert row.success is not None and (row.success.reached, row.success.trainings) == (1, 2)
        certificate, data = own.read(Certificate), (own.path / "model.onnx").read_bytes()
        assert certificate.measured_ms == row.measured_ms == len(data) / 1e3
        assert row.file_bytes == len(data)
        # A run of one network, as `main.py --network` begins it.
        given = read_config(own.path)
        assert isinstance(given, GivenNetworkConfig)
        assert (given.recipe, given.seed, given.data) == (config.recipe, config.seed, config.data)
        written = arch_text.from_json(own.read_json("architecture.json"))
        assert arch_text.to_text(written) == text
        assert own.read(TrainingConfig) == folder.read(TrainingConfig)
        assert own.read(DataRecord) == folder.read(DataRecord)
    assert f"Comparison: {folder.path} (compared.json" in done.out


def test_a_comparison_that_was_killed_trains_what_is_missing(
    tmp_path: Path, measured: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(monkeypatch, most=3)
    both = tmp_path / "both"
    with pytest.raises(KilledError):
        run_program("main.py", *WORDS, "--run_dir", str(both))
    assert not (both / "compared.json").exists() and measured == []
    config = (both / "networks" / NAMES[0] / "config.json").read_bytes()
    # A run that was killed before its network was written down.
    (both / "networks" / NAMES[1] / "architecture.json").unlink()
    rest = made_up(monkeypatch)
    done = run_program("main.py", "--run", str(both))
    assert done.exit_code == 0, done.err
    assert rest.begun == [(WIDER, 1)] and measured == [[*NAMES]]
    assert (both / "networks" / NAMES[0] / "config.json").read_bytes() == config
    second = RunFolder(both / "networks" / NAMES[1])
    assert arch_text.from_json(second.read_json("architecture.json")) == arch_text.parse(WIDER)
    assert second.has(TrainedRecord, name="searched-seed-1")
    assert len(RunFolder(both).read(ComparedNetworks).networks) == 2


def test_a_network_that_loses_its_weights_is_missing_and_the_others_are_compared(
    tmp_path: Path, measured: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = made_up(monkeypatch)
    trainings.lost = {(SMALL, 0)}
    both = tmp_path / "both"
    done = run_program("main.py", *WORDS, "--run_dir", str(both))
    assert done.exit_code == 4, done.err
    assert trainings.begun == [(SMALL, 0), (WIDER, 0), (WIDER, 1)]
    assert measured == [[NAMES[1]]]
    found = RunFolder(both).read(ComparedNetworks)
    assert [row.name for row in found.networks] == [NAMES[1]]
    assert found.warnings[0].startswith(f"{NAMES[0]} is missing") and "nan" in found.warnings[0]
    trainings.lost = {(SMALL, 0), (WIDER, 0)}
    done = run_program("main.py", "--run", str(both), "--restart", "--learning_rate", "0.01")
    assert done.exit_code == 2 and "in the training of network-1 with seed 0" in done.err
    assert not RunFolder(both).has(ComparedNetworks)


def test_what_is_not_trained_needs_a_recipe_and_images(
    tmp_path: Path, measured: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(monkeypatch, most=0)
    with pytest.raises(KilledError):
        run_program("main.py", *WORDS, "--run_dir", str(tmp_path / "both"))
    config = read_config(tmp_path / "both")
    assert isinstance(config, ComparisonConfig)
    found = Compared(RunFolder(tmp_path / "both"), config, None, None, Interrupter())
    with pytest.raises(InputError) as caught:
        found.run()
    error = caught.value
    assert (error.expected, error.received) == ("a recipe and images", "none")
    assert error.fix == "begin the comparison again"


def test_networks_are_measured_by_the_plans_of_a_certificate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Any, ...]] = []
    found = TimedNetworks({"a": timing(1.0)})

    def measure(*arguments: Any, progress: Any) -> TimedNetworks:
        asked.append(arguments)
        progress(1, 2, 30.0)
        return found

    monkeypatch.setattr(compare, "measure_networks", measure)
    assert measured_together({"a": b"file"}, SMOKE) == found
    plans = SMOKE.measuring
    assert asked == [({"a": b"file"}, DEPLOYED, plans.certificate, plans.certificate_rule)]
    told = capsys.readouterr().err
    assert "Measuring all networks together" in told and "30 s left at most" in told
