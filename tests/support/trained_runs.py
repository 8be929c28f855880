"""Runs of one network that look as if they were trained: records and files, and no training."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.data import Dataset, Split
from nas.hardware.measurement import network_bytes
from nas.interface.asked import given_network_config
from nas.recipes import RECIPES
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.measured import FileHashes
from nas.runs.records import Certificate, CertifiedNetwork, SeededRecipe, values_of
from nas.selection.seed_spread import SeedSpread
from nas.system.environment import environment
from nas.training.history import TrainingRow

NETWORK = "in_s16 cn_k3_s2_c4 ir_k3_s1_e3_c4 gap fc_c7"
WIDER = "in_s16 cn_k3_s2_c8 ir_k3_s1_e3_c8 gap fc_c7"
CLASSES = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")


def dataset(**changes: Any) -> Dataset:
    """Images that nobody looks at.

    Args:
        changes: Other values of its fields.
    """
    labels = np.arange(14, dtype=np.int32) % 7
    split = Split(np.zeros((14, 16, 16, 3), np.uint8), labels)
    found = Dataset("toy", split, split, CLASSES, 16, "0" * 16, is_sample=False)
    return replace(found, **changes)


def untrained_run(path: Path, text: str = NETWORK, data: Dataset | None = None) -> RunFolder:
    """A run that has begun with a network and has images.

    Args:
        path: Of the new folder.
        text: The network.
        data: Its images; None for those of `dataset`.
    """
    images = data or dataset()
    source = DataSource("memory")
    config = given_network_config({"smoke": True}, source, "a test", images.image_size)
    folder = RunFolder.create(path, config, "test")
    folder.write_json("architecture.json", arch_text.to_json(arch_text.parse(text)))
    folder.write(DataRecord.of(images))
    return folder


def trained_run(
    path: Path,
    text: str = NETWORK,
    data: Dataset | None = None,
    top1: tuple[float, ...] = (0.5,),
    **recipe: Any,
) -> RunFolder:
    """A run whose network is trained, as its records and files have it.

    Args:
        path: Of the new folder.
        text: The network.
        data: Its images; None for those of `dataset`.
        top1: What trainings with the seeds 0, 1, ... reached.
        recipe: Knobs that are not those of the toy recipe.
    """
    folder = untrained_run(path, text, data)
    network = arch_text.parse(text)
    content = network_bytes(network)
    (path / "model.onnx").write_bytes(content)
    rows = [
        TrainingRow(step, step / 4, 3 - step / 10, step / 20, 0.01, 100.0) for step in range(1, 9)
    ]
    folder.write_csv(TrainingRow.FILE, [values_of(row) for row in rows])
    folder.write(_certificate(network, text, content, top1, recipe))
    return folder


def _certificate(
    network: Architecture,
    text: str,
    content: bytes,
    top1: tuple[float, ...],
    recipe: dict[str, Any],
) -> Certificate:
    own = CertifiedNetwork.of(
        network,
        None,
        None,
        None,
        name="searched",
        role="searched",
        text=text,
        top1=top1[0],
        top5=0.9,
        train_top1=0.6,
        evaluation_images=14,
        images_seen=28,
        trainings=SeedSpread.of(dict(enumerate(top1))),
    )
    trained_by = RECIPES["smoke"].changed(**recipe).resolved()
    return Certificate(
        **values_of(own),
        method=None,
        supernet_top1=None,
        supernet_top5=None,
        largest=None,
        uniform=None,
        random=(),
        device=None,
        date="2026-01-01T00:00:00+00:00",
        environment=environment(),
        hashes=FileHashes(hashlib.sha256(content).hexdigest(), "0" * 64),
        recipe=SeededRecipe(**values_of(trained_by), seed=0, seeds=len(top1)),
    )
