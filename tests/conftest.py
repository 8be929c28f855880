"""Settings of the whole suite: quiet libraries, a cache of its own, the shared toy run."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Two processes of tests share two cores. Where one has threads of its own for an operation, these
# wait for each other: one thread each is a tenth faster (docs/log.md).
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
# Tracing a network makes a million objects that all stay: looking through them for circles after
# every 700 takes a tenth of the time.
gc.set_threshold(200_000, 20, 100)
# Tests must neither use nor change what the user has cached or run. Removed when the process ends.
_own = tempfile.TemporaryDirectory(prefix="stopwatch-tests-")
os.environ["STOPWATCH_CACHE"] = str(Path(_own.name, "cache"))
os.environ["STOPWATCH_RUNS"] = str(Path(_own.name, "runs"))

TESTS = Path(__file__).resolve().parent
# Files that take long begin first, so that the two processes end together. The first one makes the
# shared toy run; what begins beside it must not wait for that.
LONGEST_FIRST = (
    "programs/test_retrain_and_search.py",
    "supernet/test_model.py",
    "programs/test_sweeps_and_races.py",
    "programs/test_benchmarks.py",
    "programs/test_backends.py",
    "programs/test_kill_and_resume.py",
    "latency/jobs/test_ssh.py",
    "contracts/test_decision_contract.py",
    "interface/test_api.py",
    "programs/test_readme.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts by file: the long ones first, the others as they were."""
    missing = [name for name in LONGEST_FIRST if not (TESTS / name).is_file()]
    if missing:
        raise pytest.UsageError(f"LONGEST_FIRST of {__file__} names what is gone: {missing}")
    places = {TESTS / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_sessionfinish() -> None:
    """A process ends at once: pytest would look through all of its objects five times."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """Files reach the disk when the system writes them: no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        # As the real one, it refuses what is no open file.
        patch.setattr(os, "fsync", lambda descriptor: None if os.fstat(descriptor) else None)
        yield


@pytest.fixture(scope="session", autouse=True)
def errors_are_told_once() -> Iterator[None]:
    """No error has another one of ours inside: each is told as it was raised.

    They are ValueErrors, so that whoever catches what a library raises may catch them too.
    """
    from latency.device.errors import LatencyError

    made = LatencyError.__init__

    def checked(self: LatencyError, expected: str, received: str, fix: str) -> None:
        made(self, expected, received, fix)
        parts = (expected, received, fix)
        nested = [part for part in parts if "Expected " in part and "Received: " in part]
        assert not nested, f"an error inside of another: {nested}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LatencyError, "__init__", checked)
        yield


@pytest.fixture(scope="session", autouse=True)
def models_are_forgotten_without_looking_for_garbage() -> Iterator[None]:
    """Programs free their models as a new process does, see `tests.support.programs`."""
    from nas.system import backend
    from tests.support.programs import forget_models

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "forget_models", forget_models)
        yield


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all worker processes of this session."""
    own = tmp_path_factory.getbasetemp()
    # A worker's folder lies in the session's; without workers the own one is the session's.
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


# What follows is made when it is first asked for, once a session, and must not be changed.


@pytest.fixture(scope="session")
def toy_table(shared_folder: Path) -> Path:
    """A latency table of the toy space for this host; see `tests.support.toy.make_table`."""
    from tests.support import toy

    return toy.once(shared_folder, "toy_table.json", toy.make_table)


@pytest.fixture(scope="session")
def toy_run(shared_folder: Path, toy_table: Path) -> Path:
    """The folder of a finished toy search."""
    from tests.support import toy

    return toy.once(shared_folder, "toy_run", lambda path: toy.make_run(path, toy_table))


@pytest.fixture(scope="session")
def toy_retrained(shared_folder: Path, toy_run: Path) -> Path:
    """The folder of the toy search after its retraining."""
    from tests.support import toy

    return toy.once(shared_folder, "toy_retrained", lambda path: toy.make_retrained(path, toy_run))
