"""Every refusal that comes of a flag of `main.py` or `nas.py` names the flag as it is typed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.cli import flags as strict_flags
from nas.cli.program import retrain_flags, search_flags
from nas.cli.recipe_flags import named_as_typed
from nas.cli.retrain import retrain
from nas.cli.search import search
from nas.errors import FieldError, InputError
from nas.interface import retraining, searching
from nas.interface.recipe_options import KNOBS
from nas.ranges import check_count, check_number
from tests.support.programs import is_refusal, run_program
from tests.support.teachers import ToyTeacher

NETWORK = "in_s32 cn_r1_k3_s2_c8 cn_r1_k3_s1_c8 gap fc_c2"
# Flag -> words that are refused because of it, some as they are read, some by the record, some by
# the network or the images.
REFUSED: dict[str, list[str]] = {
    "epochs": ["--epochs", "0"],
    "batch_size": ["--batch_size", "1"],
    "optimizer": ["--optimizer", "adamww"],
    "schedule": ["--schedule", "one_cicle"],
    "learning_rate": ["--learning_rate", "0"],
    "rate_batch_size": ["--rate_batch_size", "0"],
    "momentum": ["--optimizer", "adamw", "--momentum", "0.9"],
    "weight_decay": ["--weight_decay", "-1"],
    "l2": ["--l2", "-1"],
    "clip_norm": ["--clip_norm", "0"],
    "warmup_share": ["--warmup_share", "2"],
    "loss": ["--loss", "squared_hinge"],
    "label_smoothing": ["--label_smoothing", "1"],
    "dropout": ["--dropout", "1"],
    "stochastic_depth": ["--stochastic_depth", "0.1"],
    "image_sizes": ["--image_sizes", "64"],
    "average_share": ["--average_share", "0"],
    "last_share": ["--last_share", "2"],
    "base_share": ["--schedule", "linear", "--base_share", "0.1"],
    "step_size_epochs": ["--schedule", "triangular", "--step_size_epochs", "1000"],
    "gamma": ["--schedule", "linear", "--gamma", "0.5"],
    "stair_epochs": ["--schedule", "staircase", "--stair_epochs", "0"],
    "points": ["--schedule", "piecewise_linear", "--points", "0:1,1000:1"],
    "crop_padding_pixels": ["--crop_padding_pixels", "-1"],
    "rotation_degrees": ["--rotation_degrees", "181"],
    "rand_augment_magnitude": ["--rand_augment_magnitude", "31"],
    "rand_augment_operations": ["--rand_augment_operations", "3"],
    "trivial_augment": ["--trivial_augment", "--rand_augment_magnitude", "9"],
    "blur_sigma_pixels": ["--blur_sigma_pixels", "-1"],
    "erasing_probability": ["--erasing_probability", "2"],
    "erasing_share": ["--erasing_share", "0.1:0.2"],
    "cutout_pixels": ["--cutout_pixels", "33"],
    "cutout_share": ["--cutout_share", "0.5", "--cutout_pixels", "3"],
    "mixup_alpha": ["--mixup_alpha", "0"],
    "cutmix_alpha": ["--cutmix_alpha", "0"],
    "mixing_probability": ["--mixing_probability", "0.5"],
    "teacher": ["--teacher", "TEACHER"],
    "teacher_weight": ["--teacher", "TEACHER", "--teacher_weight", "2"],
    "teacher_temperature": ["--teacher", "TEACHER", "--teacher_temperature", "0"],
    "teacher_input": ["--teacher", "TEACHER", "--teacher_input", "pixel"],
    "evaluate_every": ["--evaluate_every", "0"],
    "held_out_share": ["--evaluate_every", "0.5", "--held_out_share", "1"],
    "recipe": ["--recipe", "imagess"],
    "export": ["--export", "int9"],
    "calibration_images": ["--export", "int8", "--calibration_images", "99999"],
    "goal_top1": ["--goal_top1", "94"],
    "image_size": ["--image_size", "48"],
    "data_dir": ["--data_dir", "/nowhere"],
    "seeds": ["--seeds", "0"],
    "inherit": ["--inherit"],
    "baselines": ["--baselines"],
}


@pytest.fixture(autouse=True)
def nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(*arguments: object) -> None:
        raise AssertionError("it began")

    for module in (retraining, searching):
        monkeypatch.setattr(module, "load_data", begun)
        monkeypatch.setattr(module, "check_trains", lambda *arguments: None)
    monkeypatch.setattr("nas.system.backend.start", lambda *arguments: None)


def refusal(words: list[str]) -> InputError:
    """What `main.py` says to words that it refuses."""
    values = retrain_flags()
    with pytest.raises(InputError) as caught, named_as_typed(values):
        strict_flags.parse(values, ["main.py", *words])
        retrain(values, "", SimpleNamespace(), lambda path: None)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_flag_is_named_as_it_is_typed(name: str, tmp_path: Path) -> None:
    teacher = ToyTeacher(classes=2).write(tmp_path / "teacher.onnx")
    words = [str(teacher) if word == "TEACHER" else word for word in REFUSED[name]]
    error = refusal(["--arch", NETWORK, "--run_dir", str(tmp_path / "new"), *words])
    assert f"--{name}" in str(error)
    assert f"--{name}-" not in str(error) and f"/--{name}" not in str(error)
    assert str(teacher) in error.received or name != "teacher"
    assert "None" not in str(error), "flags write none"


# The same of `nas.py`.
SEARCH_REFUSED: dict[str, list[str]] = {
    "lambda": ["--lambda", "-1"],
    "target_ms": ["--target_ms", "0"],
    "method": ["--method", "evolutions"],
    "gate": ["--gate", "open"],
    "supernet": ["--method", "evolution", "--supernet", "/nowhere"],
    "proposals": ["--method", "random", "--proposals", "3"],
    "race": ["--race", "1"],
    "race_epochs": ["--race", "2", "--race_epochs", "0"],
    "execution": ["--execution", "fast"],
    "space": ["--space", "huge"],
    "table": ["--table", "/nowhere.json"],
    "device": ["--device", "pi"],
    "search_epochs": ["--search_epochs", "0"],
    "batch_size": ["--batch_size", "1"],
    "learning_rate": ["--learning_rate", "0"],
    "gate_learning_rate": ["--gate_learning_rate", "-1"],
    "random_networks": ["--random_networks", "-1"],
    "max_params": ["--max_params", "1"],
    "max_memory_bytes": ["--max_memory_bytes", "1"],
    "max_weight_bits": ["--max_weight_bits", "1"],
    "max_bops": ["--max_bops", "1"],
    "image_size": ["--space", "tiny", "--image_size", "32"],
    "data_dir": ["--data_dir", "/nowhere"],
    "resize": ["--resize", "crop"],
    "resume": ["--resume"],
    "seed": ["--seed", "-1"],
}


@pytest.mark.parametrize("name", SEARCH_REFUSED)
def test_a_refused_flag_of_a_search_is_named_as_it_is_typed(name: str, tmp_path: Path) -> None:
    words = SEARCH_REFUSED[name]
    target = [] if name in ("lambda", "target_ms") else ["--target_ms", "1"]
    folder = [] if name == "resume" else ["--run_dir", str(tmp_path / "new")]
    values = search_flags()
    with pytest.raises(InputError) as caught, named_as_typed(values):
        strict_flags.parse(values, ["nas.py", *target, *folder, *words])
        search(values, "", SimpleNamespace(), lambda path: None)  # type: ignore[arg-type]
    assert f"--{name}" in str(caught.value) and "None" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_every_knob_that_can_be_refused_is_here() -> None:
    assert set(KNOBS) - set(REFUSED) == {"flip"}, "any value of which is one"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FieldError("dropout to be", "dropout 2", "set dropout", "dropout"), "--dropout"),
        (InputError("cutout_pixels to be", "cutout_pixels 0", "set cutout_pixels"), None),
        (FieldError("no field", "dropout", "the dropout", "gates"), "dropout"),
    ],
)
def test_names_of_flags_alone_get_dashes(error: InputError, said: str | None) -> None:
    with pytest.raises(InputError) as caught, named_as_typed(retrain_flags()):
        raise error
    assert (said or "--cutout_pixels") in caught.value.fix
    assert caught.value.fix.count("--") == (0 if said == "dropout" else 1)


@pytest.mark.parametrize("path", ["/tmp/teacher.onnx", "teacher.onnx", "a/teacher/b", "my-teacher"])
def test_parts_of_paths_stay_as_they_are(path: str) -> None:
    with pytest.raises(InputError) as caught, named_as_typed(retrain_flags()):
        raise FieldError("a teacher", path, "correct it", "teacher")
    assert caught.value.expected == "a --teacher" and caught.value.received == path


@pytest.mark.parametrize(
    "check", [lambda: check_number("epochs", 0, above=0), lambda: check_count("epochs", 0)]
)
def test_python_names_fields_as_it_writes_them(check: Any) -> None:
    with pytest.raises(FieldError, match="Expected epochs to be a") as caught:
        check()
    again = caught.value.__reduce__()
    assert again == (FieldError, (caught.value.expected, "0", caught.value.fix, "epochs"))


def test_the_program_prints_the_flag(tmp_path: Path) -> None:
    words = ["--arch", NETWORK, "--run_dir", str(tmp_path / "new"), "--cutout_pixels", "33"]
    done = run_program("main.py", *words)
    assert done.exit_code == 2 and is_refusal(done.err)
    assert "--cutout_pixels from 1 to 32" in done.err
    assert "Fix: set --cutout_pixels to 32 or less" in done.err
