"""Flags and verbs of `nas.py` and `main.py`; exit codes 0, 2, 3, 130, 143."""

from __future__ import annotations

import datetime
import errno
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from nas import backend
from nas import flags as strict_flags
from nas.console import err, out
from nas.errors import InputError
from nas.interrupt import Interrupted, Interrupter

EXIT_MET, EXIT_BAD_INPUT, EXIT_NOT_MET = 0, 2, 3

SEARCH_INTRO = """
python nas.py --lambda 0.1: search a network that is accurate and fast on this device.
Exit codes: 0 done (and the target met), 3 target missed, 2 bad input, 130/143 stopped.
"""
RETRAIN_INTRO = """
python main.py: train a found network, export it to ONNX, measure and certify it.
Exit codes: 0 done (and the target met), 3 target missed, 2 bad input, 130/143 stopped.
"""


def search_flags() -> flags.FlagValues:
    """Flags of nas.py."""
    values = flags.FlagValues()
    text: dict[str, Any] = {"flag_values": values}
    strict_flags.define_common(values)
    flags.DEFINE_float("lambda", None, "Weight of ln(milliseconds) in the loss.", **text)
    flags.DEFINE_float("target_ms", None, "Milliseconds to land on.", **text)
    flags.DEFINE_string("space", None, "mnasnet, tiny, tiny_se, cifar or sample.", **text)
    flags.DEFINE_string("run_dir", None, "Run folder; default: a new one below runs/.", **text)
    flags.DEFINE_bool("resume", False, "Go on with --run_dir.", **text)
    flags.DEFINE_string("table", None, "Latency table file; default: this host's cache.", **text)
    flags.DEFINE_string("device", None, "The --table is of this other device.", **text)
    flags.DEFINE_float("search_epochs", None, "Passes over the images in the search.", **text)
    flags.DEFINE_float("gate_learning_rate", None, "Adam's rate for the gates.", **text)
    flags.DEFINE_integer(
        "random_networks", None, "Random networks of equal ms to compare.", lower_bound=0, **text
    )
    return values


def retrain_flags() -> flags.FlagValues:
    """Flags of main.py."""
    values = flags.FlagValues()
    text: dict[str, Any] = {"flag_values": values}
    strict_flags.define_common(values)
    flags.DEFINE_string("run", None, "Run folder of nas.py; default: the newest.", **text)
    flags.DEFINE_string("arch", None, "Architecture file or string instead of a run.", **text)
    flags.DEFINE_string("run_dir", None, "Run folder for --arch.", **text)
    flags.DEFINE_bool("summary", False, "Print the layers' params and MACs and stop.", **text)
    flags.DEFINE_bool(
        "baselines", None, "Train the largest, a uniform and random networks too.", **text
    )
    flags.DEFINE_float("epochs", None, "Passes over the training images.", **text)
    flags.DEFINE_enum("optimizer", "adamw", ["adamw", "sgd"], "Optimizer.", **text)
    flags.DEFINE_float("label_smoothing", 0.1, "Of the loss.", **text)
    flags.DEFINE_bool("restart", False, "Forget an earlier training of the run.", **text)
    return values


def run_search(argv: Sequence[str]) -> int:
    """`nas.py`."""
    values = search_flags()
    return _guarded(values, argv, SEARCH_INTRO, lambda stop: _search(values, argv, stop))


def run_retrain(argv: Sequence[str]) -> int:
    """`main.py`."""
    values = retrain_flags()
    return _guarded(values, argv, RETRAIN_INTRO, lambda stop: _retrain(values, argv, stop))


def _guarded(
    values: flags.FlagValues,
    argv: Sequence[str],
    intro: str,
    work: Callable[[Interrupter], int],
) -> int:
    """Runs a verb and turns errors and signals into messages and exit codes."""
    backend.set_environment()
    interrupter = Interrupter()
    try:
        strict_flags.parse(values, argv)
        if values["help"].value:
            out.print(strict_flags.help_text(values, intro), markup=False)
            return EXIT_MET
        with interrupter.installed():
            return work(interrupter)
    except ValueError as error:
        # Errors for users have three parts; anything else is a defect and keeps its trace.
        if not isinstance(error, InputError) and not _three_parts(str(error)):
            raise
        err.print(f"Error: {error}", markup=False, soft_wrap=True)
        return EXIT_BAD_INPUT
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        err.print(
            f"Error: Expected room on the disk.\nReceived: {error}.\n"
            "Fix: free some space and go on with --resume.",
            markup=False,
        )
        return EXIT_BAD_INPUT
    except Interrupted as stop:
        err.print(f"\nStopped ({stop}). The state is saved. {_how_to_resume(values)}", markup=False)
        return stop.exit_code


def _three_parts(text: str) -> bool:
    return all(part in text.lower() for part in ("expected", "received", "fix"))


_current_run: list[Path] = []


def _how_to_resume(values: flags.FlagValues) -> str:
    if not _current_run:
        return "Nothing had begun yet."
    if "resume" in values:
        return f"Go on with: python nas.py --run_dir {_current_run[-1]} --resume"
    return f"Go on with: python main.py --run {_current_run[-1]}"


