"""Batches that are divided over the devices of JAX."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nas.errors import InputError

# Where the devices are processors, each waits for all others in every step, and a thread waits
# with it. XLA has a thread a core, too few for several devices made of one processor.
WAITING_THREADS = 64
# Names of their number: in this version of XLA, and in earlier ones. And one step begins when the
# last one is done, so that no thread waits for the next.
WAITING = {
    "PJRT_NPROC": str(WAITING_THREADS),
    "NPROC": str(WAITING_THREADS),
    "JAX_CPU_ENABLE_ASYNC_DISPATCH": "false",
}


def allow_waiting() -> None:
    """Lets devices that are processors wait for each other; a user's own values stay.

    It comes before JAX is imported. Devices of other kinds do not look at it.
    """
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)


def divide_batches() -> None:
    """Divides batches over all devices; over those of this host where others take part.

    Raises:
        InputError: There is one device in all.
    """
    import keras

    if _all_devices:
        own = _own_devices()
        divided = keras.distribution.DataParallel(devices=own) if len(own) > 1 else None
        keras.distribution.set_distribution(divided)
        return
    devices = keras.distribution.list_devices()
    if len(devices) < 2:
        raise InputError(
            "two devices or more for --data_parallel",
            ", ".join(devices) or "none",
            "leave the flag out",
        )
    keras.distribution.set_distribution(keras.distribution.DataParallel())


# How batches are divided over the devices of all hosts; empty where this process is alone.
_all_devices: list[Any] = []


def join(address: str, processes: int, process_id: int) -> None:
    """Takes part in the computations of several processes; once is enough.

    It comes before anything is computed.

    Args:
        address: HOST:PORT at which JAX's own coordinator of process 0 is.
        processes: In all.
        process_id: Of this process, 0 for the one that leads.
    """
    if _all_devices:
        return
    import keras

    keras.distribution.initialize(address, processes, process_id)
    _all_devices.append(keras.distribution.DataParallel())


@contextmanager
def over_all_hosts() -> Iterator[None]:
    """Trains on the devices of all hosts for the length of the block.

    Variables that are made in it are those of all processes: each of them has to do the same with
    them. Outside of it, everything is computed on this host alone.
    """
    if not _all_devices:
        yield
        return
    with _all_devices[0].scope():
        yield


def own_rows(batch: np.ndarray) -> np.ndarray:
    """The part of a batch that the devices of this process train on.

    Args:
        batch: A row an image, over all devices; the same in every process.
    """
    if not _all_devices:
        return batch
    import jax

    places = [n for n, d in enumerate(jax.devices()) if d.process_index == jax.process_index()]
    rows = len(batch) // jax.device_count()
    return batch[places[0] * rows : (places[-1] + 1) * rows]


def any_signal(signum: int | None) -> int | None:
    """The signal of a process that was told to stop, so that all stop at the same step.

    Args:
        signum: Of this process; None where it was not told.
    """
    if not _all_devices:
        return signum
    from jax.experimental import multihost_utils

    found = multihost_utils.process_allgather(np.array([signum or 0], np.int32))
    return int(np.max(found)) or None


def own_device_count() -> int:
    """Devices of this host."""
    import keras

    return len(_own_devices() if _all_devices else keras.distribution.list_devices())


def _own_devices() -> list[str]:
    """Names of the devices of this process, as Keras calls them."""
    import jax

    return [f"{device.platform}:{device.id}" for device in jax.local_devices()]


def device_count() -> int:
    """Devices that batches are divided over; 1 where they are not divided."""
    keras = sys.modules.get("keras")
    distribution = None if keras is None else keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


def check_batch(batch_size: int, devices: int, name: str = "--batch_size") -> None:
    """Refuses a batch that cannot be divided evenly, which would be another batch than was asked.

    Args:
        batch_size: Images of a step, over all devices.
        devices: That it is divided over, 1 or more.
        name: Of what decides the batch.

    Raises:
        InputError: Some device would get more images than another one.
    """
    if batch_size % devices == 0:
        return
    below = batch_size - batch_size % devices
    near = f"{below} or {below + devices}" if below else f"{devices}"
    raise InputError(
        f"{name} as a multiple of {devices}, the number of devices with --data_parallel",
        f"{batch_size}",
        f"use {near}, other devices, or leave --data_parallel out",
    )


def whole_batch(batch_size: int, images: int) -> int:
    """The batch of a training: as it was asked for, or as many images as there are.

    Args:
        batch_size: Images of a step that are asked for, 1 or more.
        images: That there are, 1 or more.

    Raises:
        InputError: The batch cannot be divided evenly, or there are more devices than images.
    """
    if batch_size > images:
        return even_part(images)
    check_batch(batch_size, device_count())
    return batch_size


def even_part(images: int) -> int:
    """The greatest number up to one of images that can be divided over the devices.

    Args:
        images: 1 or more.

    Raises:
        InputError: There are more devices than images.
    """
    devices = device_count()
    if images < devices:
        raise InputError(
            f"{devices} images or more, one for each device with --data_parallel",
            f"{images}",
            "use more images, or leave --data_parallel out",
        )
    return images - images % devices
