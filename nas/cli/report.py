"""`stopwatch report`: writes the page of a run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latency.cli.exit_codes import EXIT_DONE
from latency.cli.parser import Parser
from nas.interface.run import Run
from nas.report.compared import write_compared_page
from nas.report.page import write_report
from nas.report.pareto import write_pareto
from nas.report.trial_page.page import write_trials_page
from nas.runs.config import ComparisonConfig
from nas.runs.trials import TrialsConfig
from nas.system.console import out


def report(words: Sequence[str]) -> int:
    """Writes the page of a run, a comparison or a search by trials again, or a sweep's pages.

    Args:
        words: Of the command line, without the verb.

    Returns:
        The exit code.

    Raises:
        LatencyError: No run, or one that cannot be read or written.
    """
    parser = Parser(prog="stopwatch report", description="Writes the report of a run again.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    path: Path = parser.parse_args(words).run
    run = Run(path)
    if isinstance(run.config, ComparisonConfig):
        out.print(f"Page: {write_compared_page(run.path)}")
        return EXIT_DONE
    if isinstance(run.config, TrialsConfig):
        out.print(f"Report: {write_trials_page(run.path)}")
        return EXIT_DONE
    for one in run.runs:
        out.print(f"Report: {write_report(one.path)}")
    if len(run.runs) > 1:
        names = [one.path.name for one in run.runs]
        out.print(f"Pareto front: {write_pareto(path, names)}")
    return EXIT_DONE
