"""A search by trials from what was asked for to its record: a new run, or one that goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from latency.device.clock import now_text
from latency.errors import LatencyError
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.cost.constraints import Bounds
from nas.data import Dataset
from nas.data.look import Looks, check_searchable
from nas.errors import InputError
from nas.executors.cores import cores
from nas.interface import rules
from nas.interface.asked import OnFolder, compute_of, tell_nobody
from nas.interface.networks import network_for_images
from nas.pipeline.inputs import check_fits, keep_data, load_data, looks_of, source_now, space_of
from nas.pipeline.trials import TrialsRun
from nas.recipes.scales import Scale
from nas.registry import check_known
from nas.runs.config import read_config
from nas.runs.data import OF_FILES, DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.trials import TRIAL_METHODS, TrialsConfig, TrialsRecord
from nas.search_space.files import load_blocks, reference
from nas.search_space.space import Space
from nas.system.backend_check import check_late_packages, check_starts
from nas.system.console import err, out
from nas.system.environment import environment
from nas.system.interrupt import Interrupter
from nas.system.paths import kept_path, own_path
from nas.system.program import go_on_command
from nas.tuning.ladder import rungs_for
from nas.tuning.study_files import check_optuna

BOUNDS = tuple(bound.name for bound in fields(Bounds))
# What else they look at.
SHARED = (
    *("method", "space", "blocks", "table", "device", "run_dir", "resume", "seed", "smoke"),
    *("data_dir", "image_size", "resize", "skip_bad_images", "verify_data", "flip"),
    *("mixed_precision", *BOUNDS),
)
# More than this compete for memory: each worker is a framework of its own.
MOST_USUAL_WORKERS = 4
USUAL_RUNGS = 5


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
        if not self.options.get("resume") and "max_trials" not in self.options:
            raise InputError(
                "--max_trials, how many configurations are tried", "none", "add --max_trials"
            )
        if "device" in self.options and "table" not in self.options:
            raise InputError("--table with --device", "no --table", "name the device's table")
        named = [name for name in OF_FILES if rules.says(self.options, name)]
        if named and "data_dir" not in self.options:
            raise InputError(
                f"--data_dir with --{named[0]}",
                "no --data_dir",
                "leave it out: the embedded sample is drawn, not read from files",
            )
        if "network" in self.options and "space" in self.options:
            raise InputError("--space, or --network with --tune", "both", "leave one of them out")
        if "network" in self.options and "tune" not in self.options:
            raise InputError(
                "--tune with --network, what trials of one network differ in",
                "no --tune",
                "write for example --tune 'learning_rate=log[1e-3,1]'",
            )
        compute_of(self.options).check()


def is_trials(options: Mapping[str, Any]) -> bool:
    """Whether options ask for a search by trials, or to go on with one.

    Args:
        options: As the flags of nas.py.

    Raises:
        InputError: The folder to go on with is no run's.
    """
    method = str(options.get("method", ""))
    if method in TRIAL_METHODS and (method != "random" or "max_trials" in options):
        return True
    run_dir = options.get("run_dir")
    if options.get("resume") and run_dir and not method:
        return isinstance(read_config(own_path(run_dir)), TrialsConfig)
    return False


def run_trials(
    asked: AskedTrials,
    run_dir: Path | None,
    interrupter: Interrupter,
    on_folder: OnFolder = tell_nobody,
) -> tuple[Path, TrialsRecord]:
    """Searches by trials, or goes on with such a search.

    Args:
        asked: What is asked for.
        run_dir: Folder of the run; None for a new one below `runs_folder()`.
        interrupter: Asked whether to stop.
        on_folder: Told the run's folder as soon as there is one.

    Returns:
        The run's folder, and what its trials came to.

    Raises:
        LatencyError: Bad input; a run that never began leaves no folder.
        Interrupted: A signal came; the state is saved.
    """
    asked.check()
    check_optuna()
    run_dir = run_dir and own_path(run_dir)
    is_new = not asked.options.get("resume")
    run = _begun(asked, run_dir, interrupter) if is_new else _resumed(asked, run_dir, interrupter)
    on_folder(run.folder.path)
    out.print(f"Run folder: {run.folder.path}", markup=False)
    try:
        with run.folder.alone():
            return run.folder.path, run.run()
    except LatencyError:
        path = run.folder.path
        if is_new and not run.folder.discard("table.json"):
            err.print(f"Kept: {path}. Go on with: {go_on_command('search', path)}", markup=False)
        raise


def _begun(asked: AskedTrials, run_dir: Path | None, interrupter: Interrupter) -> TrialsRun:
    """A new run's folder with its configuration."""
    RunFolder.check_new(run_dir)
    options = asked.options
    load_blocks(options.get("blocks", ()))
    check_late_packages()
    sizes = Scale.fitting(asked.source.kind == "sample", bool(options.get("smoke")))
    network = None
    if "network" in options:
        network = network_for_images(options["network"], options, asked.source).architecture
    # What is out of range is told before the minutes that images take.
    config = trials_config(asked, sizes, network)
    check_starts(config.compute)
    check_searchable(looks_of(asked.source, sizes, config.seed))
    dataset = load_data(asked.source, sizes, config.seed)
    check_searchable(Looks.of(dataset))  # without the images that were skipped
    if network is None and "space" not in options:
        fitting = space_of(None, dataset, config.bounds)
        config = replace(config, space=fitting.name)
    space = trials_space(config, dataset)
    config = replace(config, space_fingerprint=space.fingerprint())
    folder = RunFolder.create(run_dir, config, f"{space.name}-{config.method}")
    keep_data(folder, dataset)
    return TrialsRun(folder, space, dataset, asked.source, config, interrupter)


