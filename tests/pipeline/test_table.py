"""The table of a run: given, then its own."""

from __future__ import annotations

import errno
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from latency.errors import LatencyError
from latency.tables.table import LatencyTable
from nas.pipeline.table import run_table
from nas.runs.folder import RunFolder
from nas.search_space.named import get_space
from tests.support.run_config import run_config
from tests.support.toy import changed_table, toy_space


def test_a_given_table_becomes_the_runs_own(
    toy_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = Path(shutil.copy(toy_table, tmp_path / "given.json"))
    config = run_config(table=str(given))
    folder = RunFolder.create(tmp_path / "run", config, "test")
    rows = run_table(folder, toy_space(), config).rows
    assert re.search(r"at full speed in \d+ % of the time\.$", capsys.readouterr().out)
    given.unlink()
    assert run_table(folder, toy_space(), config).rows == rows


def test_a_journal_stays_until_the_run_has_its_table(
    toy_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(table=str(toy_table))
    folder = RunFolder.create(tmp_path / "run", config, "test")
    journal = folder.path / "table.journal"
    journal.write_text("minutes of measuring")

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(LatencyTable, "save", full)
        with pytest.raises(OSError, match="No space"):
            run_table(folder, toy_space(), config)
    assert journal.read_text() == "minutes of measuring"
    run_table(folder, toy_space(), config)
    assert folder.has("table.json") and not journal.exists()


def test_a_table_of_another_space_is_refused(toy_table: Path, tmp_path: Path) -> None:
    config = run_config(table=str(toy_table))
    folder = RunFolder.create(tmp_path / "run", config, "test")
    with pytest.raises(LatencyError, match="(?s)Expected.*Received.*Fix"):
        run_table(folder, get_space("cifar"), config)
    assert not folder.has("table.json")


def test_a_table_of_another_device_needs_its_name(toy_table: Path, tmp_path: Path) -> None:
    table = changed_table(toy_table, tmp_path / "other.json", host=_other_host(toy_table))
    here = run_config(table=str(table))
    folder = RunFolder.create(tmp_path / "run", here, "test")
    with pytest.raises(LatencyError, match="another"):
        run_table(folder, toy_space(), here)
    there = replace(here, device="board")
    assert run_table(folder, toy_space(), there).host.cpu_model == "another"


def _other_host(table: Path) -> dict[str, object]:
    import json

    return {**json.loads(table.read_text("utf-8"))["host"], "cpu_model": "another"}
