"""A search by trials -> `report.html`, one page that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from latency import atomic
from latency.device.text import visible
from nas.report.cards import TOY_SIZE, card, pairs
from nas.report.page import REPORT_NAME
from nas.report.style import STYLE_SHEET
from nas.report.trial_page.beside import beside
from nas.report.trial_page.bits import STYLE as BIT_STYLE
from nas.report.trial_page.bits import accuracy_against_bits, layer_bits
from nas.report.trial_page.courses import courses
from nas.report.trial_page.every import every
from nas.report.trial_page.facts import TrialFacts, epochs_text, read_facts
from nas.report.trial_page.fronts import fronts
from nas.report.trial_page.parallel import parallel
from nas.report.trial_page.rungs import rungs
from nas.report.trial_page.shares import shares
from nas.report.trial_page.svg import STYLE
from nas.report.trials import closing_lines, next_command, repeated_lines, value_text
from nas.runs.trials import WHOLE, TrialsConfig

# A page that came from somewhere else may not load anything either.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_trials_page(run_dir: Path) -> Path:
    """Writes the page of a search by trials from its records.

    Args:
        run_dir: Folder of the run.

    Returns:
        Path of the page.

    Raises:
        LatencyError: The folder is of something else, has come to no trial yet, or is broken; an
            older page stays as it is.
    """
    path = run_dir / REPORT_NAME
    atomic.write_text(path, trials_html(read_facts(run_dir)))
    return path


def trials_html(facts: TrialFacts) -> str:
    """The whole page.

    Args:
        facts: Of the search.
    """
    body = "".join(section(facts) for section in SECTIONS)
    return visible(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(facts.name)} · Stopwatch NAS</title><link rel="icon" href="data:,">'
        f"<style>{STYLE_SHEET}{STYLE}{BIT_STYLE}</style></head><body><main>{body}"
        "<footer>Written by Stopwatch NAS from trials.json and trial_curves.csv in this folder."
        "</footer></main></body></html>\n"
    )


def header(facts: TrialFacts) -> str:
    """Name of the run, what was searched, images and date."""
    config, data = facts.config, facts.data
    parts = [config.method, "one network" if config.space is None else f"space {config.space}"]
    if data is not None:
        parts += [data.name, f"{data.num_classes} classes", f"{data.image_size} px"]
    parts.append(config.date[:10])
    line = " · ".join(map(escape, parts))
    return (
        f'<header><p class="brand">Stopwatch NAS</p><h1>{escape(facts.name)}</h1>'
        f"<p>{line}</p></header>"
    )


def hero(facts: TrialFacts) -> str:
    """How far the search is, and the best of its trials in figures."""
    record, most = facts.record, facts.config.max_trials
    running = sum(rung.state == "running" for trial in record.trials for rung in trial.rungs)
    if record.is_finished:
        state, words = "met", "Search finished"
    else:
        begun = f"{len(record.trials)} of {most} trials have begun"
        state, words = "", f"Search not finished: {begun}, {running} trained when this was written"
    figures = "".join(_figure(*figure) for figure in _figures(facts))
    lines = [*([TOY_SIZE] if facts.config.is_smoke else []), *_lines(facts)]
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return (
        f'<div class="hero"><div class="verdict {state}">{escape(words)}</div>'
        f'<dl class="figures">{figures}</dl><div class="seen">{said}</div></div>'
    )


def _figures(facts: TrialFacts) -> list[tuple[str, str, str]]:
    """The best of each of the first two objectives, and what was trained."""
    found = []
    for objective in facts.objectives[:2]:
        numbered = [
            (objective.cost(value), one, value)
            for one in facts.trials
            if one.standing == "front" and (value := one.value(objective.text)) is not None
        ]
        if numbered:
            _, one, value = min(numbered, key=lambda entry: (entry[0], entry[1].number))
            text = value_text(objective.name, value)
            found.append((f"Best {objective.text}", text, f"trial {one.number} of the front"))
    trained, whole = facts.record.epochs_trained, facts.record.epochs_of_whole_trainings
    found.append(("Epochs trained", f"{trained:g}", f"{whole:g} if all trials were trained whole"))
    return found


def _figure(name: str, value: str, note: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><p>{escape(note)}</p></div>"


def _lines(facts: TrialFacts) -> list[str]:
    record = facts.record
    repeated = [] if record.repeated is None else list(repeated_lines(record.repeated))
    lines = [*repeated, *closing_lines(record, is_exhausted=False)]
    if not facts.record.is_finished and not facts.record.front:
        lines[-1] = "No training is whole yet: there is no front."
    return lines


def asked(facts: TrialFacts) -> str:
    """What was asked for, and the command that goes on from here."""
    config, record = facts.config, facts.record
    values = {
        "method": config.method,
        "objectives": [f"{o.text} ({o.direction})" for o in facts.objectives],
        "budgets": [budget.text for budget in config.parsed_budgets],
        "space": config.space,
        "network": config.network,
        "tuned knobs": ",".join(filter(None, (config.space_tune, config.tune))) or None,
        "recipe of the space": config.space_recipe,
        "trials": config.max_trials,
        "rungs": [epochs_text(epochs) for epochs in config.scheduler.ladder.epochs],
        "reduction": None if config.method in WHOLE else config.reduction,
        "sampler": config.sampler,
        "workers": config.workers or "as many as the cluster has room for",
        "executor": config.executor.kind,
        "seed": config.seed,
        "run id": record.run_id,
        "weights at the ends of rungs": _weights(config),
        "judged on": "a fifth of the training images; the evaluation images chose nothing",
    }
    parts = [f"<h3>Command</h3><pre>{escape(config.command)}</pre>"] if config.command else []
    if record.is_finished and record.front:
        command = escape(next_command(record, config))
        title = f"Trial {record.front[0]} on all training images"
        parts.append(f"<h3>{title}</h3><pre>{command}</pre>")
    return card("What was asked for", "", *parts, pairs(values))


def _weights(config: TrialsConfig) -> str:
    if not config.recipe.growing_average:
        return "the last ones"
    return "averages over the steps so far; of a whole training, the better of these and the last"


# From top to bottom; one that has nothing to show yet gives no text.
SECTIONS: tuple[Callable[[TrialFacts], str], ...] = (
    header,
    hero,
    beside,
    fronts,
    accuracy_against_bits,
    layer_bits,
    parallel,
    shares,
    rungs,
    courses,
    every,
    asked,
)
