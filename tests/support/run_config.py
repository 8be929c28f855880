"""Configurations of runs, made up for tests that need one and not its contents."""

from __future__ import annotations

from typing import Any

from nas.interface.asked import AskedSearch, search_config
from nas.runs.config import RunConfig
from nas.runs.data import DataSource
from nas.selection.goals import Goal


def run_config(*goals: Goal, space: str = "toy", **options: Any) -> RunConfig:
    """A search of toy size on the embedded sample.

    Args:
        goals: What to reach; a penalty of 0.1 if none is given.
        space: Name of the search space.
        options: As `SearchOptions`.
    """
    options = {"smoke": True, **options}
    asked = AskedSearch(goals or (Goal(penalty=0.1),), DataSource(), options, "python nas.py")
    return search_config(asked, space, is_sample=True)
