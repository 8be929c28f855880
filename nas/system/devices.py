"""Batches that are divided over the devices of JAX."""

from __future__ import annotations

import os
import sys

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
    """Divides batches over all devices.

    Raises:
        InputError: There is one.
    """
    import keras

    devices = keras.distribution.list_devices()
    if len(devices) < 2:
        raise InputError(
            "two devices or more for --data_parallel",
            ", ".join(devices) or "none",
            "leave the flag out",
        )
    keras.distribution.set_distribution(keras.distribution.DataParallel())


def device_count() -> int:
    """Devices that batches are divided over; 1 where they are not divided."""
    keras = sys.modules.get("keras")
    distribution = None if keras is None else keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


def whole_batch(images: int) -> int:
    """The greatest batch up to a size that can be divided over the devices.

    Args:
        images: Of the batch that is wanted, 1 or more.

    Raises:
        InputError: There are more devices than images.
    """
    devices = device_count()
    if images < devices:
        raise InputError(
            f"batches of {devices} images or more, one for each device with --data_parallel",
            f"{images}",
            "use a greater --batch_size or more images, or leave --data_parallel out",
        )
    return images - images % devices
