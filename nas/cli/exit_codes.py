"""Exit codes of the programs beside those of `latency.shell`, and the same as `latency`'s own."""

from __future__ import annotations

from nas.runs.outcome import Outcome

EXIT_DONE = 0
# 3 is `latency check`'s: a stale table. `stopwatch` is all programs, so a code means one thing.
EXIT_CODES = {
    Outcome.NOT_ASKED: EXIT_DONE,
    Outcome.MET: EXIT_DONE,
    Outcome.CANNOT_TELL: 4,
    Outcome.NOT_MET: 5,
}
EXIT_TEXT = (
    "Exit codes: 0 done (and the target met), 4 cannot tell whether it is met, 5 target missed, "
    "2 bad input, 130/143 stopped."
)
