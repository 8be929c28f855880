"""What a search by trials is asked for after it has begun, beside its config.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import ClassVar

from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig


@dataclass(frozen=True)
class AskedLater:
    """asked_later.json: what a search was asked for when it went on, in place of config.json.

    Args:
        seeds: Whole trainings of the best trial at the end, its own among them, 1 or more.
        metrics: What whole trainings are judged by beside objectives, those of the beginning among
            them, with what they shall reach.
        signal_class: As in config.json.
        background_rate_hz: As in config.json.
    """

    FILE: ClassVar[str] = "asked_later.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    seeds: int
    metrics: tuple[str, ...]
    signal_class: str | None
    background_rate_hz: float | None

    @classmethod
    def of(cls, config: TrialsConfig) -> AskedLater:
        """What a configuration says of it.

        Args:
            config: Of a run.
        """
        return cls(**{one.name: getattr(config, one.name) for one in fields(cls)})


def asked_now(folder: RunFolder, began: TrialsConfig) -> TrialsConfig:
    """What a run is asked for by now.

    Args:
        folder: Of the run.
        began: What it was asked for as it began.

    Raises:
        InputError: A value is out of its range.
        FileFormatError: The record is broken.
    """
    if not folder.has(AskedLater):
        return began
    return replace(began, **asdict(folder.read(AskedLater)))
