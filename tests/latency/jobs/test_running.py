"""Jobs of which a model fails when it is run: it is named, and the others go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from latency.cli import program
from latency.device.job import measure_models, read_job_file
from latency.device.plan import MeasurePlan
from latency.device.records import Result
from latency.jobs.folder import export_job, read_job, read_results
from latency.jobs.job import Job, JobError, run_here
from latency.jobs.plans import RowPlan, WholePlan
from latency.jobs.running import left_out, running_part
from latency.tables.build import table_of
from latency.tables.table import LatencyTable
from tests.support.device_jobs import edit, run_worker
from tests.support.latency_graphs import chain, gather, hidden_gather, toy_job
from tests.support.unhurried import TWO_ROUNDS_FLAGS

PLAN = MeasurePlan(min_rounds=2, max_rounds=2, max_wait_seconds=0.2)


def with_failing(*names: str) -> Job:
    """A toy job in which some models look up ids that do not exist."""
    job = toy_job(plan=PLAN)
    models = (replace(m, data=hidden_gather(9)) if m.key in names else m for m in job.models)
    return replace(job, models=tuple(models))


@pytest.fixture(scope="module")
def job() -> Job:
    return with_failing("net2", "stem")


@pytest.fixture(scope="module")
def result(job: Job) -> Result:
    return run_here(job)


def test_a_job_goes_on_without_the_models_that_fail(job: Job, result: Result) -> None:
    assert set(result.failed) == {"net2", "stem"} and "out of data bounds" in result.failed["stem"]
    assert set(result.visits) == {model.key for model in job.everything} - {"net2", "stem"}
    # One verdict a row and network of the job, as ever.
    assert len(result.certain) == 2 + 6 and not result.certain[1]
    assert set(result.described) == {"chain4"}


def test_what_rests_on_a_failed_model_is_left_out_and_named(job: Job, result: Result) -> None:
    left, of_left = running_part(job, result)
    # Every network of the toy job has a stem.
    assert [row.key for row in left.rows] == ["block"] and left.wholes == ()
    assert of_left.failed == {} and len(of_left.certain) == 1
    assert list(table_of(left, of_left).rows) == ["block"]
    said = left_out(job, left, result.failed)
    assert said[0].startswith("model 'stem' does not run: ") and len(said) == 3
    assert said[-1] == "left out for it: 'stem', 'net1', 'net2', 'net3', 'net4', 'net5', 'net6'"


def test_without_failures_a_job_stays_as_it_is(result: Result) -> None:
    whole, none = toy_job(), replace(result, failed={})
    assert running_part(whole, none) == (whole, none) and left_out(whole, whole, {}) == []


def test_a_job_of_which_no_row_is_left_names_a_model(result: Result) -> None:
    row = RowPlan("stem", "stem", None, 1)
    job = replace(with_failing("stem"), rows=(row,), wholes=())
    with pytest.raises(JobError, match="models that run, 'stem' among them"):
        running_part(job, result)


def test_a_table_of_a_whole_space_is_not_made_with_gaps(job: Job, result: Result) -> None:
    with pytest.raises(ValueError, match="models that run, 'stem' among them"):
        table_of(job, result)


def test_a_model_may_fail_before_or_after_an_interruption(tmp_path: Path) -> None:
    good = replace(toy_job(plan=PLAN), wholes=()).workload
    bad = replace(replace(with_failing("stem"), wholes=()).workload, job_id=good.job_id)
    journal = str(tmp_path / "one.jsonl")
    assert not measure_models(good, journal_path=journal).failed
    # What fails now has no visits, however many it had.
    found = measure_models(bad, journal_path=journal)
    assert set(found.failed) == {"stem"} and "stem" not in found.visits
    # The other way round it joins the rounds that are left.
    journal = str(tmp_path / "other.jsonl")
    measure_models(bad, journal_path=journal)
    more = replace(good, plan=replace(good.plan, min_rounds=4, max_rounds=4))
    whole = measure_models(more, journal_path=journal)
    assert not whole.failed
    assert (len(whole.visits["stem"]), len(whole.visits["chain1"])) == (2, 4)


def test_a_journal_of_other_ids_is_refused(tmp_path: Path) -> None:
    # As an older program left it, which drew ids from 1 to 127 whatever the graph showed.
    journal = tmp_path / "journal.jsonl"
    base = toy_job(plan=PLAN)
    models = (replace(base.models[0], data=gather(9)), *base.models[1:])
    work = replace(base, models=models, wholes=()).workload
    measure_models(work, journal_path=str(journal))
    first, rest = journal.read_text().split("\n", 1)
    assert " on ids " in first
    identity = json.loads(first)["identity"].partition(" on ids ")[0]
    journal.write_text(json.dumps({"identity": identity}) + "\n" + rest)
    with pytest.raises(ValueError, match="Expected a journal of the session"):
        measure_models(work, journal_path=str(journal))


def test_on_a_device_and_back_a_failed_model_keeps_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "job", tmp_path / "table.json"
    export_job(replace(with_failing("stem"), wholes=()), folder)
    done = run_worker(folder)
    assert done.returncode == 0 and "warning: model 'stem' does not run: " in done.stderr
    found = read_results(read_job(folder), folder)
    assert list(found.failed) == ["stem"]
    assert program.main(["import-result", str(folder), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert "error: model 'stem' does not run: " in error and "left out for it: 'stem'" in error
    table = LatencyTable.load(output, allow_other_host=True)
    assert list(table.rows) == ["block"]
    assert any(text.startswith("model 'stem' does not run") for text in table.warnings)


def test_results_of_the_version_before_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    export_job(replace(toy_job(plan=PLAN), wholes=()), folder)
    assert run_worker(folder).returncode == 0

    def older(plain: dict[str, object]) -> None:
        plain.pop("failed")
        plain["schema_version"] = 3

    edit(folder / "result.json", older)
    edit(folder / "manifest.json", lambda plain: plain.update(schema_version=1))
    assert read_results(read_job(folder), folder).failed == {}
    assert read_job_file(str(folder / "job.json")).job_id


def test_a_table_of_files_goes_on_without_one_that_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, short, output = (tmp_path / name for name in ("good.onnx", "short.onnx", "t.json"))
    good.write_bytes(chain(1))
    short.write_bytes(hidden_gather(9))
    flags = ["--output", str(output), *TWO_ROUNDS_FLAGS]
    assert program.main(["table", str(short), str(good), *flags]) == 2
    printed = capsys.readouterr()
    assert f"error: model '{short}' does not run: " in printed.err
    assert list(LatencyTable.load(output).rows) == [str(good)]


def test_a_whole_network_that_fails_leaves_the_rows(result: Result) -> None:
    wholes = (
        WholePlan("net2", ("block",), "calibration"),
        WholePlan("net1", ("block",), "held_out"),
    )
    rows = (RowPlan("block", "chain4", "chain1", 3),)
    job = replace(with_failing("net2"), rows=rows, wholes=wholes)
    left, of_left = running_part(job, replace(result, certain=(True, False, True)))
    assert [whole.key for whole in left.wholes] == ["net1"] and of_left.certain == (True, True)
