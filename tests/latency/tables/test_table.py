"""Predictions of a table."""

from __future__ import annotations

import pytest

from latency.tables.table import LatencyTable, MissingRowError
from tests.support.latency_graphs import toy_table


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


def test_a_prediction_is_the_calibrated_sum_of_rows(table: LatencyTable) -> None:
    slope, intercept_ms = table.affine
    sum_ms = table.rows["stem"].latency_ms + 2 * table.rows["block"].latency_ms
    predicted_ms = table.predict_ms(("stem", "block", "block"))
    assert predicted_ms == pytest.approx(slope * sum_ms + intercept_ms)
    assert table.audit is not None
    assert table.audit.points[0][1] == pytest.approx(predicted_ms)


def test_a_missing_row_is_an_error_and_never_zero(table: LatencyTable) -> None:
    with pytest.raises(MissingRowError, match="Expected a measured row for 'attic' in the table"):
        table.predict_ms(("stem", "attic"))
