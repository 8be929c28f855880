"""`stopwatch`: all programs behind one name, for an installation without the repository."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from latency import shell
from latency.errors import LatencyError
from nas.system.console import out

VERBS = {
    "search": "search a network that is accurate and fast on this device (nas.py)",
    "retrain": "train, export, measure and certify a found network (main.py)",
    "latency": "measure ONNX models and make latency tables (python -m latency)",
    "report": "write the report of a run again",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        arguments: Without the program's name; None for those of this process.

    Returns:
        The exit code: 0 done, 2 bad input, 4 cannot tell, 5 target missed, 130 or 143 stopped;
        `latency` has more.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        out.print(_help(), markup=False)
        return 0 if words else shell.EXIT_BAD_INPUT
    return shell.run(lambda: _run(words[0], words[1:]))


def _help() -> str:
    lines = [f"  {verb:<9} {text}" for verb, text in VERBS.items()]
    return "\n".join(["stopwatch VERB ...", "", *lines, "", "stopwatch VERB --help tells more."])


def _run(verb: str, rest: Sequence[str]) -> int:
    if verb == "search":
        from nas.cli.program import run_search

        return run_search([verb, *rest])
    if verb == "retrain":
        from nas.cli.program import run_retrain

        return run_retrain([verb, *rest])
    if verb == "latency":
        from latency.cli.program import main as run_latency

        return run_latency(rest)
    if verb == "report":
        return _report(rest)
    raise LatencyError(f"one of {', '.join(VERBS)}", repr(verb), "see stopwatch --help")


def _report(rest: Sequence[str]) -> int:
    """Writes the page of a run again, or the front of a sweep and its runs' pages."""
    parser = argparse.ArgumentParser(
        prog="stopwatch report", description="Writes the report of a run again.", allow_abbrev=False
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    path: Path = parser.parse_args(rest).run
    from nas.interface.run import Run
    from nas.report.page import write_report
    from nas.report.pareto import write_pareto

    run = Run(path)
    for one in run.runs:
        out.print(f"Report: {write_report(one.path)}", markup=False)
    if len(run.runs) > 1:
        names = [one.path.name for one in run.runs]
        out.print(f"Pareto front: {write_pareto(path, names)}", markup=False)
    return 0
