"""Batches as many devices can share them."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from nas.errors import InputError
from nas.system.devices import WAITING, allow_waiting, device_count, whole_batch


@pytest.mark.parametrize(
    ("devices", "wanted", "batch"), [(None, 7, 7), (2, 7, 6), (2, 2, 2), (8, 64, 64), (3, 64, 63)]
)
def test_batches_can_be_divided_over_the_devices(
    devices: int | None, wanted: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", divided_over(devices))
    assert whole_batch(wanted) == batch
    assert device_count() == (devices or 1)


def test_devices_that_are_processors_may_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in WAITING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PJRT_NPROC", "3")
    allow_waiting()
    assert {name: os.environ[name] for name in WAITING} == {**WAITING, "PJRT_NPROC": "3"}


def test_more_devices_than_images_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", divided_over(8))
    with pytest.raises(InputError, match="batches of 8 images or more") as caught:
        whole_batch(5)
    assert caught.value.received == "5" and "--batch_size" in caught.value.fix


def divided_over(devices: int | None) -> SimpleNamespace:
    """Keras with batches divided over so many devices; None where they are not."""
    mesh = SimpleNamespace(devices=np.arange(devices or 0))
    found = None if devices is None else SimpleNamespace(device_mesh=mesh)
    return SimpleNamespace(distribution=SimpleNamespace(distribution=lambda: found))
