"""Exit codes of the programs beside those of `latency.shell`, and the same as `latency`'s own."""

from __future__ import annotations

from latency.cli.exit_codes import EXIT_CANNOT_TELL, EXIT_DONE, EXIT_NOT_MET
from nas.runs.outcome import Outcome

# `stopwatch` is all programs under one name: a code means one thing in all of them.
EXIT_CODES = {
    Outcome.NOT_ASKED: EXIT_DONE,
    Outcome.MET: EXIT_DONE,
    Outcome.CANNOT_TELL: EXIT_CANNOT_TELL,
    Outcome.NOT_MET: EXIT_NOT_MET,
}
EXIT_TEXT = (
    "Exit codes: 0 done (and the target met), 4 cannot tell whether it is met, 5 target missed, "
    "2 bad input, 130/143 stopped, 141 nobody reads the output."
)
