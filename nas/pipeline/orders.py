"""What the leader of several processes tells the others beside their trainings: images, supernets.

Orders are those of `nas.system.hosts`; `nas.pipeline.following` does them.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from latency.device import strict_json
from nas.data import Dataset
from nas.errors import InputError
from nas.executors.packages import fingerprint
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.system.backend import Compute
from nas.system.backend_check import check_starts
from nas.system.devices import check_batch
from nas.system.hosts import Greeting, Leader, lead, leader, versions

IMAGES = "images"
SUPERNET = "supernet"
SEARCH_CHECKPOINT = "search"


def greeting(devices: int) -> Greeting:
    """What this process says of itself.

    Args:
        devices: That it trains on.
    """
    return Greeting(socket.gethostname(), devices, versions(fingerprint()))


def check_trains(compute: Compute, batch_sizes: Mapping[str, int]) -> None:
    """Refuses what cannot train, and waits for the processes of other hosts where there are any.

    Args:
        compute: What Keras is to compute with.
        batch_sizes: Flag, or what else decides it -> images of a step, over all devices.

    Raises:
        InputError: The backend does not start, a batch cannot be divided over the devices, or
            another process does not come or cannot take part.
    """
    devices = check_starts(compute)
    if not compute.data_parallel:
        return
    if compute.coordinator is not None:
        devices = lead(compute.coordinator, compute.processes, greeting(devices)).devices
    for name, batch_size in batch_sizes.items():
        check_batch(batch_size, devices, name)


def order_images(source: DataSource, scale: str, seed: int) -> Leader | None:
    """Has the other processes read the images; None where there are none.

    Args:
        source: The images that are asked for.
        scale: Name of the sizes of the run.
        seed: Of the division where the images' layout has none.

    Raises:
        InputError: A program handed the images over.
    """
    leading = leader()
    if leading is None:
        return None
    if source.kind == "memory":
        raise InputError(
            "images of files, or an embedded sample, which every process reads for itself",
            "images that a program handed over",
            "name their folder, or train on one host",
        )
    leading.order(IMAGES, {"source": strict_json.encode(source), "scale": scale, "seed": seed})
    return leading


def check_images(leading: Leader, dataset: Dataset) -> None:
    """Refuses processes that have read others.

    Args:
        leading: That ordered them.
        dataset: The images here.

    Raises:
        InputError: A process has none, or others.
    """
    record = DataRecord.of(dataset)
    for answer in leading.answers():
        if answer["fingerprint"] != record.fingerprint:
            raise InputError(
                f"the same images on all hosts, fingerprint {record.fingerprint}",
                f"{answer['fingerprint']} on {answer['host']}",
                "copy the images of this host to the same path there",
            )


def order_supernet(folder: RunFolder, target: float | None) -> None:
    """Has the other processes train the supernet of a run beside this one, if there are any.

    Args:
        folder: Of the run; its records and its checkpoint are what they need of it.
        target: Value to land on; None with a penalty.
    """
    leading = leader()
    if leading is None:
        return
    files: dict[str, Any] = {path.name: path.read_bytes() for path in folder.path.glob("*.json")}
    checkpoint = folder.checkpoint(SEARCH_CHECKPOINT)
    if checkpoint.is_file():
        files[str(checkpoint.relative_to(folder.path))] = checkpoint.read_bytes()
    leading.order(SUPERNET, {"target": target}, files)
