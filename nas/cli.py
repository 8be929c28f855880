"""Flags and verbs of `nas.py` and `main.py`; exit codes 0, 2, 3, 130, 143."""

from __future__ import annotations

import errno
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
from nas.search.config import EXECUTIONS, GATES, METHODS

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
    flags.DEFINE_string(
        "lambda",
        None,
        "Weight of ln(milliseconds) in the loss; several (0,0.02,0.1) sweep.",
        **text,
    )
    flags.DEFINE_string(
        "target_ms",
        None,
        "Milliseconds to land on, or a part of the space's range (25%); several sweep.",
        **text,
    )
    strict_flags.define_count(values, "max_params", "Most trainable parameters.")
    strict_flags.define_count(values, "max_macs", "Most multiply-adds.")
    strict_flags.define_count(values, "max_size_bytes", "Most bytes of weights.")
    flags.DEFINE_enum("method", "gradient", list(METHODS), "How to search.", **text)
    flags.DEFINE_enum(
        "gate", "categorical", list(GATES), "Form of the gates of --method gradient.", **text
    )
    flags.DEFINE_string(
        "supernet", None, "Run folder whose trained supernet --method evolution uses.", **text
    )
    flags.DEFINE_integer(
        "proposals",
        None,
        "Networks that the gates propose and the supernet scores; 0: the gates alone choose.",
        lower_bound=0,
        **text,
    )
    flags.DEFINE_integer(
        "race", None, "Candidates that train alone; the winner is kept.", lower_bound=2, **text
    )
    flags.DEFINE_float("race_epochs", None, "Epochs of the race's last round.", **text)
    flags.DEFINE_enum(
        "execution", None, list(EXECUTIONS), "How weight steps run the supernet.", **text
    )
    flags.DEFINE_string("space", None, "mnasnet, tiny, tiny_se, cifar, sample or planted.", **text)
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
    flags.DEFINE_bool(
        "largest", True, "The largest network among the baselines, often the dearest.", **text
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
    from nas.search_cli import search

    return search(values, argv, interrupter, _current_run)


def _retrain(values: flags.FlagValues, argv: Sequence[str], interrupter: Interrupter) -> int:
    from nas.retrain_cli import retrain

    return retrain(values, argv, interrupter, _current_run)


if __name__ == "__main__":
    raise SystemExit(run_search(sys.argv))
