"""Searching and retraining from Python."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas
from nas.cli import flags as strict_flags
from nas.cli.program import retrain_flags, search_flags
from nas.cli.retrain import asked_retraining
from nas.cli.search import asked_search
from nas.cost.counts import architecture_cost
from nas.data import Dataset, from_arrays
from nas.errors import InputError
from nas.interface import api
from nas.interface.asked import source_of
from nas.interface.options import RetrainOptions, SearchOptions, TrialOptions
from nas.interface.rules import OF_TRIALS
from nas.interface.trials_config import SHARED
from tests.support.programs import ROOT
from tests.support.toy import IMAGE_SIZE, SAMPLE_CLASSES

# Options that there are not.
MISTYPED: dict[str, Any] = {
    "search": {"raec": 3},
    "retrain": {"epoch": 3},
    "tune": {"worker": 3},
}
NETWORK = "in_s32 cn_r1_k3_s2_c8 ir_r1_k3_s1_e3_c8 gap fc_c12"


@pytest.fixture(scope="module")
def images() -> Dataset:
    """A few images of as many classes as the toy table is for."""
    rng = np.random.default_rng(0)
    labels = np.arange(6 * SAMPLE_CLASSES) % SAMPLE_CLASSES
    pixels = rng.integers(0, 256, (len(labels), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    return from_arrays(pixels, labels, pixels[:24], labels[:24])


def test_importing_the_package_starts_nothing() -> None:
    code = (
        "import sys, nas; nas.search; nas.retrain; nas.compare; nas.tune; nas.Run; "
        "nas.build_model; nas.count('"
        + NETWORK
        + "'); print({'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_no_folder_takes_the_name_of_a_public_function() -> None:
    """`import nas.x.y` puts the folder x before a function x of the package."""
    package = Path(nas.__file__).parent
    taken = {path.stem for path in package.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert not taken & set(nas.__all__)


def test_every_public_name_is_there() -> None:
    assert set(nas.__all__) <= set(dir(nas))
    for name in nas.__all__:
        assert getattr(nas, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = nas.serach


@pytest.mark.parametrize("named", ["a/b.onnx", Path("a/b.onnx")])
def test_a_teacher_is_a_path_however_it_is_written(named: str | Path) -> None:
    with pytest.raises(InputError, match="a file as --teacher") as caught:
        nas.retrain("in_s32 cn_r1_k3_s2_c8 gap fc_c12", teacher=named, smoke=True)
    assert "a/b.onnx" in caught.value.received


def test_options_are_the_flags_of_the_programs() -> None:
    elsewhere = {"lambda", "target_ms", "space", "run_dir", "resume", "data_dir", "help", "h"}
    elsewhere |= {"profile"}  # a function of its own
    # It begins no run, but a process that trains for one.
    elsewhere |= {"process_id"}
    # Arguments of nas.tune.
    elsewhere_of_trials = elsewhere | {"method", "max_trials", "objectives", "network"}
    of_trials = {*OF_TRIALS, *SHARED}
    assert set(SearchOptions.__annotations__) == set(search_flags()) - elsewhere - {*OF_TRIALS}
    assert set(TrialOptions.__annotations__) == of_trials - elsewhere_of_trials
    assert of_trials <= set(search_flags())
    showing = {"summary", "csv", "curves", "predict", "int8", "compare"}
    # An argument of its own: nothing but the networks of a sweep can be so many.
    elsewhere = {"run", "arch", "network", "networks", "run_dir", "data_dir", "help", "h", *showing}
    elsewhere |= {"process_id"}
    assert set(RetrainOptions.__annotations__) == set(retrain_flags()) - elsewhere


def asked_by(monkeypatch: pytest.MonkeyPatch, call: Any) -> tuple[Any, Any]:
    """What a call hands to the function that runs it."""
    found = []

    def stop(asked: Any, run_dir: Any, interrupter: Any) -> None:
        found.append((asked, run_dir))
        raise InputError("nothing to run", "a test", "none")

    monkeypatch.setattr(api, "run_search", stop)
    monkeypatch.setattr(api, "run_retraining", stop)
    monkeypatch.setattr(api, "run_trials", stop)
    with pytest.raises(InputError, match="nothing to run"):
        call()
    return found[0]


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["--lambda", "0.1"], lambda: api.search(penalty=0.1)),
        (
            ["--target_ms", "25%,1.5", "--data_dir", "x", "--space", "toy", "--seed", "3"],
            lambda: api.search("x", target_ms=["25%", 1.5], space="toy", seed=3),
        ),
        (
            ["--target_ms", "2", "--method", "evolution", "--smoke", "--race", "4"],
            lambda: api.search(target_ms=2, method="evolution", smoke=True, race=4),
        ),
        (
            ["--resume", "--run_dir", "there"],
            lambda: api.search(run_dir="there", resume=True),
        ),
    ],
)
def test_arguments_and_flags_ask_for_the_same_search(
    words: list[str], call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, _ = asked_by(monkeypatch, call)
    values = search_flags()
    strict_flags.parse(values, ["nas.py", *words])
    by_flags = asked_search(values, asked.command)
    assert (asked.goals, asked.source) == (by_flags.goals, by_flags.source)
    goals = ("lambda", "target_ms")
    rest = [{k: v for k, v in a.options.items() if k not in goals} for a in (asked, by_flags)]
    assert rest[0] == rest[1]


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (
            ["--max_trials", "9", "--objectives", "top1,ms", "--budgets", "ms<=2,top1>=0.5"],
            lambda: api.tune(
                max_trials=9, objectives=["top1", "ms"], budgets=["ms<=2", "top1>=0.5"]
            ),
        ),
        (
            ["--max_trials", "4", "--data_dir", "x", "--network", NETWORK, "--tune", "decay={1}"],
            lambda: api.tune("x", max_trials=4, network=NETWORK, tune="decay={1}"),
        ),
    ],
)
def test_arguments_and_flags_ask_for_the_same_trials(
    words: list[str], call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, _ = asked_by(monkeypatch, call)
    values = search_flags()
    strict_flags.parse(values, ["nas.py", "--method", "asha", *words])
    options = strict_flags.given(values)
    assert asked.options == options
    assert asked.source == source_of(options.get("data_dir"), options)


def test_arguments_and_flags_ask_for_the_same_retraining(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, run_dir = asked_by(
        monkeypatch, lambda: api.retrain(NETWORK, "x", run_dir="there", epochs=0.5)
    )
    values = retrain_flags()
    words = ["--arch", NETWORK, "--data_dir", "x", "--run_dir", "there", "--epochs", "0.5"]
    strict_flags.parse(values, ["main.py", *words])
    by_flags = asked_retraining(values, asked.command)
    assert run_dir == Path("there")
    assert asked.architecture == by_flags.architecture
    assert asked.source == by_flags.source
    assert set(asked.options) == set(by_flags.options)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: api.search(), InputError, "target_weight_bits or penalty"),
        (lambda: api.search(penalty=0.1, target_ms=1.0), InputError, "both"),
        (lambda: api.search(target_ms="120%"), InputError, "0% to 100%"),
        (lambda: api.search(penalty=0.1, **MISTYPED["search"]), TypeError, "'raec'"),
        (lambda: api.retrain(NETWORK, **MISTYPED["retrain"]), TypeError, "'epoch'"),
        (lambda: api.search(penalty=0.1, device="pi"), InputError, "--table with --device"),
        (lambda: api.search(resume=True), InputError, "--resume with --run_dir"),
        (lambda: api.retrain("/nowhere/at/all"), InputError, "does not exist"),
        (lambda: api.tune(), InputError, "--max_trials"),
        (lambda: api.tune(max_trials=4, objectives=("top1", "energy_mj")), InputError, "energy_mj"),
        (lambda: api.tune(max_trials=4, run_dir="x", **MISTYPED["tune"]), TypeError, "'worker'"),
        (lambda: nas.count("in_s32 xx"), InputError, "'xx'"),
    ],
)
def test_bad_arguments(call: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=".*") as caught:
        call()
    assert said in str(caught.value)


def test_counting_takes_a_network_its_text_or_a_file(tmp_path: Path) -> None:
    network = nas.read_architecture(NETWORK)
    path = tmp_path / "network.txt"
    path.write_text(NETWORK)
    assert nas.count(network) == nas.count(NETWORK) == nas.count(str(path))
    assert nas.count(network) == architecture_cost(network)


def test_a_built_model_has_as_many_weights_as_are_counted() -> None:
    model = nas.build_model(NETWORK)
    assert model.output_shape == (None, 12)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == nas.count(NETWORK).params


def test_a_run_as_an_object(toy_run: Path) -> None:
    run = nas.Run(toy_run)
    assert run.config.seed == 0 and run.runs == (run,)
    assert nas.count(run.architecture).macs > 0
    assert (run.certificate.measured_ms or 0) > 0
    assert run.history[0].step >= 1
    assert run.report.read_text("utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(InputError, match="a run folder"):
        nas.Run(toy_run / "checkpoints")


@pytest.mark.slow
def test_arrays_are_searched_and_trained_on(
    images: Dataset, toy_table: Path, tmp_path: Path
) -> None:
    run = api.search(
        images,
        target_ms="66.7%",
        space="toy",
        run_dir=tmp_path / "run",
        method="random",
        table=str(toy_table),
        random_networks=0,
        smoke=True,
    )
    assert run.path == tmp_path / "run"
    assert run.config.data.kind == "memory"
    before = (run.path / "config.json").read_bytes()
    with pytest.raises(InputError, match="handed over"):
        api.search(run_dir=run.path, resume=True)
    others = replace(images, fingerprint="1" * 16)
    with pytest.raises(InputError, match="the images that the run began with"):
        api.search(others, run_dir=run.path, resume=True)
    trained = api.retrain(run, images, baselines=False)
    assert trained == run
    assert 0 <= (trained.certificate.top1 or 0) <= 1
    assert (run.path / "model.onnx").is_file()
    assert (run.path / "config.json").read_bytes() == before
