"""Rows that a space's table does not have: predicted from those that it has, or refused."""

from __future__ import annotations

import pytest

from latency.device.settings import SessionSettings
from latency.jobs.job import Job
from latency.measurement.measure import MeasurePlan
from latency.onnx_files.features import row_features
from latency.onnx_files.operators import row_operators
from latency.tables.row_model import OutOfRangeError, RowModel, UnknownOperatorError
from nas.hardware.jobs import PLAIN, Variant, space_job
from nas.search_space.named import get_space
from nas.search_space.space import Space
from tests.latency.onnx_files.test_operators import KINDS
from tests.support.report_run import SPACE, report_table

# In rows of `tiny`; the others of `KINDS` are in none.
KNOWN = {"Conv pointwise", "Conv depthwise", "Conv full strided", "Add", "Add with a number"}


def job_of(space: Space, variant: Variant = PLAIN) -> Job:
    return space_job(
        space,
        settings=SessionSettings(),
        plan=MeasurePlan(),
        calibration=0,
        held_out=0,
        variant=variant,
    )


@pytest.fixture(scope="module")
def model() -> RowModel:
    found = report_table().row_model
    assert found is not None
    return found


def predicted(job: Job, model: RowModel) -> tuple[dict[str, float], list[str]]:
    """Milliseconds of the rows that are predicted, and the keys of those out of range."""
    data = {entry.key: entry.data for entry in job.models}
    found, refused = {}, []
    for row in job.rows:
        long, short = data[row.long_key], data[row.short_key] if row.short_key else None
        features = row_features(long, short, row.divisor, 8)
        try:
            found[row.key] = model.predict_ms(features, row_operators(long, short))
        except UnknownOperatorError:
            raise
        except OutOfRangeError:
            refused.append(row.key)
    return found, refused


def test_a_tables_own_rows_are_of_known_operators(model: RowModel) -> None:
    found, refused = predicted(job_of(SPACE), model)
    rows = report_table().rows
    assert refused == [] and set(found) == set(rows)
    errors = [abs(ms / rows[key].latency_ms - 1) for key, ms in found.items()]
    # Made-up rows take 4 us and a time for each MAC of any kind; the model has no such constant
    # and is 7 % off on average.
    assert sum(errors) / len(errors) < 0.1


def test_rows_of_another_image_size_have_no_unknown_operator(model: RowModel) -> None:
    found, refused = predicted(job_of(get_space("tiny", 80)), model)
    # Larger maps lie beyond the measured range for a quarter of the rows.
    assert len(found) > 2 * len(refused)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - KNOWN))
def test_an_operator_that_the_space_has_not_is_refused(model: RowModel, kind: str) -> None:
    features = dict(model.low)
    with pytest.raises(UnknownOperatorError) as info:
        model.predict_ms(features, row_operators(KINDS[kind], None))
    assert f"Received: `{kind}`." in str(info.value)


@pytest.mark.parametrize("variant", [Variant("fp16"), Variant(batch=2)])
def test_another_precision_is_another_kind_and_another_batch_is_not(
    model: RowModel, variant: Variant
) -> None:
    job = job_of(SPACE, variant)
    if variant.precision == "fp16":
        with pytest.raises(UnknownOperatorError, match="float16"):
            predicted(job, model)
    else:
        assert predicted(job, model)[0]
