"""`stopwatch report`: writes the page of a run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latency.cli.exit_codes import EXIT_DONE
from latency.cli.parser import Parser
from nas.interface.run import Run
from nas.report.compared import write_compared_page
from nas.report.front_page import write_front_page
from nas.report.page import write_report
from nas.report.pareto import write_pareto
from nas.report.trial_page.page import write_trials_page
from nas.runs.config import ComparisonConfig, RunConfig
from nas.runs.folder import RunFolder
from nas.runs.front import Front, network_names
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
    if not (isinstance(run.config, RunConfig) and run.config.is_sweep):
        out.print(f"Report: {write_report(run.path)}")
        return EXIT_DONE
    folder = RunFolder(run.path)
    names = network_names(folder, run.config.goals)
    for name in names:
        out.print(f"Report: {write_report(run.path / name)}")
    out.print(f"Pareto front: {write_pareto(run.path, names)}")
    if folder.has(Front):
        out.print(f"Front: {write_front_page(run.path, folder.read(Front))}")
    return EXIT_DONE
