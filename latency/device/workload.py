"""What one session measures: models, settings and a plan, and the id that they make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import strict_json
from .errors import WorkerError
from .plan import DevicePlan
from .records import JobFile, ModelEntry
from .settings import SessionSettings
from .statistics import Quantity


@dataclass(frozen=True)
class Model:
    """An ONNX model to time.

    Args:
        key: Its name in every result; unique.
        data: The serialised model.
        group: Models of one group are timed next to each other in the same visit.
        inputs: An .npz file of a user's own arrays, by input name; empty to draw all of them.
    """

    key: str
    data: bytes
    group: str
    inputs: bytes = b""


@dataclass(frozen=True)
class Workload:
    """What one session measures.

    Args:
        models: One or more, with unique keys.
        quantities: What has to become certain; a group stops when all it takes part in is.
        settings: Of the sessions.
        plan: Rounds, runs and when to stop.
        describe: Keys of the models whose optimized operators are wanted.
        job_id: Of a job that was read; computed where it is empty.

    Raises:
        WorkerError: There is no model, or two have the same key.
    """

    models: tuple[Model, ...]
    quantities: tuple[Quantity, ...]
    settings: SessionSettings
    plan: DevicePlan
    describe: tuple[str, ...] = ()
    job_id: str = ""

    def __post_init__(self) -> None:
        count = len(self.data)
        if not self.models or count != len(self.models):
            raise WorkerError(
                "one or more models with unique keys",
                f"{len(self.models)} models with {count} keys",
                "give each its own key",
            )
        if not self.job_id:
            parts = [strict_json.encode(p) for p in (self.settings, self.plan, self.quantities)]
            parts += self.inputs_part
            object.__setattr__(self, "job_id", identity_of(self.data, *parts))

    @property
    def data(self) -> dict[str, bytes]:
        """Key -> serialised model."""
        return {model.key: model.data for model in self.models}

    @property
    def inputs_part(self) -> list[Any]:
        """What a user's own arrays add to the job's identity; nothing where all are drawn."""
        found = {m.key: hashlib.sha256(m.inputs).hexdigest() for m in self.models if m.inputs}
        return [found] if found else []

    def job_file(self) -> JobFile:
        """Returns the content of job.json, with models as `models/0000.onnx` and so on."""
        entries = tuple(
            ModelEntry(
                model.key,
                f"models/{number:04d}.onnx",
                model.group,
                f"models/{number:04d}.npz" if model.inputs else "",
            )
            for number, model in enumerate(self.models)
        )
        return JobFile(
            self.job_id, self.settings, self.plan, entries, self.quantities, self.describe
        )


def identity_of(models: Mapping[str, bytes], *parts: Any) -> str:
    """Returns 16 hex digits that change with any model, setting or plan.

    Args:
        models: Key -> serialised model.
        parts: Plain values of the settings, the plan and the quantities.
    """
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for key in sorted(models):
        # Names of files may be no UTF-8.
        name = key.encode("utf-8", "surrogatepass")
        digest.update(name + b"\0" + hashlib.sha256(models[key]).digest())
    return digest.hexdigest()[:16]
