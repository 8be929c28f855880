"""Which option applies beside which others, and the rules of searches.

An option that would say nothing is refused; the rules of retrainings stand in `retrain_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from latency.flag_rules import Options, Rule
from latency.flag_rules import check as check_rules
from nas.errors import InputError
from nas.interface.executor_options import OF_WORKERS
from nas.methods.method import MethodType
from nas.methods.registry import METHODS

# What a supernet learns with.
LEARNING = ("search_epochs", "batch_size", "learning_rate", "execution")
COMPUTING = ("mixed_precision", "data_parallel", "coordinator", "processes")
# What searches by trials alone look at; see `nas.interface.trials`.
OF_TRIALS = (
    *("max_trials", "max_epochs", "reduction", "rungs", "objectives", "budgets", "sampler"),
    *("first_trial", "storage", "tune", "network", "signal_class", "background_rate_hz"),
    *("seeds", "metrics", "rung_weights"),
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


def has_parts(options: Options) -> bool:
    """Whether a search has parts that workers can do: a supernet of its own, or a race.

    Args:
        options: Name -> value of everything that was given.
    """
    trains = _trains_supernet(options) and "supernet" not in options
    return trains or "race" in options or "latency_device" in options


# One training that is divided over the devices of one process, or trainings beside each other.
NOT_DIVIDED = Rule(
    ("data_parallel",),
    lambda o: not any(name in o for name in OF_WORKERS),
    "--data_parallel without workers",
    "both",
    "leave --data_parallel out: each worker trains on the devices that it has to itself",
)
# A device that hangs on a node, and whose table is measured there.
LATENCY_DEVICE = (
    Rule(
        ("latency_device",),
        lambda o: o.get("executor") == "ray",
        "--executor ray with --latency_device, the cluster that the device hangs on",
        "no --executor ray",
        "add it, and --ray_address; another machine is measured by `python -m latency run-job`",
    ),
    Rule(
        ("table", "device"),
        lambda o: "latency_device" not in o,
        "one of --{name} and --latency_device, whose table is measured now",
        "both",
        "leave one of them out",
    ),
)


def check_latency_device(options: Options) -> None:
    """Refuses a device of a cluster beside what contradicts it.

    Args:
        options: Name -> value of everything that was given.

    Raises:
        InputError: There is no cluster, or a table is named as well.
    """
    check(options, LATENCY_DEVICE)


SEARCH_RULES = (
    *LATENCY_DEVICE,
    Rule(
        OF_TRIALS,
        lambda _: False,
        "--{name} with --method asha, hyperband or grid, or with --method random and --max_trials",
        "--method {method}",
        "name such a method, or leave --{name} out",
    ),
    Rule(
        OF_WORKERS,
        has_parts,
        "--{name} with a search that trains a supernet or runs a race",
        "--method {method} without either",
        "leave --{name} out: the one thing that is left, the choice, has steps of which each needs "
        "the one before",
    ),
    NOT_DIVIDED,
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
        "--target_ms, --target_bops or --target_weight_bits with --method {method}",
        "--lambda {lambda}",
        "only the gradient search has a penalty; ask for milliseconds or a count",
    ),
    Rule(
        ("quantity",),
        lambda o: "lambda" in o or says(o, "resume"),
        "--lambda with --quantity, which names what it is the price of",
        "no --lambda",
        "the flag of a target names what it is asked in",
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
        lambda o: "device" not in o and "latency_device" not in o,
        "--random_networks in a search for this device, where they are measured",
        "--device or --latency_device",
    ),
    Rule(
        ("skip_bad_images", "resize", "verify_data"),
        lambda o: "data_dir" in o,
        "--data_dir with --{name}",
        "no --data_dir",
        "leave it out: the embedded sample is drawn, not read from files",
    ),
)
