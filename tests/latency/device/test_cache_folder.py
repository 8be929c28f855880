"""Where things are kept between runs, and what happens where there is no such place."""

from __future__ import annotations

from pathlib import Path

import pytest

from latency.device.cache_folder import NoHomeError, cache_folder
from latency.device.host import current_host
from latency.device.speed import best_speed_path
from latency.measurement.host_clock import forget_best_speed


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whose number has no entry in the passwords, without HOME."""

    def no_entry(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("STOPWATCH_CACHE", raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_entry)


def test_the_variable_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("STOPWATCH_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "stopwatch-nas"


def test_without_a_home_the_variable_is_named(homeless: None) -> None:
    with pytest.raises(NoHomeError) as caught:
        cache_folder()
    assert "STOPWATCH_CACHE" in caught.value.fix


def test_without_a_home_a_measurement_has_no_past(homeless: None) -> None:
    assert best_speed_path(current_host(), "probe") is None
    assert forget_best_speed() is None
