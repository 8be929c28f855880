"""What a job of a search by trials takes along to another machine."""

from __future__ import annotations

from pathlib import Path

from nas.pipeline.trial_bench import checkpoint_name
from nas.pipeline.trial_jobs import OF_EVALUATIONS, shared_of
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from tests.support.run_config import run_config


def test_files_and_checkpoints_of_a_job_are_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", run_config(), "test")
    images = DataSource("files", "/images")
    shared = shared_of(folder, images, ["/own/blocks.py"])
    # Images and blocks of a user's own have to be there; they are not sent.
    assert shared.root == folder.path.resolve() and shared.paths == ("/images", "/own/blocks.py")
    assert {"config.json", "data.json"} == set(shared.inputs)
    assert shared.packages == ("numpy", "keras", "tensorflow")
    own = f"checkpoints/{checkpoint_name(3)}.npz"
    assert shared.state({"trial": 3}) == (own,)
    assert shared.state({OF_EVALUATIONS: [], "checkpoint": "seed_1"}) == ("checkpoints/seed_1.npz",)
    assert shared_of(folder, DataSource("sample"), ()).paths == ()
