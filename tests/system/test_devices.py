"""Batches as many devices can share them."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from nas.errors import InputError
from nas.system import devices as devices_module
from nas.system.devices import (
    WAITING,
    allow_waiting,
    any_signal,
    check_batch,
    device_count,
    even_part,
    own_rows,
    whole_batch,
)


@pytest.mark.parametrize(
    ("devices", "batch_size", "images", "batch"),
    [(None, 7, 9, 7), (2, 6, 9, 6), (2, 8, 7, 6), (8, 64, 64, 64), (None, 9, 7, 7)],
)
def test_a_batch_is_what_was_asked_for_or_the_images_that_can_be_divided(
    devices: int | None, batch_size: int, images: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", divided_over(devices))
    assert whole_batch(batch_size, images) == batch
    assert device_count() == (devices or 1)


@pytest.mark.parametrize(
    ("batch_size", "devices", "near"), [(7, 2, "6 or 8"), (3, 4, "4"), (64, 3, "63 or 66")]
)
def test_a_batch_that_cannot_be_divided_is_refused_with_those_that_can(
    batch_size: int, devices: int, near: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", divided_over(devices))
    for refused in (
        lambda: check_batch(batch_size, devices),
        lambda: whole_batch(batch_size, 100),
    ):
        with pytest.raises(InputError, match=f"a multiple of {devices}") as caught:
            refused()
        assert caught.value.received == f"{batch_size}" and f"use {near}, " in caught.value.fix


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
    with pytest.raises(InputError, match="8 images or more") as caught:
        even_part(5)
    assert caught.value.received == "5" and "--data_parallel" in caught.value.fix


@pytest.mark.parametrize(("process", "rows"), [(0, [0, 1, 2, 3]), (1, [4, 5])])
def test_each_process_trains_on_the_rows_of_its_devices(
    process: int, rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two devices here and one there.
    devices = [SimpleNamespace(process_index=owner) for owner in (0, 0, 1)]
    jax = SimpleNamespace(
        devices=lambda: devices, process_index=lambda: process, device_count=lambda: 3
    )
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setattr(devices_module, "_all_devices", ["all"])
    assert own_rows(np.arange(6)).tolist() == rows


def test_a_process_alone_has_all_rows_and_its_own_signals() -> None:
    batch = np.arange(6)
    assert own_rows(batch) is batch
    assert (any_signal(None), any_signal(15)) == (None, 15)


def divided_over(devices: int | None) -> SimpleNamespace:
    """Keras with batches divided over so many devices; None where they are not."""
    mesh = SimpleNamespace(devices=np.arange(devices or 0))
    found = None if devices is None else SimpleNamespace(device_mesh=mesh)
    return SimpleNamespace(distribution=SimpleNamespace(distribution=lambda: found))