def _resumed(asked: AskedTrials, run_dir: Path | None, interrupter: Interrupter) -> TrialsRun:
    """The folder of a run that goes on."""
    if run_dir is None:
        raise InputError("--resume with --run_dir", "no --run_dir", "name the run's folder")
    folder = RunFolder.open(run_dir)
    config = read_config(run_dir)
    if not isinstance(config, TrialsConfig):
        raise InputError(
            "the folder of a search by trials", f"{run_dir}, of {config.kind!r}", "check --method"
        )
    check_as_recorded(config, asked.options)
    config = replace(config, workers=asked.options.get("workers") or config.workers)
    load_blocks(config.blocks)
    check_late_packages()
    check_starts(config.compute)
    named = asked.source if asked.source.path is not None else None
    source = source_now(config.data, named, {"verify_data": asked.source.verify_data})
    record = folder.read(DataRecord) if folder.has(DataRecord) else None
    dataset = load_data(source, config.sizes, config.seed, None, record)
    keep_data(folder, dataset)
    space = trials_space(config, dataset)
    return TrialsRun(folder, space, dataset, source, config, interrupter)


def trials_space(config: TrialsConfig, dataset: Dataset) -> Space:
    """The space that networks of a run come from.

    Args:
        config: Of the run.
        dataset: Its images.

    Raises:
        InputError: It is another one than the run began with.
    """
    if config.network is not None:
        network = arch_text.parse(config.network)
        check_fits(network, dataset, takes_any_classes=False)
        return Space("network", network.image_size, network.layers)
    space = space_of(config.space, dataset)
    if config.space_fingerprint not in (None, space.fingerprint()):
        raise InputError(
            f"space {config.space} as the run began, fingerprint {config.space_fingerprint}",
            f"fingerprint {space.fingerprint()}",
            "bring back the files of --space and --blocks as they were, or begin another run",
        )
    return space


