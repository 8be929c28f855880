"""A search by trials in the terminal: its progress, and its front at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.table import Table

from latency.command_line import join
from nas.report import metrics
from nas.report.page import REPORT_NAME
from nas.runs.trial_evaluations import RepeatedTrial
from nas.runs.trials import TrialsConfig
from nas.runs.trials_record import Trial, TrialsRecord
from nas.system.console import Bar, out
from nas.system.program import command_words
from nas.training.knobs import knobs_of
from nas.training.recipe import Recipe
from nas.tuning.hyperband import Hyperband
from nas.tuning.legs import Leg, SearchState
from nas.tuning.objectives import QUANTITIES
from nas.tuning.scheduler import Scheduler

# Of those that keep configurations from being trained, the line at the end names so many.
MOST_CONDITIONS = 6


class TrialsProgress:
    """Shows how far a search is, its best trial, and the time that is left.

    Each leg is looked at until it has ended and no more, since there may be 10,000 of them.

    Args:
        scheduler: Of the search.
        progress: Where it is shown.
    """

    def __init__(self, scheduler: Scheduler, progress: Bar) -> None:
        self._progress = progress
        self._expected = expected_epochs(scheduler)
        self._begun_s = time.monotonic()
        self._epochs = 0.0
        self._epochs_before: float | None = None
        self._looked_at = self._failed = 0
        self._open: set[int] = set()
        self._best: Leg | None = None

    def show(self, state: SearchState) -> None:
        """One more leg has begun or ended.

        Args:
            state: Of the search.
        """
        self._open |= set(range(self._looked_at, len(state.legs)))
        self._looked_at = len(state.legs)
        for leg in [state.legs[number] for number in sorted(self._open)]:
            if leg.state != "running":
                self._open.remove(leg.number)
                self._ended(state, leg)
        if self._epochs_before is None:
            self._epochs_before = self._epochs
        self._progress.update(
            min(self._epochs, self._expected), self._expected, note=self._note(state)
        )

    def _ended(self, state: SearchState, leg: Leg) -> None:
        self._epochs += leg_epochs(state, leg)
        if leg.state == "failed":
            self._failed += 1
        elif self._best is None or standing(state, leg) < standing(state, self._best):
            self._best = leg

    def _note(self, state: SearchState) -> str:
        parts = [f"{len(state.trials)} trials", f"{len(state.running)} running"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if state.refused:
            parts.append(f"{state.refused} refused")
        if self._best is not None:
            reached = reached_text(state, self._best)
            parts.append(f"best {reached} after {self._best.plan.epochs:g} epochs")
        left_s = self._left_s()
        return ", ".join([*parts, *([] if left_s is None else [f"{left_s / 60:.0f} min left"])])

    def _left_s(self) -> float | None:
        """Seconds by the pace so far; None where there is none yet."""
        done = self._epochs - (self._epochs_before or 0.0)
        if done <= 0:
            return None
        pace = (time.monotonic() - self._begun_s) / done
        return max(0.0, self._expected - self._epochs) * pace


def leg_epochs(state: SearchState, leg: Leg) -> float:
    """Epochs of one leg alone.

    Args:
        state: Of the search.
        leg: Of the search.
    """
    numbers = state.trials[leg.plan.trial]
    place = numbers.index(leg.number)
    before = state.legs[numbers[place - 1]].plan.epochs if place else 0.0
    return leg.plan.epochs - before


def expected_epochs(scheduler: Scheduler) -> float:
    """Epochs of a whole search where no training fails.

    Args:
        scheduler: Of the search.
    """
    if isinstance(scheduler, Hyperband):
        ladder = scheduler.ladder
        rungs = [(b.sizes(ladder), ladder.epochs[b.first_rung :]) for b in scheduler.brackets]
    else:
        # As many trials go on as make every rung as long as the first one.
        epochs = scheduler.ladder.epochs
        rungs = [(tuple(int(scheduler.max_trials * epochs[0] / e) for e in epochs), epochs)]
    return sum(
        count * (after - before)
        for sizes, ends in rungs
        for count, before, after in zip(sizes, (0.0, *ends), ends, strict=False)
    )


def standing(state: SearchState, leg: Leg) -> tuple[float, float, float, int]:
    """Less is better: a higher rung, then kept budgets, then the first objective.

    Args:
        state: Of the search.
        leg: That is done.
    """
    first = state.table.objectives[0]
    return -leg.plan.epochs, leg.violation, first.cost(leg.values[0]), leg.number


def reached_text(state: SearchState, leg: Leg) -> str:
    """The objectives of a leg in words.

    Args:
        state: Of the search.
        leg: That is done.
    """
    pairs = zip(state.table.objectives, leg.values, strict=True)
    return ", ".join(f"{o.text} {value_text(o.name, value)}" for o, value in pairs)


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
    whole = record.epochs_of_whole_trainings
    yield (
        f"{len(record.trials)} trials, {record.epochs_trained:g} epochs; training each of them to "
        f"its end would have taken {whole:g}, {whole / max(record.epochs_trained, 1e-9):.1f} times "
        "as many."
    )
    if record.refused:
        yield refused_line(record)
    if record.failures:
        failures = ", ".join(f"{count} {cause}" for cause, count in record.failures.items())
        yield f"Trainings that failed: {failures}."
    if is_exhausted:
        yield "No further configuration was found: the space may have no more within the budgets."
    if not record.front:
        yield "No whole training keeps all budgets: there is no front."


def refused_line(record: TrialsRecord) -> str:
    """How many configurations were not trained, and what most of them break.

    Args:
        record: Of the search.
    """
    line = f"{record.refused} configurations outside of a budget were not trained."
    if not record.refusals:
        return line
    # The most first; trials.json has all.
    shown = list(record.refusals.items())[:MOST_CONDITIONS]
    broken = ", ".join(f"{count} break {name}" for name, count in shown)
    rest = record.refused - sum(count for _, count in shown)
    others = f", {rest} break others" if rest else ""
    return f"{record.refused} configurations were drawn and not trained: {broken}{others}."


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

    Args:
        record: Of the search, with a front.
        config: What was asked for.
    """
    trial = record.trials[record.front[0]]
    words = [*command_words("retrain"), "--arch", trial.network]
    words += ["--epochs", f"{config.max_epochs:g}"]
    words += ["--recipe", config.space_recipe] if config.space_recipe else []
    for name, word in knobs_of_trial(trial):
        words += [f"--{name}", word]
    if config.data.path is not None:
        words += ["--data_dir", config.data.path]
    if config.data.sample is not None:
        words += ["--sample", config.data.sample]
    for path in config.blocks:
        words += ["--blocks", path]
    words += ["--smoke"] if config.is_smoke else []
    return join(words)