def _search(values: flags.FlagValues, argv: Sequence[str], interrupter: Interrupter) -> int:
    from nas.inputs import load_data, space_of
    from nas.runs import RunFolder
    from nas.search_run import SearchRun

    config, folder = _search_config(values, argv)
    dataset = load_data(config)
    space = space_of(config["space"], dataset)
    config = _complete_search_config(config, values, dataset, space)
    if folder is None:
        label = f"{space.name}-" + (
            f"lambda{config['lambda']:g}"
            if config["target_ms"] is None
            else f"{config['target_ms']:g}ms"
        )
        path = values["run_dir"].value
        folder = RunFolder.create(Path(path) if path else None, config, label)
    _current_run.append(folder.path)
    out.print(f"Run folder: {folder.path}", markup=False)
    run = SearchRun(
        folder,
        space,
        dataset,
        config["search"],
        Path(config["table"]) if config["table"] else None,
        config["device"],
        config["random_networks"],
        config["smoke"],
        interrupter,
    )
    try:
        certificate = run.run()
    except ValueError:
        # A table or target that cannot be used: the run that it was meant for never began.
        if not values["resume"].value and not any((folder.path / "checkpoints").iterdir()):
            shutil.rmtree(folder.path)
        raise
    return EXIT_NOT_MET if certificate["met"] is False else EXIT_MET


def _search_config(
    values: flags.FlagValues, argv: Sequence[str]
) -> tuple[dict[str, Any], Any | None]:
    """The settings that are known before the data is read, and the folder of a resumed run."""
    from nas.runs import RunFolder

    path = values["run_dir"].value
    if values["resume"].value:
        if not path:
            raise InputError("--resume with --run_dir", "no --run_dir", "name the run's folder")
        folder = RunFolder.open(Path(path))
        config = folder.read_json("config.json")
        free = ("run_dir", "resume", "data_dir")
        written = {n: v for n, v in strict_flags.given(values).items() if n not in free}
        for name, value in written.items():
            if config["flags"].get(name) != value:
                raise InputError(
                    f"--{name} as the run began: {config['flags'].get(name)!r}",
                    repr(value),
                    "leave the flag out with --resume, or begin another run",
                )
        if values["data_dir"].value:
            config["data"]["data_dir"] = values["data_dir"].value
        return config, folder
    if path and Path(path).exists() and (not Path(path).is_dir() or any(Path(path).iterdir())):
        raise InputError(
            "a new run folder",
            f"{path}, which is there already",
            f"go on with it by `--run_dir {path} --resume`, or choose another --run_dir",
        )
    penalty, target = values["lambda"].value, values["target_ms"].value
    if (penalty is None) == (target is None):
        both = f"both: --lambda {penalty} and --target_ms {target}"
        raise InputError(
            "one of --lambda and --target_ms",
            "neither" if penalty is None else both,
            "write for example `python nas.py --lambda 0.1`",
        )
    if values["device"].value and not values["table"].value:
        raise InputError("--table with --device", "no --table", "name the device's table")
    return {
        "schema_version": 1,
        "kind": "search",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", *argv]),
        "flags": {n: v for n, v in strict_flags.given(values).items() if n != "run_dir"},
        "seed": values["seed"].value,
        "lambda": penalty,
        "target_ms": target,
        "space": values["space"].value,
        "image_size": values["image_size"].value,
        "table": values["table"].value and str(Path(values["table"].value).absolute()),
        "device": values["device"].value,
        "smoke": values["smoke"].value,
        "data": {
            "data_dir": values["data_dir"].value,
            "skip_bad_images": values["skip_bad_images"].value,
        },
    }, None


def _complete_search_config(
    config: dict[str, Any], values: flags.FlagValues, dataset: Any, space: Any
) -> dict[str, Any]:
    from nas import settings
    from nas.environment import environment
    from nas.inputs import data_record
    from nas.search.config import SearchConfig

    if "search" in config:
        return config
    sizes = settings.defaults(dataset.is_sample, config["smoke"])
    search = {
        "epochs": values["search_epochs"].value or sizes["search_epochs"],
        "batch_size": values["batch_size"].value or sizes["batch_size"],
        "penalty": config["lambda"],
        "target_ms": config["target_ms"],
        "seed": config["seed"],
        **settings.augmentation(dataset.is_sample),
        **settings.pace(config["smoke"]),
    }
    for name in ("learning_rate", "gate_learning_rate"):
        if values[name].value is not None:
            search[name] = values[name].value
    count = values["random_networks"].value
    return {
        **config,
        "space": space.name,
        "image_size": dataset.image_size,
        "num_classes": dataset.num_classes,
        "data": data_record(config, dataset),
        "search": SearchConfig(**search).to_json(),
        "random_networks": sizes["random"] if count is None else count,
        "environment": environment(),
    }


def _retrain(values: flags.FlagValues, argv: Sequence[str], interrupter: Interrupter) -> int:
    from nas.retrain_cli import retrain

    return retrain(values, argv, interrupter, _current_run)


if __name__ == "__main__":
    raise SystemExit(run_search(sys.argv))
