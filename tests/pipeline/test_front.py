"""The front of a sweep from its goals to its page; only trainings and milliseconds are made up."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import nas
from latency import atomic
from latency.cli.exit_codes import EXIT_DONE
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.cli.report import report
from nas.deployment.records import ExportedFile, Exports
from nas.errors import InputError
from nas.hardware.measurement import Doubt, TimedNetworks
from nas.interface import fronts, retraining
from nas.interface.asked_retraining import AskedRetraining
from nas.interface.retraining import run_retraining
from nas.methods.method import MethodInputs, Network
from nas.metrics import MetricResults, MetricValue
from nas.pipeline import front, front_networks, retrain
from nas.pipeline.inherit import check_inherits
from nas.pipeline.method_inputs import method_inputs
from nas.pipeline.metrics import MetricJudge
from nas.pipeline.retrain import RetrainRun
from nas.runs.config import TrainingConfig, read_search_config
from nas.runs.folder import RunFolder
from nas.runs.front import Front, FrontPlan, network_names
from nas.runs.measured import FileHashes
from nas.runs.outcome import Outcome
from nas.runs.records import Baselines, Certificate, ComparedNetwork, Comparison
from nas.runs.sweep import Pareto
from nas.selection.gaps import Window
from nas.system.interrupt import Interrupter
from nas.training.lost import LostWeightsError
from tests.deployment.test_timing import file, timings
from tests.support.made_up_trainings import KilledError, MadeUpTrainings
from tests.support.timings import timing
from tests.support.toy import changed_table, toy_space
from tests.support.toy_stages import toy_dataset
from tests.support.toy_sweep import ENDS, LARGEST, SMALLEST, make_sweep

GOALS = [f"{ms:g}ms" for ms in ENDS]


@dataclass
class Machine:
    """What a front's stages are given in the place of trainings, a supernet and a clock.

    Args:
        trainings: What was trained.
        sessions: Names of the networks that were timed together, a tuple for each session.
        cut: Networks whose weights were cut out of a supernet, and the folder of that.
        scored: How many networks a supernet was asked about.
        doubt: Of the table, in each session.
    """

    trainings: MadeUpTrainings = field(default_factory=MadeUpTrainings)
    sessions: list[tuple[str, ...]] = field(default_factory=list)
    cut: dict[str, str] = field(default_factory=dict)
    scored: int = 0
    doubt: Doubt | None = None

    def times(self, networks: Mapping[str, bytes], *_: Any, **__: Any) -> TimedNetworks:
        """A network takes as long as its file is large."""
        self.sessions.append(tuple(networks))
        found = {name: timing(len(data) / 1e5) for name, data in networks.items()}
        return TimedNetworks(found, self.doubt)

    def inputs(self, *arguments: Any) -> MethodInputs:
        def score(network: Network) -> float:
            self.scored += 1
            return -float(sum(network))

        return replace(method_inputs(*arguments), score=score)

    def weights(
        self, folder: RunFolder, config: Any, dataset: Any, networks: Mapping[str, Any], *_: Any
    ) -> dict[str, Any]:
        self.cut |= dict.fromkeys(networks, folder.path.name)
        return {name: {"kernel": name} for name in networks}


class NoDeployment:
    """Stands in for the stages of the exported files, which have tests of their own."""

    def __init__(self, *_: Any) -> None:
        """Takes what a deployment is made of."""

    def check(self) -> None:
        """Tries nothing."""

    def bring_up_to_date(self) -> None:
        """Writes nothing anew."""

    def run(self) -> Exports:
        """The one file that is there anyway."""
        found = ExportedFile(
            name="fp32",
            file="model.onnx",
            file_bytes=1,
            file_sha256="0" * 64,
            source_sha256=None,
            top1=0.5,
            top5=0.9,
            evaluation_images=24,
            parity=None,
        )
        return Exports(files=(found,))


@functools.cache
def table_of(path: Path) -> LatencyTable:
    """The table of all networks, which is read once."""
    return LatencyTable.load(path)


@pytest.fixture(autouse=True)
def machine(toy_table: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()

    def hashes(data: bytes) -> FileHashes:
        return FileHashes(hashlib.sha256(data).hexdigest(), "f" * 64)

    def no_picture(path: Path, labels: Sequence[str]) -> None:
        RunFolder(path).write(Pareto("top1", (), ()))

    monkeypatch.setattr(retraining, "load_data", lambda *_: toy_dataset())
    monkeypatch.setattr("nas.system.backend.start", lambda *_: None)
    monkeypatch.setattr(retrain, "train_network", lambda *a, **k: found.trainings.train(*a, **k))
    monkeypatch.setattr(RetrainRun, "_table", lambda run: table_of(toy_table))
    monkeypatch.setattr(RetrainRun, "_export", lambda *a: found.trainings.export(*a))
    monkeypatch.setattr(retrain, "Deployment", NoDeployment)
    monkeypatch.setattr("nas.system.backend.forget_models", lambda: None)
    monkeypatch.setattr(fronts, "check_late_packages", lambda: None)
    monkeypatch.setattr(retrain, "file_hashes", hashes)
    monkeypatch.setattr(retrain, "write_report", lambda path: path / "report.html")
    monkeypatch.setattr(front, "write_pareto", no_picture)
    monkeypatch.setattr(front, "measure_networks", found.times)
    monkeypatch.setattr(front, "inherited_weights", found.weights)
    monkeypatch.setattr(front_networks, "method_inputs", found.inputs)
    return found


@pytest.fixture
def sweep(tmp_path: Path, toy_table: Path) -> RunFolder:
    return make_sweep(tmp_path / "sweep", toy_table)


def train(sweep: RunFolder, **options: Any) -> Front:
    """The front after `main.py --run SWEEP`."""
    asked = AskedRetraining({"run": str(sweep.path), **options}, run=sweep.path)
    run_retraining(asked, None, Interrupter())
    return sweep.read(Front)


def names(found: Front) -> list[str]:
    return sorted(network.name for network in found.networks)


def test_all_networks_are_trained_from_the_supernets_and_timed_in_one_session(
    sweep: RunFolder, machine: Machine
) -> None:
    found = train(sweep, networks=4)
    added = ["added-1", "added-2"]
    assert names(found) == sorted([*GOALS, *added])
    assert [len(session) for session in machine.sessions] == [4]
    assert set(machine.sessions[0]) == {f"{name}/searched" for name in [*GOALS, *added]}
    assert len({text for text, _ in machine.trainings.begun}) == 4, "all are different"
    lenders = {n.name: n.supernet_of for n in sweep.read(FrontPlan).added}
    lenders |= dict(zip(GOALS, GOALS, strict=True))
    assert {name.split("/")[0]: lender for name, lender in machine.cut.items()} == lenders
    assert found.recipe.inherits
    training = RunFolder(sweep.path / "added-1").read(TrainingConfig)
    assert (training.named_recipe, training.inherits) == ("short", True)
    ms = [network.ms or 0.0 for network in found.networks]
    assert ms == sorted(ms), "fastest first"
    for network in found.networks:
        folder = RunFolder.open(sweep.path / network.name)
        certificate = folder.read(Certificate)
        assert (certificate.measured_ms, certificate.top1) == (network.measured_ms, network.top1)
        assert certificate.date == network.certificate_date
        assert (folder.path / "model.onnx").is_file()
        assert f"{network.name}/model.onnx" in (sweep.path / "front.html").read_text("utf-8")


def test_further_networks_lie_between_and_are_asked_for_no_time(
    sweep: RunFolder, toy_table: Path
) -> None:
    train(sweep, networks=4)
    first, second = sweep.read(FrontPlan).added
    least_ms, most_ms = 6 / 9, 1.0  # of the largest network's, see tests.support.toy
    largest_ms = LatencyTable.load(toy_table).predict_ms(_keys())
    shares = sorted(n.predicted / largest_ms for n in (first, second))
    assert least_ms < shares[0] < shares[1] < most_ms
    assert first.cross_entropy is not None
    certificate = RunFolder(sweep.path / first.name).read(Certificate)
    assert (certificate.asked_ms, certificate.outcome) == (None, Outcome.NOT_ASKED)
    config = read_search_config(sweep.path / first.name)
    assert config.supernet == str(sweep.path / str(first.supernet_of))


def _keys() -> Any:
    from nas.hardware.rows import architecture_row_keys

    return architecture_row_keys(toy_space().largest())


def test_more_networks_later_are_the_same_as_all_at_once(
    tmp_path: Path, toy_table: Path, machine: Machine
) -> None:
    once = make_sweep(tmp_path / "once", toy_table, method="random")
    twice = make_sweep(tmp_path / "twice", toy_table, method="random")
    train(once, networks=4)
    train(twice, networks=3)
    begun = len(machine.trainings.begun)
    train(twice, networks=4)
    assert len(machine.trainings.begun) == begun + 1, "what is trained stays"
    assert once.read(FrontPlan) == twice.read(FrontPlan)
    with pytest.raises(InputError, match="--networks 4 or more, as this front began") as caught:
        train(twice, networks=3)
    assert "--restart" in caught.value.fix
    assert len(train(twice, networks=3, restart=True).networks) == 3
    assert len(train(twice, networks=4).networks) == 4


def test_the_space_may_have_no_more_networks(
    sweep: RunFolder, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_networks, "windows", lambda *_: iter([Window(0.1, 0.1, 0.1)]))
    with pytest.raises(InputError, match="--networks of at most 2, as many as") as caught:
        train(sweep, networks=4)
    assert caught.value.received == "4"
    assert machine.trainings.begun == []


def test_a_further_network_borrows_from_its_own_sweep_wherever_that_lies(
    sweep: RunFolder, tmp_path: Path
) -> None:
    train(sweep, networks=3)
    goal = sweep.read(FrontPlan).added[0].supernet_of
    moved = RunFolder(sweep.path.rename(tmp_path / "moved"))
    folder = RunFolder(moved.path / "added-1")
    config = read_search_config(folder.path)
    assert check_inherits(folder, config).supernet == str(moved.path / str(goal))
    # A sweep that borrows itself has further networks that borrow from the same run.
    (moved.path / str(goal) / "search.json").unlink()
    with pytest.raises(InputError, match=f"at {sweep.path / str(goal)}, to lend its supernet"):
        check_inherits(folder, config)


def test_a_finished_front_is_only_shown_again(sweep: RunFolder, machine: Machine) -> None:
    found = train(sweep, networks=3)
    page = sweep.path / "front.html"
    page.unlink()
    assert train(sweep) == found
    assert page.is_file()
    assert len(machine.sessions) == 1 and len(machine.trainings.begun) == 3
    # A file that is not the certified one any more is timed again, with all others.
    (sweep.path / GOALS[0] / "model.onnx").write_bytes(b"another")
    train(sweep)
    assert len(machine.sessions) == 2


def test_a_finished_front_is_certified_anew_by_what_is_asked_beside_it(
    sweep: RunFolder, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal = RunFolder(sweep.path / GOALS[0])
    text = arch_text.to_text(toy_space().largest())
    goal.write(Comparison(networks=(ComparedNetwork("random", "random 1", text),)))
    train(sweep, networks=3)

    def sessions(**options: Any) -> int:
        train(sweep, **options)
        train(sweep, **options)  # what is told stays
        train(sweep)
        return len(machine.sessions)

    assert sessions(goal_top1=0.5) == 2 and len(machine.trainings.begun) == 3
    success = goal.read(Certificate).success
    assert success is not None and success.goal_top1 == 0.5
    assert sessions(goal_top1=0.9) == 3

    value = MetricValue("cross_entropy", 1.0, 0.9, 1.1)
    judged = MetricResults((value,), 24, None, None, None, None, 1000, 0, 0.95)
    monkeypatch.setattr(retraining, "_check_images", lambda *_: None)
    monkeypatch.setattr(MetricJudge, "check", lambda *_: None)
    monkeypatch.setattr(MetricJudge, "of", lambda *_: judged)
    monkeypatch.setattr(
        MetricJudge, "completed", lambda judge, record, key: replace(record, metrics=judged)
    )
    assert sessions(metrics="cross_entropy") == 4
    assert goal.read(Certificate).metrics == judged

    assert sessions(baselines=True) == 5 and len(machine.trainings.begun) == 4
    assert [network.name for network in goal.read(Baselines).networks] == ["searched", "random 1"]
    assert machine.sessions[-1].count(f"{GOALS[0]}/random 1") == 1


def test_what_cannot_be_told_of_int8_is_timed_again_where_it_is_asked_for(
    sweep: RunFolder, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*verdict: Any) -> None:
        files = (file("fp32", 0.5), file("int8", 0.5))
        exports = Exports(files=files, timings=timings(*verdict), advice=verdict[0])
        monkeypatch.setattr(NoDeployment, "run", lambda _: exports)

    monkeypatch.setattr(retraining, "_check_images", lambda *_: None)
    made("cannot tell", None, None, None, "busy")
    found = train(sweep, networks=3, export="int8")
    assert [network.advice for network in found.networks] == 3 * ["cannot tell"]
    for network in found.networks:
        RunFolder(sweep.path / network.name).write(file("int8", 0.5), name="int8")
    train(sweep)
    assert len(machine.sessions) == 1, "nobody asked"
    made("faster", 0.5, 0.4, 0.6)
    for _ in range(2):
        train(sweep, export="int8")
    assert len(machine.sessions) == 2


def test_a_sweep_knows_the_further_networks_of_its_front(sweep: RunFolder) -> None:
    goals = read_search_config(sweep.path).goals
    assert network_names(sweep, goals) == GOALS
    train(sweep, networks=4)
    assert network_names(sweep, goals) == [*GOALS, "added-1", "added-2"]
    # One that a later call is to add is not trained yet.
    plan = sweep.read(FrontPlan)
    sweep.write(replace(plan, added=(*plan.added, replace(plan.added[0], name="added-3"))))
    assert network_names(sweep, goals) == [*GOALS, "added-1", "added-2"]


def test_the_pages_of_a_front_are_written_again_with_all_networks(sweep: RunFolder) -> None:
    train(sweep, networks=3)
    page = sweep.path / "front.html"
    page.unlink()
    assert report([str(sweep.path)]) == EXIT_DONE
    listed = [*GOALS, "added-1"]
    assert [network.name for network in sweep.read(Pareto).networks] == listed
    assert page.is_file()
    assert all((sweep.path / name / "report.html").is_file() for name in listed)


def test_what_cannot_be_told_is_timed_again(sweep: RunFolder, machine: Machine) -> None:
    machine.doubt = Doubt("the table does not fit", "build it again")
    found = train(sweep)
    assert found.doubt == "the table does not fit"
    machine.doubt = None
    assert train(sweep).doubt is None
    assert len(machine.sessions) == 2


def test_seeds_train_round_by_round_and_can_be_raised(sweep: RunFolder, machine: Machine) -> None:
    train(sweep, networks=3, seeds=2)
    seeds = [seed for _, seed in machine.trainings.begun]
    assert seeds == [0, 0, 0, 1, 1, 1]
    found = train(sweep, seeds=3)
    assert [network.trainings.seeds for network in found.networks] == [(0, 1, 2)] * 3
    assert len(machine.trainings.begun) == 9
    with pytest.raises(InputError, match="--seeds 3 or more"):
        train(sweep, seeds=2)


def test_a_network_that_loses_its_weights_is_missing_and_the_others_are_certified(
    sweep: RunFolder, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    text = arch_text.from_json(RunFolder(sweep.path / GOALS[0]).read_json("architecture.json"))
    machine.trainings.lost = {(arch_text.to_text(text), 0)}
    found = train(sweep, networks=3, seeds=2)
    assert names(found) == sorted([GOALS[1], "added-1"])
    (lost,) = found.lost
    assert lost.name == GOALS[0] and "nan at step 3" in lost.reason
    assert replace(found, networks=()).outcome is Outcome.CANNOT_TELL, "whatever the others meet"
    assert f"{GOALS[0]} is missing" in (sweep.path / "front.html").read_text("utf-8")
    assert f"{GOALS[0]} is missing" in " ".join(capsys.readouterr().out.split())
    seeds = [seed for _, seed in machine.trainings.begun]
    assert seeds == [0, 0, 0, 1, 1], "it is not trained with further seeds"
    # Shown again nothing is trained or timed; all of it begins anew by --restart.
    assert train(sweep) == found
    assert (len(machine.trainings.begun), len(machine.sessions)) == (5, 1)
    machine.trainings.lost = set()
    anew = train(sweep, restart=True, learning_rate=0.01)
    assert len(anew.networks) == 3 and anew.lost == ()


def test_a_front_of_lost_networks_alone_is_refused(sweep: RunFolder, machine: Machine) -> None:
    texts = [
        arch_text.to_text(
            arch_text.from_json(RunFolder(sweep.path / goal).read_json("architecture.json"))
        )
        for goal in GOALS
    ]
    machine.trainings.lost = {(text, 0) for text in texts}
    with pytest.raises(LostWeightsError, match="nan at step 3"):
        train(sweep)
    assert len(machine.trainings.begun) == 2 and not sweep.has(Front)


def _figures(sweep: RunFolder) -> dict[str, Any]:
    """Contents of all files of a sweep, without dates and places."""
    found: dict[str, Any] = {}
    for path in sorted(sweep.path.rglob("*")):
        name = str(path.relative_to(sweep.path))
        if path.suffix == ".json":
            found[name] = _undated(json.loads(path.read_text("utf-8")), str(sweep.path))
        elif path.is_file() and "tfevents" not in path.name and path.name != ".lock":
            found[name] = path.read_bytes()
    return found


def _undated(value: Any, place: str) -> Any:
    if isinstance(value, dict):
        left_out = ("date", "certificate_date", "run_id")
        return {k: _undated(v, place) for k, v in value.items() if k not in left_out}
    if isinstance(value, list):
        return [_undated(one, place) for one in value]
    return value.replace(place, "SWEEP") if isinstance(value, str) else value


def test_a_front_that_is_killed_at_any_file_goes_on_to_the_same_result(
    tmp_path: Path, toy_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = make_sweep(tmp_path / "start", toy_table)
    whole = RunFolder(shutil.copytree(start.path, tmp_path / "whole" / "sweep"))
    plain = atomic.write_text
    written: list[str] = []

    def watched(path: Path, text: str) -> None:
        if len(written) == most:
            raise KilledError
        written.append(path.name)
        plain(path, text)

    monkeypatch.setattr(atomic, "write_text", watched)
    most = 1000
    train(whole, networks=3, seeds=2)
    expected, count = _figures(whole), len(written)
    # Every eleventh file, so that some of each stage are among them.
    for most in range(0, count, 11):
        written.clear()
        sweep = RunFolder(shutil.copytree(start.path, tmp_path / f"killed-{most}" / "sweep"))
        with pytest.raises(KilledError):
            train(sweep, networks=3, seeds=2)
        most = 1000
        train(sweep, networks=3, seeds=2)
        assert _figures(sweep) == expected
        shutil.rmtree(sweep.path)


def test_a_recipe_of_its_own_and_random_starts_are_used(sweep: RunFolder, machine: Machine) -> None:
    found = train(sweep, inherit=False, batch_size=7)
    assert machine.cut == {}
    assert not found.recipe.inherits
    assert (found.recipe.epochs, found.recipe.batch_size) == (0.5, 7), "the whole recipe"
    with pytest.raises(InputError, match="as this run's training began"):
        train(sweep, inherit=True)
    again = train(sweep, inherit=True, epochs=2.0, restart=True)
    assert again.recipe.inherits and again.recipe.epochs == 2.0


def test_networks_that_trained_by_other_recipes_do_not_compare(
    sweep: RunFolder, machine: Machine
) -> None:
    train(sweep)
    folder = RunFolder(sweep.path / GOALS[1])
    training = folder.read(TrainingConfig)
    folder.write(replace(training, recipe=replace(training.recipe, epochs=9.0)))
    begun = len(machine.trainings.begun)
    with pytest.raises(InputError, match="networks of one recipe") as caught:
        train(sweep)
    assert GOALS[1] in caught.value.received and "--restart" in caught.value.fix
    assert len(machine.trainings.begun) == begun


def test_a_sweep_without_supernets_starts_at_random(
    tmp_path: Path, toy_table: Path, machine: Machine
) -> None:
    sweep = make_sweep(tmp_path / "sweep", toy_table, method="random")
    found = train(sweep, networks=3)
    assert not found.recipe.inherits
    assert (machine.cut, machine.scored) == ({}, 0)
    assert sweep.read(FrontPlan).added[0].supernet_of is None


def test_two_goals_with_one_network_count_once(tmp_path: Path, toy_table: Path) -> None:
    found = {0.1: SMALLEST, 0.2: LARGEST, 0.3: LARGEST}
    sweep = make_sweep(tmp_path / "sweep", toy_table, found)
    with pytest.raises(InputError, match="--networks 2 or more") as caught:
        train(sweep, networks=1)
    assert "found 2 different networks" in caught.value.expected
    assert sweep.path.joinpath("front.html").exists() is False
    front = train(sweep, networks=3)
    assert names(front) == ["0.1ms", "0.2ms", "0.3ms", "added-1"]
    same = {network.name: network.same_as for network in front.networks}
    assert sorted(filter(None, same.values())) in (["0.2ms"], ["0.3ms"])


# What cannot be trained is refused before anything is.


def test_a_sweep_that_is_not_finished_is_refused_with_its_goals(
    sweep: RunFolder, machine: Machine
) -> None:
    (sweep.path / GOALS[1] / "certificate.json").unlink()
    with pytest.raises(InputError, match="a finished sweep") as caught:
        train(sweep)
    assert caught.value.received == f"1 of 2 goals, without {GOALS[1]}"
    assert f"--run_dir {sweep.path} --resume" in caught.value.fix
    assert machine.trainings.begun == []


def test_a_sweep_of_another_machine_is_refused_and_one_for_a_device_is_not_timed(
    sweep: RunFolder, toy_table: Path, machine: Machine
) -> None:
    host = json.loads(toy_table.read_text("utf-8"))["host"]
    table = sweep.path / "table.json"
    changed_table(toy_table, table, host={**host, "cpu_model": "Another processor"})
    with pytest.raises(InputError, match="a sweep of this machine") as caught:
        train(sweep)
    assert "Another processor" in caught.value.received
    for path in (sweep.path, *(sweep.path / name for name in GOALS)):
        config = replace(read_search_config(path), device="board")
        RunFolder(path).write(config)
    found = train(sweep, networks=3)
    assert machine.sessions == []
    assert (found.device, found.conditions) == ("board", None)
    assert [network.measured_ms for network in found.networks] == [None] * 3
    assert {n.standing for n in found.networks} <= {"front", "cannot tell"}
    assert "predicted ms of board" in (sweep.path / "front.html").read_text("utf-8")


@pytest.mark.parametrize("options", [{}, {"networks": 4}, {"networks": 4, "inherit": False}])
def test_weights_that_are_gone_are_told_before_images_are_read(
    options: dict[str, Any], sweep: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunFolder(sweep.path / GOALS[1]).checkpoint("search").unlink()
    monkeypatch.setattr(retraining, "load_data", _unread)
    with pytest.raises(InputError, match="the supernet's weights") as caught:
        train(sweep, **options)
    assert ("--networks" if options else "--noinherit") in caught.value.fix


def _unread(*_: Any) -> None:
    raise AssertionError("images were read")


def test_random_starts_need_no_weights(sweep: RunFolder) -> None:
    RunFolder(sweep.path / GOALS[1]).checkpoint("search").unlink()
    assert len(train(sweep, inherit=False).networks) == 2


def test_other_images_than_the_sweeps_are_refused(
    sweep: RunFolder, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = replace(toy_dataset(), fingerprint="1" * 16)
    monkeypatch.setattr(retraining, "load_data", lambda *_: others)
    with pytest.raises(InputError, match="the images that the run began with"):
        train(sweep, networks=3)
    assert machine.trainings.begun == [] and not sweep.has(FrontPlan)


def test_a_folder_that_is_in_the_way_is_not_touched(sweep: RunFolder) -> None:
    own = sweep.path / "added-1" / "notes.txt"
    own.parent.mkdir()
    own.write_text("mine")
    with pytest.raises(InputError, match="no added-1 in the sweep"):
        train(sweep, networks=3)
    assert own.read_text() == "mine"


def test_python_gives_a_front_whose_networks_are_runs(sweep: RunFolder) -> None:
    with pytest.raises(InputError, match="a sweep whose networks are trained"):
        nas.Front(sweep.path)
    found = nas.retrain(run=sweep.path, networks=3)
    assert isinstance(found, nas.Front)
    assert found.networks == tuple(nas.Run(sweep.path / n.name) for n in found.record.networks)
    texts = [arch_text.to_text(one.architecture) for one in found.networks]
    assert texts == [one.certificate.text for one in found.networks]
    assert found.report == sweep.path / "front.html"
    with pytest.raises(TypeError, match="one run or architecture"):
        nas.retrain(sweep.path, run=sweep.path)
