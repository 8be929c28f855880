"""Files that tell of a search by trials: at its end, and now and then while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nas.report.trial_page.page import write_trials_page
from nas.runs.folder import RunFolder
from nas.runs.trials_record import Searched, TrialsRecord, csv_rows, curve_rows, trials_record
from nas.tuning.legs import SearchState

# Between two pages of a search that runs, at least.
LEAST_SECONDS = 60.0
# A page of 10,000 trials takes a while: it may take so much of the search's time, 0 to 1.
MOST_SHARE = 0.02


@dataclass
class TrialFiles:
    """Writes trials.json, its tables and the page.

    Args:
        folder: Of the run.
        searched: What the search is of.
        clock: Seconds from any moment on.
    """

    folder: RunFolder
    searched: Searched
    clock: Callable[[], float] = time.monotonic
    _due_s: float = field(default=0.0, init=False)

    def write(self, state: SearchState) -> TrialsRecord:
        """Writes all of them of a search that is not at its end.

        Args:
            state: Of the search.

        Raises:
            InputError: The disk is full or read-only.
        """
        record = trials_record(state, self.searched, is_finished=False)
        self.write_record(record, state)
        return record

    def write_record(self, record: TrialsRecord, state: SearchState) -> None:
        """Writes all of them.

        Args:
            record: Of the search.
            state: Of the search.

        Raises:
            InputError: The disk is full or read-only.
        """
        begun_s = self.clock()
        self.folder.write_csv("trials.csv", list(csv_rows(record)))
        self.folder.write_csv("trial_curves.csv", list(curve_rows(state)))
        self.folder.write(record)
        write_trials_page(self.folder.path)
        ended_s = self.clock()
        self._due_s = ended_s + max(LEAST_SECONDS, (ended_s - begun_s) / MOST_SHARE)

    def keep(self, state: SearchState) -> None:
        """Writes them of a search that has begun to train; one that has not leaves no folder.

        Args:
            state: Of the search.

        Raises:
            InputError: The disk is full or read-only.
        """
        if state.legs:
            self.write(state)

    def look(self, state: SearchState) -> None:
        """Writes them if it is time.

        Args:
            state: Of the search that runs.

        Raises:
            InputError: The disk is full or read-only.
        """
        if self.clock() >= self._due_s:
            self.write(state)
