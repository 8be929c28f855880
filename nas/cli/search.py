"""Flags of `nas.py` -> a search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from absl import flags

from nas.cli import flags as strict_flags
from nas.cli.exit_codes import EXIT_CODES
from nas.cli.follow import follow, follows
from nas.interface.asked import AskedSearch, source_of
from nas.interface.profiling import check_profile, profile_of
from nas.interface.searching import run_search
from nas.interface.trials import is_trials, run_trials
from nas.interface.trials_config import AskedTrials
from nas.report.profile import finding_text, profile_table
from nas.runs.outcome import Outcome
from nas.selection.goals import GOAL_FLAGS, parse_goals
from nas.system.console import out
from nas.system.interrupt import Interrupter


def search(
    values: flags.FlagValues,
    command: str,
    interrupter: Interrupter,
    on_folder: Callable[[Path], None],
) -> int:
    """Runs `nas.py` after its flags were read.

    Args:
        values: The flags.
        command: Command line, for the record.
        interrupter: Asked whether to stop.
        on_folder: Told the run's folder as soon as there is one.

    Returns:
        The exit code.

    Raises:
        LatencyError: Bad input.
        Interrupted: A signal came; the state is saved.
    """
    if follows(values):
        return follow(values, interrupter)
    if values["profile"].value:
        return profile(values)
    run_dir = values["run_dir"].value
    path = Path(run_dir) if run_dir else None
    options = strict_flags.given(values)
    if is_trials(options):
        source = source_of(options.get("data_dir"), options)
        asked = AskedTrials(source, options, command)
        _, record = run_trials(asked, path, interrupter, on_folder)
        return EXIT_CODES[record.outcome]
    _, outcome = run_search(asked_search(values, command), path, interrupter, on_folder)
    return EXIT_CODES[outcome]


def profile(values: flags.FlagValues) -> int:
    """Prints what the space offers, and whether what is asked can be kept together.

    Args:
        values: The flags.

    Returns:
        0 where everything can be kept, 5 where it cannot, 4 where that cannot be told.

    Raises:
        LatencyError: Bad input.
    """
    options = strict_flags.given(values)
    check_profile(options)
    given = {flag: options.get(flag) for flag in GOAL_FLAGS}
    goals = parse_goals(given) if any(text is not None for text in given.values()) else ()
    found, notes = profile_of(options, goals)
    out.print(profile_table(found))
    for finding in found.findings:
        out.print(finding_text(finding), markup=False)
    for note in notes:
        out.print(note, markup=False)
    outcomes = {True: Outcome.MET, False: Outcome.NOT_MET, None: Outcome.CANNOT_TELL}
    return EXIT_CODES[outcomes[found.can_be_kept]]


def asked_search(values: flags.FlagValues, command: str = "") -> AskedSearch:
    """What the flags ask for.

    Args:
        values: The flags.
        command: Command line, for the record.

    Raises:
        InputError: A goal that is none.
    """
    options = strict_flags.given(values)
    given = {flag: options.get(flag) for flag in GOAL_FLAGS}
    goes_on = bool(options.get("resume")) and all(text is None for text in given.values())
    goals = () if goes_on else parse_goals(given, options.get("quantity"))
    return AskedSearch(goals, source_of(options.get("data_dir"), options), options, command)
