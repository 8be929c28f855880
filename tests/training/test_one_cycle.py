"""The schedule that trainings have by default."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas.training.schedules import Course, one_cycle


def test_it_rises_linearly_and_falls_as_a_cosine() -> None:
    course = Course(total=100, epochs=1.0, warmup_share=0.1)
    assert one_cycle(0, course) == pytest.approx(1 / 11)
    assert one_cycle(10, course) == pytest.approx(1.0)
    assert one_cycle(55, replace(course, last_share=0.0)) == pytest.approx(0.5)
    assert one_cycle(100, course) == pytest.approx(0.002)
