"""Settings of the whole suite: quiet libraries, a cache of its own."""

from __future__ import annotations

import os
import tempfile

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Tests must neither use nor change what the user has cached or run.
os.environ["STOPWATCH_CACHE"] = tempfile.mkdtemp(prefix="stopwatch-cache-")
os.environ["STOPWATCH_RUNS"] = tempfile.mkdtemp(prefix="stopwatch-runs-")

# Files that take minutes begin first, so that the two processes end together.
LONGEST_FIRST = (
    "test_readme.py",
    "test_retrain_and_search.py",
    "test_sweeps_and_races.py",
    "test_benchmarks.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts by file: the long ones first, the others as they were."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
