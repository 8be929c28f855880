"""Event files hold what TensorBoard reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nas.runs.tensorboard import write_events


def test_events_read_back(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    rows = [
        {"step": 10, "stage": "warmup", "loss": 2.5, "accuracy": None},
        {"step": 20, "stage": "search", "loss": 2.0, "accuracy": 0.25},
    ]
    # Folders may have any name that a file system takes.
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    path = write_events(folder, rows, "search/")
    assert path is not None
    events = list(tf.compat.v1.train.summary_iterator(os.fsencode(path)))
    assert events[0].file_version == "brain.Event:2"
    assert [e.step for e in events[1:]] == [10, 20]
    found = {v.tag: v.simple_value for v in events[2].summary.value}
    assert found == {"search/loss": 2.0, "search/accuracy": 0.25}
    assert [v.tag for v in events[1].summary.value] == ["search/loss"]


def test_without_tensorflow_there_are_no_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What cannot be imported.
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert write_events(tmp_path / "events", [{"step": 1, "loss": 2.0}], "search/") is None
    assert not (tmp_path / "events").exists()