def trials_config(
    asked: AskedTrials, sizes: Scale, network: Architecture | None = None
) -> TrialsConfig:
    """The configuration of a new search by trials.

    Args:
        asked: What was asked for.
        sizes: Of the job.
        network: Of all trials; None where each has one of the space.

    Raises:
        InputError: A value is out of its range.
    """
    options = asked.options
    method = str(options["method"])
    check_known("method", method, TRIAL_METHODS)
    is_sample = asked.source.kind == "sample"
    recipe = sizes.recipe_for(is_sample)
    recipe = recipe.with_flip(options.get("flip", recipe.augmentation.flip))
    max_trials = options["max_trials"]
    max_epochs = float(options.get("max_epochs", recipe.epochs))
    reduction = options.get("reduction", 4)
    if method == "random":
        _refuse_rungs(options)
        rungs = 1
    else:
        rungs = options.get("rungs") or rungs_for(max_trials, max_epochs, reduction, USUAL_RUNGS)
    given = {name: options[name] for name in ("sampler", "storage") if name in options}
    table = options.get("table")
    return TrialsConfig(
        date=now_text(),
        command=asked.command,
        seed=options.get("seed", 0),
        scale=sizes.name,
        data=asked.source,
        compute=compute_of(options),
        # An average over a part of the whole training has hardly begun at the first rungs: weights
        # are compared as they are.
        recipe=recipe.shortened(max_epochs, recipe.batch_size).changed(average_share=None),
        environment=environment(),
        blocks=tuple(reference(path) for path in options.get("blocks", ())),
        method=method,
        space=None if network else reference(options.get("space") or "sample"),
        network=to_text(network) if network else None,
        tune=options.get("tune"),
        table=kept_path(table) if table else None,
        device=options.get("device"),
        bounds=Bounds(**{name: options[name] for name in BOUNDS if name in options}),
        budgets=_words(options.get("budgets")),
        objectives=_words(options.get("objectives")) or ("top1",),
        max_trials=max_trials,
        max_epochs=max_epochs,
        reduction=reduction,
        rungs=rungs,
        workers=options.get("workers") or min(MOST_USUAL_WORKERS, len(cores())),
        **given,
    )


def _words(text: str | None) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _refuse_rungs(options: Mapping[str, Any]) -> None:
    for name in ("reduction", "rungs"):
        if name in options:
            raise InputError(
                f"--{name} with --method asha or hyperband",
                "--method random, whose trials are trained whole",
                "leave it out",
            )


# Option -> what the record of a run says it is.
RECORDED: dict[str, Callable[[TrialsConfig], Any]] = {
    **{n: attrgetter(n) for n in ("method", "max_trials", "max_epochs", "reduction", "rungs")},
    **{n: attrgetter(n) for n in ("sampler", "storage", "device", "seed")},
    **{name: attrgetter(f"bounds.{name}") for name in BOUNDS},
    "objectives": lambda c: ",".join(c.objectives),
    "budgets": lambda c: ",".join(c.budgets),
    "smoke": lambda c: c.is_smoke,
    "image_size": lambda c: c.data.image_size,
    "skip_bad_images": lambda c: c.data.skip_bad_images,
    "resize": lambda c: c.data.resize,
    "mixed_precision": lambda c: c.compute.mixed_precision,
    "flip": lambda c: c.recipe.augmentation.flip,
    "table": lambda c: c.table,
    "tune": lambda c: c.tune,
    "space": lambda c: c.space,
    "blocks": lambda c: list(c.blocks),
}
READ_AS: dict[str, Callable[[Any], Any]] = {
    "space": reference,
    "blocks": lambda paths: [reference(path) for path in paths],
    "table": kept_path,
    "max_epochs": float,
    "objectives": lambda text: ",".join(_words(text)),
    "budgets": lambda text: ",".join(_words(text)),
}


def check_as_recorded(config: TrialsConfig, options: Mapping[str, Any]) -> None:
    """Refuses to go on with anything else than what the run began with.

    The number of workers may be another one: it decides when trials end, and nothing of a trial.

    Args:
        config: Of the run.
        options: As the flags of nas.py; what is left out stays as it is.

    Raises:
        InputError: An option differs from the record.
    """
    for name, value in options.items():
        if name not in RECORDED:
            continue
        recorded, asked = RECORDED[name](config), READ_AS.get(name, lambda same: same)(value)
        if recorded != asked:
            raise InputError(
                f"--{name} as the run began: {recorded!r}",
                repr(asked),
                "leave the flag out with --resume, or begin another run",
            )
