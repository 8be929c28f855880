"""Which option of a retraining applies beside which others, and what shows networks instead."""

from __future__ import annotations

from latency.flag_rules import Options, Rule
from nas.errors import InputError
from nas.interface.executor_options import OF_WORKERS
from nas.interface.rules import NOT_DIVIDED, says
from nas.training.schedule_settings import PARAMETERS

# What a search for a rate would not look at: it has a course of its own and ends without a network.
NOT_OF_A_RATE = (
    *("baselines", "largest", "inherit", "restart", "seeds", "goal_top1", "compare"),
    *("epochs", "schedule", *PARAMETERS, "average_share", "evaluate_every", "held_out_share"),
    *("export", "int8_blocks", "calibration_images", "image_sizes"),
    *("metrics", "select_by", "signal_class", "background_rate_hz", *OF_WORKERS),
    *("coordinator", "processes"),
)


def gives_network(options: Options) -> bool:
    """Whether a network is given, so that a new run begins.

    Args:
        options: Name -> value of everything that was given.
    """
    return "arch" in options or "network" in options


# Of main.py; a network is given by --arch or --network, everything else is a run.
RETRAIN_RULES = (
    NOT_DIVIDED,
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
        lambda o: "int8" in str(o.get("export", "")) or "int8_blocks" in o,
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
        ("coordinator", "processes"),
        lambda o: "compare" not in o,
        "--{name} with one run",
        "--compare",
        "compare on one host, or train each network by a command of its own",
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
