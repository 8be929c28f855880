"""Folders that somebody else made: links lead nowhere, and what is read has a limit."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from latency.cli import program
from latency.device import files
from latency.device.errors import FileFormatError, LatencyError
from latency.device.job import run_job
from latency.device.journal import Past, Round, append_journal, read_journal
from latency.device.settings import SessionSettings
from latency.device.statistics import Visit
from latency.jobs.folder import device_program, export_job
from latency.measurement.measure import MeasurePlan, Model, workload, write_job
from latency.measurement.result import read_result
from latency.tables.table import LatencyTable
from tests.support.device_jobs import edit, run_worker
from tests.support.latency_graphs import chain, toy_job, toy_table
from tests.support.unhurried import TWO_ROUNDS_FLAGS

PRECIOUS = "precious\n"
ROUND = Round(0, {"net": Visit((1.0,))}, 1.0)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that no job may touch."""
    path = tmp_path / "outside" / "thesis.txt"
    path.parent.mkdir()
    path.write_text(PRECIOUS)
    return path


def symbolic(link: Path, target: Path) -> None:
    link.symlink_to(target)


def hard(link: Path, target: Path) -> None:
    link.hardlink_to(target)


def through_a_folder(link: Path, target: Path) -> None:
    folder = link.parent.rename(link.parent.with_name("moved"))
    link.parent.symlink_to(folder)
    (folder / link.name).symlink_to(target)


def export_program(job: Path) -> Path:
    """Puts the device's program into a job's folder."""
    for name, path in device_program().items():
        (job / name).parent.mkdir(exist_ok=True)
        shutil.copy(path, job / name)
    return job


