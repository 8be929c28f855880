"""Batches as many devices can share them."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from nas.errors import InputError
from nas.system.devices import device_count, whole_batch


@pytest.mark.parametrize(
    ("devices", "wanted", "batch"), [(None, 7, 7), (2, 7, 6), (2, 2, 2), (8, 64, 64), (3, 64, 63)]
)
def test_batches_can_be_divided_over_the_devices(
    devices: int | None, wanted: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", divided_over(devices))
    assert whole_batch(wanted) == batch
    assert device_count() == (devices or 1)


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
