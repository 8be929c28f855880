"""A measured job folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from latency.jobs.folder import export_job
from tests.support.device_jobs import run_worker
from tests.support.latency_graphs import toy_job


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job folder with the result of its own program, run as on a device."""
    folder = tmp_path_factory.mktemp("job") / "toy"
    export_job(toy_job(), folder)
    done = run_worker(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder / "result.json")
    return folder


@pytest.fixture
def folder(measured: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(measured, tmp_path / "toy"))
