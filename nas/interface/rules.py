"""Which option applies beside which others: one that would say nothing is refused."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from latency.flag_rules import Options, Rule
from latency.flag_rules import check as check_rules
from nas.errors import InputError
from nas.methods.method import MethodType
from nas.methods.registry import METHODS
from nas.training.schedule_settings import PARAMETERS

# What a supernet learns with.
LEARNING = ("search_epochs", "batch_size", "learning_rate", "execution")
COMPUTING = ("mixed_precision", "data_parallel")
# What searches by trials alone look at; see `nas.interface.trials`.
OF_TRIALS = (
    *("max_trials", "max_epochs", "reduction", "rungs", "objectives", "budgets", "sampler"),
    *("workers", "storage", "tune", "network", "signal_class", "background_rate_hz"),
)
# Off is what these are anyway: written as --no..., they change nothing and hide nothing.
OFF_IS_NOTHING = (
    "baselines",
    "curves",
    "data_parallel",
    "find_learning_rate",
    "help",
    "inherit",
    "int8",
    "largest",
    "profile",
    "restart",
    "resume",
    "skip_bad_images",
    "smoke",
    "summary",
    "verify_data",
)


def check(options: Options, rules: Iterable[Rule]) -> None:
    """Refuses what would say nothing, or something else than it seems to.

    Args:
        options: Name -> value of everything that was given.
        rules: Of the program.

    Raises:
        InputError: An empty text, or the first rule that is broken.
    """
    for name, value in options.items():
        if isinstance(value, str) and not value.strip():
            raise InputError(f"a value for {name}", "an empty text", f"leave {name} out")
    check_rules({"method": "gradient", **options}, partial(says, options), rules, InputError)


def says(options: Options, name: str) -> bool:
    """Whether an option was given and asks for something.

    Args:
        options: Name -> value of everything that was given.
        name: Of the option.
    """
    return name in options and not (options[name] is False and name in OFF_IS_NOTHING)


def _method(options: Options) -> type[MethodType]:
    return METHODS[str(options.get("method", "gradient"))]


def _learns_gates(options: Options) -> bool:
    return _method(options).learns_gates


def _trains_supernet(options: Options) -> bool:
    return _method(options).trains_supernet


def trains_something(options: Options) -> bool:
    """Whether a search needs a framework to train with.

    Args:
        options: Name -> value of everything that was given.
    """
    return _trains_supernet(options) or "race" in options


SEARCH_RULES = (
    Rule(
        OF_TRIALS,
        lambda _: False,
        "--{name} with --method asha or hyperband, or with --method random and --max_trials",
        "--method {method}",
        "name such a method, or leave --{name} out",
    ),
    Rule(
        ("resume",),
        lambda o: "run_dir" in o,
        "--resume with --run_dir",
        "no --run_dir",
        "name the run's folder",
    ),
    Rule(
        ("device",),
        lambda o: "table" in o,
        "--table with --device",
        "no --table",
        "name the device's table",
    ),
    Rule(
        ("lambda",),
        _learns_gates,
        "--target_ms with --method {method}",
        "--lambda {lambda}",
        "only the gradient search has a penalty; ask for milliseconds",
    ),
    Rule(
        ("gate", "proposals", "gate_learning_rate"),
        _learns_gates,
        "--{name} with --method gradient",
        "--method {method}",
    ),
    Rule(
        ("supernet",),
        lambda o: _trains_supernet(o) and not _learns_gates(o),
        "--supernet with --method evolution",
        "--method {method}",
        "evolution alone can use weights that are trained already",
    ),
    Rule(
        (*LEARNING, "flip"),
        lambda o: "supernet" not in o,
        "no --{name} with --supernet",
        "both",
        "the supernet is trained already",
    ),
    Rule(
        LEARNING,
        _trains_supernet,
        "--{name} with a method that trains a supernet",
        "--method {method}",
    ),
    Rule(
        COMPUTING,
        trains_something,
        "--{name} with a search that trains something",
        "--method {method} without --race",
    ),
    Rule(
        ("race_epochs",),
        lambda o: "race" in o,
        "--race with --race_epochs",
        "no --race",
        "say how many candidates",
    ),
    Rule(
        ("random_networks",),
        lambda o: "device" not in o,
        "--random_networks in a search for this device, where they are measured",
        "--device {device}",
    ),
    Rule(
        ("skip_bad_images", "resize", "verify_data"),
        lambda o: "data_dir" in o,
        "--data_dir with --{name}",
        "no --data_dir",
        "leave it out: the embedded sample is drawn, not read from files",
    ),
)

# What a search for a rate would not look at: it has a course of its own and ends without a network.
NOT_OF_A_RATE = (
    *("baselines", "largest", "inherit", "restart", "seeds", "goal_top1", "compare"),
    *("epochs", "schedule", *PARAMETERS, "average_share", "evaluate_every", "held_out_share"),
    *("export", "calibration_images", "image_sizes"),
    *("metrics", "select_by", "signal_class", "background_rate_hz"),
)


def gives_network(options: Options) -> bool:
    """Whether a network is given, so that a new run begins.

    Args:
        options: Name -> value of everything that was given.
    """
    return "arch" in options or "network" in options


# Of main.py; a network is given by --arch or --network, everything else is a run.
RETRAIN_RULES = (
    Rule(("arch",), lambda o: "run" not in o, "one of --run and --arch", "both", "leave one out"),
    Rule(
        ("network",),
        lambda o: "run" not in o and "arch" not in o,
        "one of --run, --arch and --network",
        "more than one",
        "leave the others out",
    ),
    Rule(
        ("run", "arch", "network"),
        lambda o: "compare" not in o,
        "one of --{name} and --compare",
        "both",
        "name what --{name} says among the networks of --compare",
    ),
    Rule(
        ("csv",),
        lambda o: says(o, "summary"),
        "--summary with --csv",
        "no --summary",
        "write both, or leave --csv out: a comparison writes its CSV file by itself",
    ),
    Rule(
        ("image_size",),
        lambda o: "network" in o or "compare" in o or not says(o, "summary"),
        "--network or --compare with --image_size, where layers are shown",
        "no --network",
        "leave it out: the network has a size",
    ),
    Rule(
        ("int8",),
        lambda o: "predict" in o,
        "--predict with --int8",
        "no --predict",
        "name images with --predict, or leave --int8 out",
    ),
    Rule(
        ("run_dir",),
        lambda o: gives_network(o) or "compare" in o,
        "--run for an existing run",
        "--run_dir",
        "write --run instead",
    ),
    Rule(
        ("skip_bad_images", "resize"),
        lambda o: "data_dir" in o,
        "--data_dir with --{name}",
        "no --data_dir",
        "leave it out: a run goes on with the images that it began with",
    ),
    Rule(
        ("verify_data",),
        lambda o: "data_dir" in o or not gives_network(o),
        "--data_dir with --verify_data",
        "no --data_dir",
        "leave it out: the embedded sample is drawn, not read from files",
    ),
    Rule(
        ("baselines", "largest", "inherit", "restart"),
        lambda o: not gives_network(o),
        "--{name} with a run that is there already",
        "a network that is given, which begins a new one",
    ),
    Rule(
        ("calibration_images",),
        lambda o: "int8" in str(o.get("export", "")),
        "--export int8 with --calibration_images",
        "--export without int8",
        "only int8 is calibrated; leave it out, or add --export int8",
    ),
    Rule(
        ("baselines", "largest", "inherit", "restart"),
        lambda o: "compare" not in o,
        "--{name} with one run",
        "--compare, which names its networks itself and trains all of them from random weights",
    ),
    Rule(
        ("networks",),
        lambda o: "run" in o,
        "--networks with --run SWEEP, the folder of a sweep",
        "no --run",
        "name the sweep's folder",
    ),
    Rule(
        ("blocks",),
        lambda o: gives_network(o) or "compare" in o,
        "--blocks with --arch, --network or --compare",
        "--blocks with a run, which names its own",
    ),
    Rule(
        ("largest",),
        lambda o: o.get("baselines") is not False,
        "--largest with baselines",
        "--nobaselines",
    ),
    Rule(
        NOT_OF_A_RATE,
        lambda o: not says(o, "find_learning_rate"),
        "--find_learning_rate without --{name}",
        "both",
        "leave --{name} out: rates are tried in one short training of its own course",
    ),
)
# What shows a network and trains nothing looks at these options and at no others.
SHOWS = {
    "summary": ("run", "arch", "network", "image_size", "compare", "blocks", "csv"),
    "curves": ("run", "compare"),
    "predict": ("run", "int8"),
}
NETWORKS = ("run", "arch", "network", "compare")


def shown(options: Options) -> str | None:
    """What is to be shown in place of a training; None where something is to be trained.

    Args:
        options: Name -> value of everything that was given.

    Raises:
        InputError: Two things at once, or an option that would not be looked at.
    """
    asked = [name for name in SHOWS if says(options, name)]
    if not asked:
        return None
    first = asked[0]
    applying = SHOWS[first]
    named = [f"--{name}" for name in NETWORKS if name in applying]
    networks = f"{', '.join(named[:-1])} or {named[-1]}" if len(named) > 1 else named[0]
    for name in options:
        if says(options, name) and name not in (first, "help", *applying):
            raise InputError(
                f"--{first} with {networks} alone", f"--{name} as well", f"leave --{name} out"
            )
    return first
