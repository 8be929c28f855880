"""`stopwatch`: all programs behind one name, for an installation without the repository."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from latency import start

VERBS = {
    "search": "search a network that is accurate and fast on this device (nas.py)",
    "retrain": "train, export, measure and certify a found network (main.py)",
    "latency": "measure ONNX models and make latency tables (python -m latency)",
    "table": "measure the latency table of a search space (scripts/build_latency_table.py)",
    "report": "write the report of a run again",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        arguments: Without the program's name; None for those of this process.

    Returns:
        The exit code: 0 done, 2 bad input, 4 cannot tell, 5 target missed, 130 or 143 stopped, 141
        nobody reads the output; `latency` has more.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    with start.importing():
        from latency import shell

        work = _work(words)
    return shell.run(work)


def _work(words: Sequence[str]) -> Callable[[], int]:
    """What a command line asks for; the modules of the verb are imported here."""
    verb, rest = (words[0], list(words[1:])) if words else ("", [])
    if verb == "search":
        from nas.cli.program import run_search

        return lambda: run_search([verb, *rest])
    if verb == "retrain":
        from nas.cli.program import run_retrain

        return lambda: run_retrain([verb, *rest])
    if verb == "table":
        from nas.cli.table import run_table

        return lambda: run_table([verb, *rest])
    if verb == "latency":
        from latency.cli.program import main as run_latency

        return lambda: run_latency(rest)
    if verb == "report":
        from nas.cli.report import report

        return lambda: report(rest)
    return lambda: _help(verb)


def _help(word: str) -> int:
    """Prints the verbs, or refuses a word that is none."""
    from latency.cli.parser import UsageError, nearest
    from latency.shell import EXIT_BAD_INPUT
    from latency.terminal import say

    if word not in ("", "-h", "--help", "help"):
        fix = nearest(word, VERBS) or "see stopwatch --help"
        raise UsageError(f"one of {', '.join(VERBS)}", repr(word), fix)
    lines = [f"  {verb:<9} {text}" for verb, text in VERBS.items()]
    say("\n".join(["stopwatch VERB ...", "", *lines, "", "stopwatch VERB --help tells more."]))
    return 0 if word else EXIT_BAD_INPUT
