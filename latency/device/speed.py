"""How fast a device was while it measured, and the best that was ever seen of it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Optional

from . import files, strict_json
from .cache_folder import NoHomeError, cache_folder
from .errors import FileFormatError
from .host import Host

FULL_SPEED, BUSY, SLOWER, NOT_GATED = "full speed", "busy", "slower", "not gated"
# A run counts when the probes before and after it took at most so many times full speed. The
# states of a shared machine differ by 1.3 to 1.7. A probe right after a model differs by 1 to 3 %
# from one among probes, since the model has used the caches.
GATE = 1.04


@dataclass(frozen=True)
class BestSpeed:
    """The shortest probe that a device ever showed; a file of its own.

    Args:
        probe: Name of the probe.
        probe_us: Its duration at full speed.
        at: When, ISO 8601 in UTC.
        frequency_mhz: Mean over the cores at that time; None where unknown.
        temperature_celsius: The hottest sensor's at that time; None where unknown.
    """

    SCHEMA_VERSION: ClassVar[int] = 1

    probe: str
    probe_us: float
    at: str
    frequency_mhz: Optional[float]
    temperature_celsius: Optional[float]


@dataclass(frozen=True)
class HostSpeed:
    """How fast a device was while it measured.

    Args:
        state: 'full speed', 'busy' (other programs held it up most of the time), 'slower' (it
            never came near its own best, without being busy) or 'not gated'.
        reason: Why it is not at full speed, or why nothing was gated; empty at full speed.
        probe: Name of the probe; empty where nothing was gated.
        full_speed_us: The probe at full speed, by which runs were judged.
        session_us: The shortest probes of this session.
        gate: A run counts when the probes around it took at most so many times full speed.
        best: The best ever seen of this device, this session included; None where too little was.
        share_full_speed: Share (0 to 1) of the time at which the probe was within the gate.
        probe_quantiles_us: 'p1', 'p10', ... of the probes that nobody had waited for.
        waited_seconds: Time spent in waiting for full speed.
    """

    state: str
    reason: str = ""
    probe: str = ""
    full_speed_us: Optional[float] = None
    session_us: Optional[float] = None
    gate: float = GATE
    best: Optional[BestSpeed] = None
    share_full_speed: Optional[float] = None
    probe_quantiles_us: Mapping[str, float] = field(default_factory=dict)
    waited_seconds: float = 0.0

    @property
    def limit_us(self) -> Optional[float]:
        """The longest probe beside a run that counts; None where nothing was gated."""
        return None if self.full_speed_us is None else self.gate * self.full_speed_us


def best_speed_path(host: Host, probe: str) -> Path | None:
    """Where the best speed of a device is kept: $STOPWATCH_CACHE or ~/.cache/stopwatch-nas.

    None where there is neither: a device without a past measures all the same.

    Args:
        host: The device.
        probe: Name of the probe.
    """
    name = hashlib.sha256(probe.encode()).hexdigest()[:8]
    try:
        return cache_folder() / "speed" / f"{host.fingerprint}-{name}.json"
    except NoHomeError:
        return None


def read_best_speed(path: Path, probe: str) -> BestSpeed | None:
    """Reads the best speed; None where there is none, or none that can be believed.

    Args:
        path: Of the file.
        probe: Name of the probe.
    """
    try:
        best = strict_json.read(BestSpeed, path)
    except FileFormatError:
        return None  # A device without a past measures all the same.
    return best if best.probe == probe and best.probe_us > 0 else None


def keep_best_speed(path: Path, best: BestSpeed) -> None:
    """Writes the best speed, whole or not at all; a folder that cannot be written stays as it is.

    Args:
        path: Of the file.
        best: What is kept.
    """
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(path, strict_json.dumps(best).encode("utf-8"))
