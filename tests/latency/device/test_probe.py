"""The probe: always there, and its time is the second of two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latency.device import probe
from latency.device.probe import PAGE_BYTES, Gauge, Probe, at_page, make_probe, vector_probe


def test_the_probe_names_what_it_computes_and_with_what() -> None:
    found = make_probe()
    library = probe.matrix_library()
    assert library and library in found.name and np.__version__ in found.name
    found.run()


@pytest.mark.parametrize(
    "config",
    [
        None,  # of a numpy that prints its configuration only
        {},
        {"Build Dependencies": {"blas": {"name": "none", "found": False}}},
        {"Build Dependencies": {"blas": {"name": "openblas", "found": False}}},
    ],
)
def test_without_a_matrix_library_the_probe_divides(
    config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "show_config", lambda mode: config)
    found = make_probe()
    assert found.name == vector_probe().name
    assert found.name.startswith("8 x 4096 float32 divisions")
    found.run()


def test_a_gauge_times_the_second_run() -> None:
    durations_s = iter([50e-6, 9e-6])
    seconds = [0.0]

    def run() -> None:
        seconds[0] += next(durations_s)

    gauge = Gauge(Probe("fake", run), lambda: seconds[0])
    assert gauge.read_us() == pytest.approx(9.0)


def test_what_reads_the_clock_is_warm_when_it_counts() -> None:
    # After a model larger than the caches, the code around the first run takes a microsecond.
    costs_s = iter([0.0, 1e-6, 0.0, 0.0])
    seconds = [0.0]

    def clock() -> float:
        seconds[0] += next(costs_s)
        return seconds[0]

    def run() -> None:
        seconds[0] += 9e-6

    assert Gauge(Probe("fake", run), clock).read_us() == pytest.approx(9.0)


@pytest.mark.parametrize("shape", [(48, 48), (4096,)])
def test_operands_begin_a_page_in_every_process(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = [at_page(values) for _ in range(3)]
    assert [array.ctypes.data % PAGE_BYTES for array in found] == [0, 0, 0]
    assert all(np.array_equal(array, values) for array in found)
