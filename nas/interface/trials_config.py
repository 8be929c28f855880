"""What somebody asks of a search by trials -> its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from latency.device.clock import now_text
from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.cost.constraints import Bounds
from nas.errors import InputError, WrittenError
from nas.interface import rules
from nas.interface.asked import bits_of, compute_of, with_recipe
from nas.interface.executor_options import OF_WORKERS, executor_config, usual_workers
from nas.metrics import AskedMetrics
from nas.recipes.scales import Scale
from nas.registry import check_known
from nas.runs.data import OF_FILES, DataSource
from nas.runs.trials import RUNG_WEIGHTS, TRIAL_METHODS, WHOLE, TrialsConfig
from nas.search_space.files import reference
from nas.search_space.knob_space import KnobSpace
from nas.system.environment import environment
from nas.system.paths import kept_path
from nas.training.recipe import Recipe
from nas.tuning.budgets import parse_budget
from nas.tuning.ladder import rungs_for
from nas.tuning.objectives import parse_objectives
from nas.tuning.samplers import FIRST_TRIALS

BOUNDS = tuple(bound.name for bound in fields(Bounds))
# What else they look at.
SHARED = (
    *(
        "method",
        "space",
        "bits",
        "end_bits",
        "blocks",
        "table",
        "device",
        "latency_device",
        "run_dir",
        "resume",
        "seed",
        "smoke",
    ),
    *("data_dir", "sample", "image_size", "resize", "skip_bad_images", "verify_data", "flip"),
    *("mixed_precision", *BOUNDS, *OF_WORKERS),
)
# Options that stand in the record as they are given.
OF_RECORD = ("sampler", "first_trial", "storage", "signal_class", "background_rate_hz")
USUAL_RUNGS = 5
# Length of their average, a share of the steps so far: its weights are as old, in the mean, as
# those of the last two fifths of the steps.
RUNG_SHARE = 0.25
USUAL_REDUCTION = 4


@dataclass(frozen=True)
class AskedTrials:
    """A search by trials as it was asked for, before its images are read.

    Args:
        source: The images; files or the sample, since workers read them themselves.
        options: As the flags of nas.py.
        command: Command line, for the record.
    """

    source: DataSource
    options: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""

    def check(self) -> None:
        """Refuses what such a search would not look at, before anything is read or written.

        Raises:
            InputError: An option does not apply, or something is missing.
        """
        for name, value in self.options.items():
            if name not in (*rules.OF_TRIALS, *SHARED) and value is not False:
                raise InputError(
                    f"options of a search by trials: {', '.join((*rules.OF_TRIALS, *SHARED))}",
                    f"--{name}",
                    "leave it out",
                )
        is_grid = self.options.get("method") == "grid"
        if not (self.options.get("resume") or is_grid) and "max_trials" not in self.options:
            raise InputError(
                "--max_trials, how many configurations are tried", "none", "add --max_trials"
            )
        if "device" in self.options and "table" not in self.options:
            raise InputError("--table with --device", "no --table", "name the device's table")
        rules.check_latency_device(self.options)
        named = [name for name in OF_FILES if rules.says(self.options, name)]
        if named and "data_dir" not in self.options:
            raise InputError(
                f"--data_dir with --{named[0]}",
                "no --data_dir",
                "leave it out: the embedded sample is drawn, not read from files",
            )
        # Where a run goes on, its record says what else there is.
        is_new = not self.options.get("resume")
        if is_new and "network" in self.options and "space" in self.options:
            raise InputError("--space, or --network with --tune", "both", "leave one of them out")
        if is_new and "network" in self.options and "tune" not in self.options:
            raise WrittenError(
                "--tune with --network, what trials of one network differ in",
                "no --tune",
                "write for example --tune 'learning_rate=log[1e-3,1]'",
            )
        if is_new and "network" in self.options and "bits" in self.options:
            raise InputError(
                "--bits with --space, whose blocks choose from them",
                "--network, which says its formats",
                "leave --bits out, or write the formats of the network",
            )
        if is_grid:
            self._check_grid()
        self._check_first_trial()
        compute_of(self.options).check()

    def _check_grid(self) -> None:
        """Refuses what a grid, which trains every configuration once, does not look at."""
        for name, usual in (("sampler", "grid"), ("first_trial", "sampled")):
            if (found := self.options.get(name, usual)) != usual:
                raise InputError(
                    f"--{name} with --method asha, hyperband or random",
                    f"--method grid, which trains every configuration, with {found}",
                    f"leave --{name} out",
                )

    def _check_first_trial(self) -> None:
        """Refuses one beside the list of a grid, each place of which is that of one trial."""
        found = self.options.get("first_trial", FIRST_TRIALS[0])
        if self.options.get("sampler") == "grid" and found != FIRST_TRIALS[0]:
            raise InputError(
                f"--first_trial {found} with --sampler random, tpe or evolution",
                "--sampler grid, whose list has a configuration for each trial",
                "leave --first_trial out, or choose another --sampler",
            )


def trials_config(
    asked: AskedTrials,
    sizes: Scale,
    network: Architecture | None = None,
    space: KnobSpace | None = None,
) -> TrialsConfig:
    """The configuration of a new search by trials.

    Args:
        asked: What was asked for.
        sizes: Of the job.
        network: Of all trials; None where each has one of the space.
        space: That brings a recipe and knobs of it; None where it brings neither, or is not known.

    Raises:
        InputError: A value is out of its range.
    """
    options = asked.options
    method = str(options["method"])
    check_known("method", method, TRIAL_METHODS)
    is_sample = asked.source.kind == "sample"
    recipe = with_recipe(sizes, None if space is None else space.recipe).recipe_for(is_sample)
    recipe = recipe.with_flip(options.get("flip", recipe.augmentation.flip))
    lengths = _lengths(options, recipe.epochs)
    max_epochs = lengths["max_epochs"]
    given = {name: options[name] for name in OF_RECORD if name in options}
    if method == "grid":
        given["sampler"] = method
    table = options.get("table")
    executor = executor_config(options)
    config = TrialsConfig(
        date=now_text(),
        command=asked.command,
        seed=options.get("seed", 0),
        scale=sizes.name,
        data=asked.source,
        compute=compute_of(options),
        recipe=_averaged(recipe.shortened(max_epochs, recipe.batch_size), options),
        environment=environment(),
        blocks=tuple(reference(path) for path in options.get("blocks", ())),
        method=method,
        space=None if network else reference(options.get("space") or "sample"),
        bits=bits_of(options),
        network=to_text(network) if network else None,
        tune=options.get("tune"),
        space_tune=None if space is None else space.tune,
        space_recipe=None if space is None else space.recipe,
        table=kept_path(table) if table else None,
        device=options.get("device") or options.get("latency_device"),
        bounds=Bounds(**{name: options[name] for name in BOUNDS if name in options}),
        budgets=budget_texts(options.get("budgets")),
        objectives=objective_texts(options.get("objectives", "top1")),
        workers=options.get("workers") or usual_workers(executor),
        executor=executor,
        seeds=options.get("seeds", 1),
        metrics=metric_texts(options.get("metrics")),
        **lengths,
        **given,
    )
    if "latency_device" in options and not config.asks_for_ms:
        raise InputError(
            "milliseconds among --objectives or --budgets with --latency_device",
            ", ".join(sorted({objective.name for objective in config.named})),
            "add ms, or leave --latency_device out",
        )
    return config


def _averaged(recipe: Recipe, options: Mapping[str, Any]) -> Recipe:
    """The recipe with the average that rungs are judged by.

    The recipe's own is one of a part of the whole training, and has hardly begun at the first
    rungs.
    """
    weights = options.get("rung_weights", RUNG_WEIGHTS[0])
    check_known("rung_weights", weights, RUNG_WEIGHTS)
    is_average = weights == "average"
    share = RUNG_SHARE if is_average else None
    return recipe.changed(average_share=share, growing_average=is_average)


def _lengths(options: Mapping[str, Any], usual_epochs: float) -> dict[str, Any]:
    """How many trials there are, and how long they train."""
    # A grid without a number has all its configurations, which are counted once it is known.
    max_trials = options.get("max_trials", 1)
    reduction = options.get("reduction", USUAL_REDUCTION)
    max_epochs = float(options.get("max_epochs", usual_epochs))
    if options["method"] in WHOLE:
        _refuse_rungs(options)
        rungs = 1
    else:
        rungs = options.get("rungs") or rungs_for(max_trials, max_epochs, reduction, USUAL_RUNGS)
    return {
        "max_trials": max_trials,
        "max_epochs": max_epochs,
        "reduction": reduction,
        "rungs": rungs,
    }


def objective_texts(text: str) -> tuple[str, ...]:
    """Objectives in their one way of writing, without a direction that their name says already.

    Args:
        text: As `--objectives` takes it.

    Raises:
        InputError: One is not known, named twice, or of another direction.
    """
    return tuple(objective.text for objective in parse_objectives(text))


def metric_texts(words: str | Sequence[str] | None) -> tuple[str, ...]:
    """Metrics and goals, each by itself.

    Args:
        words: As `--metrics` takes them; None for none.
    """
    return tuple(AskedMetrics.words(words))


def budget_texts(text: str | None) -> tuple[str, ...]:
    """Budgets in their one way of writing.

    Args:
        text: As `--budgets` takes it; None for none.

    Raises:
        InputError: One is no budget.
    """
    return tuple(parse_budget(word).text for word in text.split(",")) if text else ()


def _refuse_rungs(options: Mapping[str, Any]) -> None:
    for name in ("reduction", "rungs"):
        if name in options:
            raise InputError(
                f"--{name} with --method asha or hyperband",
                f"--method {options['method']}, whose trials are trained whole",
                "leave it out",
            )
