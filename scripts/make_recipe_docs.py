#!/usr/bin/env python3
"""Writes the tables of docs/recipes.md out of the records, and draws the courses of the rate.

python scripts/make_recipe_docs.py          writes the tables and docs/images/schedules.png
python scripts/make_recipe_docs.py --check  says with exit code 1 that the tables are out of date
"""

from __future__ import annotations

import io
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from latency.start import begin

if __name__ == "__main__":
    begin()

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from latency import atomic, shell
from latency.cli.parser import Parser
from nas.cli.recipe_flags import help_of
from nas.interface.recipe_options import KNOBS
from nas.recipes import RECIPES
from nas.report.plots import BLUE, MUTED, STYLE
from nas.training.knobs import Knob
from nas.training.optimizers import OPTIMIZERS
from nas.training.recipe import Recipe
from nas.training.schedule_files import share_at
from nas.training.schedules import SCHEDULES

PAGE = ROOT / "docs" / "recipes.md"
PICTURE = ROOT / "docs" / "images" / "schedules.png"
WIDTH = 96
DRAWN_EPOCHS, DRAWN_STEPS, COLUMNS = 20.0, 2000, 5


def main(arguments: list[str]) -> int:
    """Writes or checks the tables."""
    parser = Parser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare the page, write nothing")
    is_check = parser.parse_args(arguments).check
    text = PAGE.read_text("utf-8")
    wanted = filled(text)
    if not is_check:
        PAGE.write_text(wanted, "utf-8")
        atomic.write_bytes(PICTURE, picture())
        return 0
    if text == wanted:
        return 0
    print(
        f"Error: Expected docs/{PAGE.name} as the records are.\nReceived: other tables.\n"
        "Fix: python scripts/make_recipe_docs.py.",
        file=sys.stderr,
    )
    return 1


def filled(text: str) -> str:
    """A page with every table between its two marks.

    Args:
        text: Of the page.
    """
    for name, make in TABLES.items():
        begun, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        pattern = re.compile(re.escape(begun) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"Expected {begun!r} and {end!r} in {PAGE}. Fix: write both marks.")
        table = f"{begun}\n{make()}\n{end}"
        text = pattern.sub(lambda _, table=table: table, text)  # type: ignore[misc]
    return text


def _items(items: Iterable[str]) -> str:
    """A list, in lines that are no wider than those of other pages."""
    return "".join(
        textwrap.fill(
            f"- {item}",
            WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        + "\n"
        for item in items
    )


def knobs() -> str:
    """Flag, usual value and meaning of every knob."""
    usual = Recipe(epochs=1.0)
    return _items(
        f"`--{knob.name}` ({_usual(knob, usual)}): {help_of(knob)}" for knob in KNOBS.values()
    )


def _usual(knob: Knob, recipe: Recipe) -> str:
    """What a recipe has where it names nothing else."""
    value = knob.of(recipe)
    if knob.name == "epochs":
        return "always named"
    if knob.kind is bool:
        return "on" if value else "off"
    return f"usually `{knob.word(value)}`"


def recipes() -> str:
    """The named recipes in short."""
    rows = [("recipe", "epochs", "images a step", "optimizer", "peak rate", "schedule")]
    rows += [("---",) * 6]
    for name in RECIPES:
        found = RECIPES[name]
        sizes = (f"{found.epochs:g}", f"{found.batch_size}")
        names = (f"`{found.optimizer}`", f"{found.peak_rate:.3g}", f"`{found.schedule}`")
        rows.append((f"`{name}`", *sizes, *names))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def schedules() -> str:
    """The schedules with their parameters for twenty epochs, and their sources."""
    return _items(map(_schedule, SCHEDULES))


def _schedule(name: str) -> str:
    schedule = SCHEDULES[name]
    values = {key: schedule.own(key, DRAWN_EPOCHS) for key in schedule.parameters}
    words = ", ".join(f"`--{key} {KNOBS[key].word(value)}`" for key, value in values.items())
    first = (schedule.share.__doc__ or "").partition("\n")[0]
    return f"`{name}`: {first} Usual in 20 epochs: {words}. Source: {schedule.source}."


def optimizers() -> str:
    """The optimizers with what each has where nobody names anything else."""
    return _items(map(_optimizer, OPTIMIZERS))


def _optimizer(name: str) -> str:
    own = OPTIMIZERS[name]
    first = (own.build.__doc__ or "").partition("\n")[0].removesuffix(".")
    momentum = "" if own.momentum is None else f", momentum {own.momentum:g}"
    return (
        f"`{name}`: {first}. Rate {own.learning_rate:g} for {own.batch_size} images a step, for "
        f"others times {own.rule.words} ({own.rule.source}); weight decay "
        f"{own.weight_decay:g}{momentum}."
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "knobs": knobs,
    "recipes": recipes,
    "schedules": schedules,
    "optimizers": optimizers,
}


def picture() -> bytes:
    """The courses of all schedules with their own parameters, a small picture each."""
    rows = -(-len(SCHEDULES.names) // COLUMNS)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 1.9 * rows), layout="constrained", dpi=110)
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(SCHEDULES.names) :]:
            axes.set_visible(False)
        for axes, name in zip(grid.flat, SCHEDULES.names, strict=False):
            course = Recipe(DRAWN_EPOCHS, schedule=name).course(DRAWN_STEPS)
            steps = range(DRAWN_STEPS)
            shares = [share_at(name, step, course) for step in steps]
            axes.plot([course.epoch(step) for step in steps], shares, color=BLUE, linewidth=1.6)
            axes.set_title(name, fontsize=10)
            axes.set_ylim(-0.04, 1.06)
        figure.supxlabel("epoch", color=MUTED, fontsize=10)
        figure.supylabel("share of the peak rate", color=MUTED, fontsize=10)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))
