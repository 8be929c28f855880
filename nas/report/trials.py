"""A search by trials in the terminal: its front at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.table import Table

from latency.command_line import join
from nas.metrics.goals import parse_asked
from nas.recipes import RECIPES
from nas.report import metrics
from nas.report.numbers import counted
from nas.report.page import REPORT_NAME
from nas.runs.data import DataSource
from nas.runs.trial_evaluations import RepeatedTrial
from nas.runs.trials import USUAL, TrialsConfig
from nas.runs.trials_record import Trial, TrialsRecord
from nas.system.backend import Compute
from nas.system.console import out
from nas.system.program import command_words
from nas.training.knobs import knobs_of
from nas.training.recipe import Recipe
from nas.tuning.objectives import QUANTITIES

# Of those that keep configurations from being trained, the line at the end names so many.
MOST_CONDITIONS = 6


def value_text(name: str, value: float) -> str:
    """A value of a quantity, as people read it.

    Args:
        name: Of the quantity, without its parameter.
        value: As it was measured.
    """
    if name in ("top1", "top5"):
        return f"{value:.2%}"
    if name in QUANTITIES and QUANTITIES[name].before_training and name != "ms":
        return f"{value:,.0f}"
    return f"{value:.4g}"


def trials_table(record: TrialsRecord) -> Table:
    """The front, best in the first objective first.

    Args:
        record: Of the search.
    """
    table = Table(box=box.SIMPLE_HEAD, title="Front of the whole trainings")
    table.add_column("trial", justify="right", no_wrap=True)
    for text in record.objectives:
        table.add_column(text, justify="right", no_wrap=True)
    table.add_column("what it is")
    for number in record.front:
        trial = record.trials[number]
        reached = {**trial.known, **trial.rungs[-1].reached}
        cells = [value_text(text.partition("=")[0], reached[text]) for text in record.objectives]
        table.add_row(str(number), *cells, what_it_is(trial))
    return table


def evaluated_lines(record: TrialsRecord) -> Iterator[str]:
    """What whole trainings come to on the evaluation images.

    Args:
        record: Of the search.
    """
    for one in record.evaluated:
        told = f"Trial {one.trial} on the evaluation images: "
        if one.metrics is None:
            yield f"{told}failed, {one.failure}"
            continue
        yield told + ", ".join(map(metrics.value_text, one.metrics.values))
        if one.failure:
            yield f"Trial {one.trial} by the other metrics: failed, {one.failure}"
    if record.repeated is not None:
        yield from repeated_lines(record.repeated)


def repeated_lines(repeated: RepeatedTrial) -> Iterator[str]:
    """The trial that was trained with several seeds.

    Args:
        repeated: Its trainings.
    """
    failed = repeated.failed_seeds
    if failed:
        yield f"Trial {repeated.trial} failed with seed {', '.join(map(str, failed))}."
    for spread in repeated.spreads:
        text = f"Trial {repeated.trial} over seeds: {spread.metric} {metrics.spread_text(spread)}"
        if spread.success is not None:
            text += f"; {metrics.success_text(spread.metric, spread.success)}"
        yield text


def what_it_is(trial: Trial) -> str:
    """The network of a trial with the knobs that it was trained with.

    Args:
        trial: Of the search.
    """
    return " ".join([trial.network, *(f"{name}={word}" for name, word in knobs_of_trial(trial))])


def knobs_of_trial(trial: Trial) -> Iterator[tuple[str, str]]:
    """Knob of the recipe -> its value as a flag writes it.

    Args:
        trial: Of the search.
    """
    knobs = knobs_of(Recipe)
    for name, value in trial.configuration.items():
        # Decisions of a space have a dot in their names.
        if name in knobs:
            yield name, knobs[name].word(value)


def closing_lines(record: TrialsRecord, is_exhausted: bool) -> Iterator[str]:
    """What is said below the front.

    Args:
        record: Of the search.
        is_exhausted: Whether no configuration was left before all trials had begun.
    """
    yield _trained_line(record)
    if record.refused:
        yield refused_line(record)
    if record.failures:
        failures = ", ".join(f"{count} {cause}" for cause, count in record.failures.items())
        yield f"Trainings that failed: {failures}. trials.json tells why."
    if is_exhausted:
        yield "No further configuration was found: the space may have no more within the budgets."
    if not record.front:
        whole = "whole training keeps all budgets"
        why = whole if _whole_trainings(record) else "training has come to its end"
        yield f"No {why}: there is no front."


def _trained_line(record: TrialsRecord) -> str:
    """What was trained, and how much that saved."""
    trained, whole = record.epochs_trained, record.epochs_of_whole_trainings
    told = f"{counted(len(record.trials), 'trial')}, {counted(trained, 'epoch')}"
    if not trained:
        return f"{told}: no training came to the end of a rung."
    saved = f"would have taken {whole:g}, {whole / trained:.1f} times as many."
    return f"{told}; training each of them to its end {saved}"


def _whole_trainings(record: TrialsRecord) -> int:
    """How many trials have come to their end."""
    whole = record.epochs_of_whole_trainings / max(len(record.trials), 1)
    rungs = [trial.rungs[-1] for trial in record.trials if trial.rungs]
    # All trials have one length; its sum over trials is rounded, and rungs are far apart.
    return sum(rung.state == "done" and rung.epochs > 0.999 * whole for rung in rungs)


def refused_line(record: TrialsRecord) -> str:
    """How many configurations were not trained, and what most of them break.

    Args:
        record: Of the search.
    """
    drawn = counted(record.refused, "configuration")
    were = "was" if record.refused == 1 else "were"
    if not record.refusals:
        return f"{drawn} outside of a budget {were} not trained."
    # The most first; trials.json has all.
    shown = list(record.refusals.items())[:MOST_CONDITIONS]
    broken = ", ".join(f"{count} break {name}" for name, count in shown)
    rest = record.refused - sum(count for _, count in shown)
    others = f", {rest} break others" if rest else ""
    return f"{drawn} {were} drawn and not trained: {broken}{others}."


def print_trials(
    record: TrialsRecord, folder: Path, config: TrialsConfig, is_exhausted: bool = False
) -> None:
    """Prints the end of a search.

    Args:
        record: Of the search.
        folder: Of the run.
        config: What was asked for.
        is_exhausted: Whether no configuration was left before all trials had begun.
    """
    if record.front:
        out.print(trials_table(record))
    for line in (*evaluated_lines(record), *closing_lines(record, is_exhausted)):
        out.print(line, markup=False)
    out.print(f"Trials: {folder / record.FILE}, {folder / 'trials.csv'}", markup=False)
    out.print(f"Report: {folder / REPORT_NAME}", markup=False)
    if record.front:
        out.print(f"Next: {next_command(record, config)}", markup=False)


def next_command(record: TrialsRecord, config: TrialsConfig) -> str:
    """The command that trains the first network of the front, on all training images.

    Images are prepared, and what is trained is judged, as in the search.

    Args:
        record: Of the search, with a front.
        config: What was asked for.
    """
    trial = record.trials[record.front[0]]
    words = [*command_words("retrain"), "--arch", trial.network]
    words += ["--epochs", f"{config.max_epochs:g}"]
    words += ["--recipe", config.space_recipe] if config.space_recipe else []
    for name, word in {**_unusual_flip(config), **dict(knobs_of_trial(trial))}.items():
        words += _knob_flag(name, word)
    for name, word in _image_words(config.data):
        words += [f"--{name}", word]
    words += ["--skip_bad_images"] if config.data.skip_bad_images else []
    for path in config.blocks:
        words += ["--blocks", path]
    if config.compute.mixed_precision != Compute().mixed_precision:
        words += ["--mixed_precision", config.compute.mixed_precision]
    words += ["--seed", str(config.seed)] if config.seed else []
    for name, word in _metric_words(config):
        words += [f"--{name}", word]
    words += ["--smoke"] if config.is_smoke else []
    return join(words)


def _knob_flag(name: str, word: str) -> list[str]:
    if knobs_of(Recipe)[name].kind is bool:
        return [f"--{name}" if word == "true" else f"--no{name}"]
    return [f"--{name}", word]


def _unusual_flip(config: TrialsConfig) -> dict[str, str]:
    """Whether images are mirrored, where a training by itself would decide otherwise."""
    usual = config.sizes.recipe_for(config.data.kind == "sample").augmentation.flip
    if config.space_recipe is not None:
        usual = usual and RECIPES[config.space_recipe].augmentation.flip
    flip = config.recipe.augmentation.flip
    return {} if flip == usual else {"flip": knobs_of(Recipe)["flip"].word(flip)}


def _image_words(data: DataSource) -> Iterator[tuple[str, str]]:
    """Which images, and how they are prepared, where it is not the usual way."""
    if data.path is not None:
        yield "data_dir", data.path
    if data.sample is not None:
        yield "sample", data.sample
    if data.resize != DataSource().resize:
        yield "resize", data.resize


def _metric_words(config: TrialsConfig) -> Iterator[tuple[str, str]]:
    """What the search is judged by, with goals, and what these metrics look at."""
    named = {parse_asked(word)[0].text: word for word in config.metrics}
    texts = [text for text in config.judged.metrics if text not in USUAL or text in named]
    if texts:
        yield "metrics", ",".join(named.get(text, text) for text in texts)
    if config.signal_class is not None:
        yield "signal_class", config.signal_class
    if config.background_rate_hz is not None:
        yield "background_rate_hz", repr(config.background_rate_hz)
