"""Flags of searches by trials: nas.py --method asha, hyperband, grid, or random with a number."""

from __future__ import annotations

from typing import Any

from absl import flags

from nas.cli import executor_flags
from nas.cli import flags as strict_flags
from nas.runs.trials import RUNG_WEIGHTS, STORAGES, can_be_told
from nas.tuning.samplers import FIRST_TRIALS, SAMPLERS


def define(values: flags.FlagValues) -> None:
    """Defines them.

    Args:
        values: Where.
    """
    text: dict[str, Any] = {"flag_values": values}
    strict_flags.define_count(
        values,
        "max_trials",
        "Networks that are trained alone by --method asha or hyperband; with --method random or "
        "grid all of them are trained whole. A grid has all of its configurations if left out.",
    )
    flags.DEFINE_float(
        "max_epochs", None, "Epochs of a trial's whole training; default: the recipe's.", **text
    )
    flags.DEFINE_integer(
        "reduction",
        4,
        "One trial in so many goes on at each rung, for so many times the epochs.",
        lower_bound=2,
        **text,
    )
    strict_flags.define_count(
        values,
        "rungs",
        "Lengths that trials are compared at, the last one being whole; default: as many as there "
        "are trials and epochs for, up to 5.",
    )
    flags.DEFINE_string(
        "objectives",
        "top1",
        f"What trials are judged by, such as top1,ms: {', '.join(can_be_told())}. The direction of "
        "each follows from its name.",
        **text,
    )
    flags.DEFINE_string(
        "budgets",
        None,
        "Limits of quantities, such as ms<=0.5,top1>=0.9, beside the bounds above. What is known "
        "to break one is not trained.",
        **text,
    )
    flags.DEFINE_string(
        "tune",
        None,
        "Knobs of the recipe that trials differ in, such as "
        "learning_rate=log[1e-3,1],batch_size={64,128}; beside the networks of --space, or alone "
        "with --network.",
        **text,
    )
    flags.DEFINE_string(
        "network",
        None,
        "One network for all trials, as main.py --network takes it; --tune says what differs.",
        **text,
    )
    flags.DEFINE_enum(
        "sampler",
        "random",
        list(SAMPLERS),
        "Where configurations of trials come from; grid: each once, in an order of chance.",
        **text,
    )
    flags.DEFINE_enum(
        "first_trial",
        FIRST_TRIALS[0],
        list(FIRST_TRIALS),
        "What the first trial is: sampled like the others, or the original that trials stand "
        "beside, such as the published network of --space; those that learn from trials begin "
        "with it then.",
        **text,
    )
    flags.DEFINE_enum(
        "rung_weights",
        RUNG_WEIGHTS[0],
        list(RUNG_WEIGHTS),
        "Which weights rungs are judged by: an average of those of the steps so "
        "far, or the last ones. A whole training keeps the better of both.",
        **text,
    )
    executor_flags.define(values)
    strict_flags.define_count(
        values,
        "seeds",
        "Whole trainings of the best trial at the end: its own, and others with the seeds that "
        "follow --seed; default: 1. Two or more tell mean and sd on the evaluation images.",
    )
    flags.DEFINE_string(
        "metrics",
        None,
        "What whole trainings are judged by on the evaluation images beside the objectives, such "
        "as auc; a goal behind one, as 'top1>=0.9', tells how many of the --seeds trainings reach "
        "it. They choose nothing.",
        **text,
    )
    flags.DEFINE_enum(
        "storage",
        "sqlite",
        list(STORAGES),
        "File of the trials: sqlite (trials.db) or journal (trials.journal); optuna-dashboard "
        "opens both.",
        **text,
    )
