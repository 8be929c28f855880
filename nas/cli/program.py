"""Flags of `nas.py` and `main.py`, and their exit codes: 0, 2, 4, 5, 130, 141, 143."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from absl import flags

from latency import shell
from latency.cli.exit_codes import EXIT_DONE
from latency.command_line import join, with_flags
from nas.architecture.references.named import NAMES
from nas.cli import executor_flags, metric_flags, recipe_flags, trial_flags
from nas.cli import flags as strict_flags
from nas.cli.exit_codes import EXIT_TEXT
from nas.cli.show_flags import TAKES_WORDS, define_show_flags
from nas.cost.constraints import Bounds
from nas.cost.units import BOPS, UNITS, WEIGHT_BITS
from nas.deployment.formats import EXPORT_FORMATS
from nas.methods.config import EXECUTIONS, GATES, METHODS
from nas.runs.trials import TRIAL_METHODS
from nas.search_space.knob_spaces import KNOB_SPACES
from nas.search_space.named import SPACES
from nas.system import backend
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.program import command_line, command_words
from nas.system.user_files import function_called

SEARCH_INTRO = f"""
{{}} --lambda 0.1: search a network that is accurate and fast on this device.
{EXIT_TEXT}
"""
RETRAIN_INTRO = f"""
{{}}: train a found network, export it to ONNX, measure and certify it.
{EXIT_TEXT}
"""


def search_flags() -> flags.FlagValues:
    """Flags of nas.py."""
    values = flags.FlagValues()
    text: dict[str, Any] = {"flag_values": values}
    strict_flags.define_common(values)
    flags.DEFINE_string(
        "lambda",
        None,
        "Weight of ln(milliseconds) in the loss, or of what --quantity names; several (0,0.02,0.1) "
        "sweep.",
        **text,
    )
    flags.DEFINE_enum(
        "quantity",
        None,
        [unit.name for unit in UNITS.values()],
        "What --lambda is the price of; default: ms.",
        **text,
    )
    flags.DEFINE_string(
        "target_ms",
        None,
        "Milliseconds to land on, or a part of the space's range (25%); several sweep.",
        **text,
    )
    for unit in (BOPS, WEIGHT_BITS):
        flags.DEFINE_string(
            unit.flag,
            None,
            f"{unit.text} to land on instead, or a part of the range; needs no latency table.",
            **text,
        )
    for bound in fields(Bounds):
        strict_flags.define_count(values, bound.name, bound.metadata["help"])
    flags.DEFINE_bool(
        "profile",
        False,
        "Print the ranges of the space, and whether bounds and target can be kept, and stop.",
        **text,
    )
    methods = list(dict.fromkeys((*METHODS, *TRIAL_METHODS)))
    flags.DEFINE_enum("method", "gradient", methods, "How to search.", **text)
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
    flags.DEFINE_string(
        "space",
        None,
        f"{', '.join(SPACES)}, trigger; around:NETWORK, with a name of main.py --network; by "
        f"trials also {', '.join(KNOB_SPACES)}; or a Python file.",
        **text,
    )
    flags.DEFINE_string(
        "bits",
        None,
        "Bits that blocks choose from, for weights and for what they read: 8,4; 1 to 8, or 32.",
        **text,
    )
    flags.DEFINE_integer(
        "end_bits",
        None,
        "Bits of the first convolution, the head and the classifier beside --bits; default: 8.",
        **text,
    )
    flags.DEFINE_string("run_dir", None, "Run folder; default: a new one below runs/.", **text)
    flags.DEFINE_bool("resume", False, "Go on with --run_dir.", **text)
    flags.DEFINE_string("table", None, "Latency table file; default: this host's cache.", **text)
    flags.DEFINE_string("device", None, "The --table is of this other device.", **text)
    flags.DEFINE_string(
        "latency_device",
        None,
        "Measure the table on this device, a resource device:NAME of a node of --executor ray.",
        **text,
    )
    flags.DEFINE_float("search_epochs", None, "Passes over the images in the search.", **text)
    flags.DEFINE_integer("batch_size", None, "Images a step.", lower_bound=2, **text)
    flags.DEFINE_float("learning_rate", None, "Peak learning rate of the weights.", **text)
    flags.DEFINE_bool(
        "flip", None, "Mirror images at random; default: yes, but not for the sample.", **text
    )
    flags.DEFINE_float("gate_learning_rate", None, "Adam's rate for the gates.", **text)
    flags.DEFINE_integer(
        "random_networks", None, "Random networks of equal ms to compare.", lower_bound=0, **text
    )
    trial_flags.define(values)
    metric_flags.define_signal(values)
    return values


def retrain_flags() -> flags.FlagValues:
    """Flags of main.py."""
    values = flags.FlagValues()
    text: dict[str, Any] = {"flag_values": values}
    strict_flags.define_common(values)
    flags.DEFINE_string("run", None, "Run folder of nas.py; default: the newest.", **text)
    flags.DEFINE_string("arch", None, "Architecture file or string instead of a run.", **text)
    flags.DEFINE_string(
        "network",
        None,
        "Network instead of a run: a name, with a width as in mobilenetv2_x0.5 "
        f"({', '.join(NAMES)}); a Keras file; or what --arch takes.",
        **text,
    )
    flags.DEFINE_string("run_dir", None, "Run folder for --arch, --network or --compare.", **text)
    define_show_flags(values)
    flags.DEFINE_bool(
        "baselines",
        None,
        "Train the largest, a uniform and random networks too; if left out, yes for embedded "
        "samples and with --smoke, no for your own images.",
        **text,
    )
    flags.DEFINE_bool(
        "largest", True, "The largest network among the baselines, often the dearest.", **text
    )
    flags.DEFINE_bool(
        "inherit",
        False,
        "Start from the supernet's weights instead of random ones; a sweep's networks do, by the "
        "recipe `short`, unless --noinherit is written.",
        **text,
    )
    strict_flags.define_count(
        values,
        "networks",
        "With the --run of a sweep: different networks to train; those beyond the goals' lie "
        "between them.",
    )
    strict_flags.define_count(
        values,
        "seeds",
        "Trainings of each network, with --seed and those that follow; default: 1. Two or more "
        "tell the spread, and whether the search paid. The first is exported.",
    )
    flags.DEFINE_string(
        "export",
        None,
        "Further files beside model.onnx, such as int8,litert: "
        f"{', '.join(EXPORT_FORMATS.names)}. A trained run trains nothing anew for them.",
        **text,
    )
    flags.DEFINE_enum(
        "int8_blocks",
        None,
        ["auto"],
        "Choose which blocks run as int8, by their milliseconds here and by accuracy on training "
        "images; adds --export int8,int8_blocks to compare them.",
        **text,
    )
    strict_flags.define_count(
        values,
        "calibration_images",
        "Training images that --export int8 is calibrated on; default: 200.",
    )
    flags.DEFINE_float(
        "goal_top1",
        None,
        "Share of the evaluation images, such as 0.94, of which it is told how many of the "
        "--seeds trainings reach it.",
        **text,
    )
    metric_flags.define(values)
    flags.DEFINE_bool(
        "find_learning_rate",
        False,
        "Try rising learning rates on the network and stop: a picture and a suggestion.",
        **text,
    )
    flags.DEFINE_bool("restart", False, "Forget an earlier training of the run.", **text)
    executor_flags.define(values)
    recipe_flags.define(values)
    return values


def run_search(argv: Sequence[str]) -> int:
    """`nas.py`, and `stopwatch search`.

    Args:
        argv: With the program's name first.

    Returns:
        The exit code.
    """
    from nas.cli.search import search

    return _run(search_flags(), argv, SEARCH_INTRO, search, "search")


def run_retrain(argv: Sequence[str]) -> int:
    """`main.py`, and `stopwatch retrain`.

    Args:
        argv: With the program's name first.

    Returns:
        The exit code.
    """
    from nas.cli.retrain import retrain

    return _run(retrain_flags(), argv, RETRAIN_INTRO, retrain, "retrain")


def _run(
    values: flags.FlagValues,
    argv: Sequence[str],
    intro: str,
    work: Callable[[flags.FlagValues, str, Interrupter, Callable[[Path], None]], int],
    verb: str,
) -> int:
    """Reads the flags and runs a verb in the one shell of all programs.

    Args:
        values: Flags of the verb.
        argv: With the program's name first.
        intro: Before the flags in --help; `{}` is the command.
        work: From flags, command, interrupter, and who is told the run's folder, to the exit code.
        verb: `search` or `retrain`.
    """
    backend.set_environment()
    folders: list[Path] = []

    def main() -> int:
        takes_words = [name for name in TAKES_WORDS if name in values]
        strict_flags.parse(values, argv, takes_words)
        if values["help"].value:
            text = strict_flags.help_text(values, intro.format(command_line(verb)), out.width)
            out.print(text, markup=False)
            return EXIT_DONE
        command = join([*command_words(verb), *argv[1:]])
        with (
            recipe_flags.named_as_typed(values),
            function_called(),
            Interrupter().installed() as interrupter,
        ):
            return work(values, command, interrupter, folders.append)

    def how_to_resume() -> str:
        if not folders:
            return shell.NOTHING_WRITTEN
        words = go_on_words(verb, argv[1:], folders[-1], values)
        return f"The state is saved. Go on with: {join([*command_words(verb), *words])}"

    return shell.run(main, how_to_resume=how_to_resume)


def go_on_words(
    verb: str, given: Sequence[str], folder: Path, values: flags.FlagValues
) -> list[str]:
    """The arguments that go on with a run: those that were given, where they still apply.

    Args:
        verb: `search` or `retrain`.
        given: Of the command that was stopped.
        folder: Of the run.
        values: Flags of the verb.
    """
    switches = [name for name in values if values[name].boolean]
    if verb == "search":
        return with_flags(given, {"run_dir": folder, "resume": True}, switches)
    changes: dict[str, object] = {"restart": None}
    if values["compare"].value is not None:
        # The comparison's folder knows its networks and their blocks by now.
        changes |= {"compare": None, "run_dir": None, "blocks": None, "run": folder}
    elif values["arch"].value is not None or values["network"].value is not None:
        # The run has the network, its blocks and a folder of its own by now.
        gone = ("arch", "network", "run_dir", "blocks")
        changes |= {**dict.fromkeys(gone), "run": folder}
    elif values["run"].value is None:
        changes["run"] = folder
    return with_flags(given, changes, switches)
