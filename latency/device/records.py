"""The files of a job: what a device is told in job.json and answers in result.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from .graph_info import GraphInfo
from .host import DeviceState, Host
from .plan import DevicePlan
from .settings import SessionSettings
from .speed import HostSpeed
from .statistics import Quantity, Visit

JOB_SCHEMA_VERSION = 3
RESULT_SCHEMA_VERSION = 4


@dataclass(frozen=True)
class ModelEntry:
    """A model of a job.

    Args:
        key: Its name in every result.
        file: Path below the job's folder.
        group: Models of one group are timed next to each other in the same visit.
        inputs: Path below the job's folder of an .npz file with a user's own arrays; empty where
            all inputs are drawn.
    """

    key: str
    file: str
    group: str
    inputs: str = ""


@dataclass(frozen=True)
class JobFile:
    """The content of job.json.

    Args:
        job_id: 16 hex digits that change with any model, setting or plan.
        settings: Of the sessions.
        plan: Rounds, runs and when to stop.
        models: Every graph.
        quantities: What has to become certain.
        describe: Keys of the models whose optimized operators are wanted.
    """

    SCHEMA_VERSION: ClassVar[int] = JOB_SCHEMA_VERSION

    job_id: str
    settings: SessionSettings
    plan: DevicePlan
    models: tuple[ModelEntry, ...]
    quantities: tuple[Quantity, ...]
    describe: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """The content of result.json: one measuring session.

    Args:
        job_id: Of the models, settings and plan that were measured.
        host: The device.
        settings: Of the sessions.
        started_at: ISO 8601 in UTC.
        finished_at: ISO 8601 in UTC.
        described: Model key -> what really ran.
        state_after: Device state at the end.
        visits: Model key -> its visits: runs and the probes around them.
        certain: Whether each quantity of the job became certain.
        rounds: Interleaved rounds.
        seconds: Time spent in them, over all resumed parts.
        log: Device state after each round.
        speed: How fast the device was.
        unknown_keys: Settings that the device or its onnxruntime did not know.
        failed: Model key -> why it does not run; it has no visits.
    """

    SCHEMA_VERSION: ClassVar[int] = RESULT_SCHEMA_VERSION
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (3,)

    job_id: str
    host: Host
    settings: SessionSettings
    started_at: str
    finished_at: str
    described: Mapping[str, GraphInfo]
    state_after: DeviceState
    visits: Mapping[str, tuple[Visit, ...]]
    certain: tuple[bool, ...]
    rounds: int
    seconds: float
    log: tuple[DeviceState, ...]
    speed: HostSpeed
    unknown_keys: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