LINKS = pytest.mark.parametrize("link", [symbolic, hard, through_a_folder])
Link = Callable[[Path, Path], None]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a job of one graph and one round."""
    folder = tmp_path / "job"
    folder.mkdir()
    plan = MeasurePlan(min_rounds=1, max_rounds=1, max_wait_seconds=0.0)
    write_job(folder, workload([Model("net", chain(1), "net")], SessionSettings(), plan))
    return folder


@LINKS
@pytest.mark.parametrize(
    "name", ["worker.lock", "journal.jsonl", "result.json", "result.json.part"]
)
def test_a_link_in_a_jobs_folder_never_changes_what_it_leads_to(
    job: Path, outside: Path, link: Link, name: str
) -> None:
    link(job / name, outside)
    if name in ("worker.lock", "journal.jsonl"):
        with pytest.raises(LatencyError) as caught:
            run_job(str(job))
        assert name in caught.value.expected and "remove it" in caught.value.fix
    else:
        assert json.loads(Path(run_job(str(job))).read_text())["rounds"] == 1
    assert outside.read_text() == PRECIOUS and list(outside.parent.iterdir()) == [outside]


@pytest.mark.parametrize("name", ["worker.lock", "journal.jsonl"])
def test_a_link_to_nothing_makes_nothing(job: Path, tmp_path: Path, name: str) -> None:
    (job / name).symlink_to(tmp_path / "new")
    with pytest.raises(LatencyError, match="Fix: remove it"):
        run_job(str(job))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["../secret.onnx", "/dev/zero", "models/link.onnx"])
def test_a_job_names_models_of_its_own_folder_alone(job: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.onnx").write_bytes(chain(1))
    (job / "models" / "link.onnx").symlink_to(tmp_path / "secret.onnx")
    edit(job / "job.json", lambda d: d["models"][0].update(file=name))
    with pytest.raises(LatencyError, match="Expected names of files in the folder"):
        run_job(str(job))
    done = run_worker(export_program(job))
    assert done.returncode == 2 and "error: Expected names of files in the folder" in done.stderr


@pytest.mark.parametrize("name", ["device", "models", "device/clock.py", "manifest.json"])
def test_an_export_never_writes_through_a_link(tmp_path: Path, outside: Path, name: str) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    if "/" in name:
        (folder / "device").mkdir()
    (folder / name).symlink_to(outside if "." in name else outside.parent)
    try:
        export_job(toy_job(), folder)
    except LatencyError as error:
        assert "remove it" in error.fix and "." not in name
    assert outside.read_text() == PRECIOUS and list(outside.parent.iterdir()) == [outside]


def test_a_journal_beside_a_table_never_goes_through_a_link(tmp_path: Path, outside: Path) -> None:
    journal = tmp_path / "table.json.journal"
    journal.symlink_to(outside)
    with pytest.raises(FileFormatError, match="a link, a pipe or a device"):
        toy_table(resume_path=journal)
    with pytest.raises(FileFormatError):
        append_journal(str(journal), "session", ROUND)
    assert outside.read_text() == PRECIOUS


def test_a_result_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path, outside: Path) -> None:
    path = tmp_path / "table.json"
    path.symlink_to(outside)
    files.write_whole(path, b"new")
    assert path.read_text() == "new" and not path.is_symlink()
    assert outside.read_text() == PRECIOUS


@pytest.mark.parametrize(
    "name",
    ["../outside/thesis.txt", "/dev/zero", "link", "linked/thesis.txt", "models", "none", "", "."]
    + ["a/../../outside/thesis.txt", "C:/x", "..\\outside\\thesis.txt", "a\0b", "~/x", "pipe"],
)
def test_names_that_lead_out_of_a_folder_are_refused(
    tmp_path: Path, outside: Path, name: str
) -> None:
    folder = tmp_path / "job"
    (folder / "models").mkdir(parents=True)
    (folder / "link").symlink_to(outside)
    (folder / "linked").symlink_to(outside.parent)
    os.mkfifo(folder / "pipe")
    with pytest.raises(FileFormatError) as caught:
        files.read_inside(folder, name, 100)
    assert "copy the file into the folder" in caught.value.fix


def test_a_link_that_stays_in_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.onnx").write_bytes(b"net")
    (tmp_path / "net.onnx").symlink_to(Path("models", "net.onnx"))
    assert files.read_inside(tmp_path, "net.onnx", 100) == b"net"


def test_what_is_read_has_a_limit_and_is_a_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert files.read_bytes(path, 5) == b"12345"
    with pytest.raises(FileFormatError, match="at most 4 bytes in .*file"):
        files.read_bytes(path, 4)
    os.mkfifo(tmp_path / "pipe")  # a reader of it would wait for ever
    for odd in (Path("/dev/zero"), tmp_path / "pipe", tmp_path):
        with pytest.raises(FileFormatError):
            files.read_bytes(odd)


def test_a_table_of_endless_zeros_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.json").symlink_to("/dev/zero")
    with pytest.raises(LatencyError, match="Expected a latency table"):
        LatencyTable.load(tmp_path / "table.json")


def test_rounds_are_measured_on_where_they_can_no_longer_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "gone" / "journal.jsonl")
    assert read_journal(path, "session") == Past()
    assert not append_journal(path, "session", ROUND)
    assert "warning: finished rounds are no longer kept" in capsys.readouterr().err
    (tmp_path / "gone").mkdir()
    assert append_journal(path, "session", ROUND)
    assert read_journal(path, "session") == Past((ROUND,))


def test_a_result_that_cannot_be_written_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gone" / "result.json"
    with pytest.raises(files.UnwrittenError) as caught:
        files.keep_text(path, '{"ms": 1.5}\n')
    assert capsys.readouterr().out == '{"ms": 1.5}\n'
    assert str(path) in caught.value.expected and "printed instead" in caught.value.received


def test_a_folder_that_vanishes_loses_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    plan = MeasurePlan(min_rounds=3, max_rounds=3, max_wait_seconds=0.0)
    work = workload([Model("net", chain(1), "net")], SessionSettings(), plan)
    write_job(folder, work)

    def progress(done: int, total: int, seconds_left: float) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    with pytest.raises(files.UnwrittenError):
        run_job(str(folder), progress)
    printed = capsys.readouterr()
    assert printed.err.count("warning: finished rounds are no longer kept") == 1
    (tmp_path / "kept.json").write_text(printed.out)
    assert read_result(tmp_path / "kept.json", work.job_id).rounds == 3


def test_a_measurement_that_cannot_be_written_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.onnx").write_bytes(chain(1))
    plain = files.write_whole

    def full(path: Path, data: bytes) -> None:
        if Path(path).name == "table.json":
            raise OSError(28, "No space left on device")
        plain(path, data)

    monkeypatch.setattr(files, "write_whole", full)
    words = [*TWO_ROUNDS_FLAGS, "--output", str(tmp_path / "table.json")]
    assert program.main(["table", str(tmp_path / "net.onnx"), *words]) == 2
    printed = capsys.readouterr()
    assert "No space left on device; its content is printed instead" in printed.err
    (tmp_path / "kept.json").write_text(printed.out)
    assert len(LatencyTable.load(tmp_path / "kept.json").rows) == 1
    # The finished rounds are still there, too.
    assert (tmp_path / "table.json.journal").is_file()
